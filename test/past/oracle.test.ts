import { isDeepStrictEqual } from 'node:util';

import fc from 'fast-check';
import { asOf, Versioning, VersionTransaction } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { createOrm, describeDatabase, describeEachDatabase, type Database, type Orm } from '../support/databases.ts';
import { expectMirror } from '../support/mirror.ts';
import { mirrorSchemas } from '../support/mirroredTables.ts';
import { copyOf, fill, type Copy } from '../support/oracle/copies.ts';
import { library } from '../support/oracle/library.ts';
import { anyQuery, ask, type Answer, type Query } from '../support/oracle/queries.ts';
import type { Subject } from '../support/oracle/Subject.ts';
import { tenants } from '../support/oracle/tenants.ts';

/** The same on every run; another one, and a larger one, every night. */
const isNightly = process.env['NIGHTLY'] === '1';
const seed = isNightly ? Date.now() % 1_000_000 : 7;
const TRANSACTIONS = isNightly ? 60 : 24;
const QUERIES = isNightly ? 150 : 40;
const TIMEOUT = isNightly ? 1_800_000 : 120_000;

type Em = ReturnType<Orm['em']['fork']>;

/** Answers of a manager of the past beside those of a copy that was kept. */
class Comparison {
  readonly counts: Record<string, number> = {};
  readonly differing: object[] = [];
  rows = 0;
  failed = 0;

  async compare(query: Query, past: Em, copy: Em): Promise<void> {
    const expected = await answerOf(copy, query);
    const answer = await answerOf(past, query);
    if (!isDeepStrictEqual(answer, expected)) {
      this.differing.push({ seed, query, past: answer, copy: expected });
    }
    this.counts[query.kind] = (this.counts[query.kind] ?? 0) + 1;
    this.rows += expected.rows;
    this.failed += isFailure(expected) ? 1 : 0;
  }

  get total(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
  }
}

/** Where MikroORM 7.2 makes wrong SQL, it does so of the past as well. */
async function answerOf(em: Em, query: Query): Promise<Answer> {
  return ask(em, query).catch((error: unknown) => ({ rows: 0, answer: { failed: error instanceof Error } }));
}

function isFailure({ answer }: Answer): boolean {
  return typeof answer === 'object' && answer !== null && 'failed' in answer;
}

/** Makes a history, and copies the database after each transaction. */
async function makeHistory<Change>(subject: Subject<Change>, orm: Orm, copyOrm: Orm): Promise<[number, Copy][]> {
  const copies: [number, Copy][] = [];
  for (const changes of fc.sample(subject.changes, { seed, numRuns: TRANSACTIONS })) {
    await orm.em.fork().transactional(async em => {
      for (const change of changes) {
        await subject.apply(em, change);
      }
    });
    const [last] = await orm.em.fork().find(VersionTransaction, {}, { orderBy: { id: 'desc' }, limit: 1 });
    await expectMirror(orm);
    copies.push([last?.id ?? 0, await copyOf(orm, copyOrm, subject.schemas)]);
  }
  return copies;
}

async function createBoth<Change>(db: Database, subject: Subject<Change>): Promise<[Orm, Orm]> {
  const { entities, schemas } = subject;
  const orm = await createOrm(db, { entities, extensions: [Versioning] });
  mirrorSchemas(orm, schemas);
  const copyOrm = await createOrm(db, {
    entities,
    // rows are copied in no order
    ...(db.name === 'postgresql' ? { schemaGenerator: { createForeignKeyConstraints: false } } : {}),
  });
  for (const each of [orm, copyOrm]) {
    for (const schema of schemas) {
      await each.schema.create({ schema });
    }
  }
  await subject.prepare(orm.em.fork());
  return [orm, copyOrm];
}

async function compareAll<Change>(db: Database, subject: Subject<Change>): Promise<Comparison> {
  const [orm, copyOrm] = await createBoth(db, subject);
  const copies = await makeHistory(subject, orm, copyOrm);
  const queries = fc.sample(anyQuery(subject.shapes), { seed, numRuns: TRANSACTIONS * QUERIES });
  // live rows of a class without history are those of now
  const now = [...copies.at(-1)![1]].filter(([table]) => subject.unversioned.includes(table));
  const comparison = new Comparison();
  for (const [i, [transaction, copy]] of copies.entries()) {
    await fill(copyOrm, new Map([...copy, ...now]));
    for (const [j, query] of queries.slice(i * QUERIES, (i + 1) * QUERIES).entries()) {
      const schema = subject.schemas[j % subject.schemas.length];
      const fork = (each: Orm) => each.em.fork(schema === undefined ? {} : { schema });
      const past = asOf(fork(orm), transaction === 0 ? new Date(0) : transaction);
      await comparison.compare(query, past, fork(copyOrm));
    }
  }
  return comparison;
}

/** That nothing differed, and that it says something: most queries were answered, with rows. */
function expectSame(comparison: Comparison): void {
  expect(comparison.differing).toEqual([]);
  expect(comparison.total).toBe(TRANSACTIONS * QUERIES);
  expect(Object.keys(comparison.counts)).toHaveLength(7);
  expect(comparison.rows).toBeGreaterThan(TRANSACTIONS * QUERIES);
  expect(comparison.failed / comparison.total).toBeLessThan(0.01);
}

describeEachDatabase('the past, of which a copy was kept', db => {
  it(
    'answers every query as the copy of then does',
    async () => {
      const comparison = await compareAll(db, library);
      expectSame(comparison);
      expect(comparison.total).toBeGreaterThan(900);
    },
    TIMEOUT,
  );
});

describeDatabase('postgresql', 'the past of several schemas, of which a copy was kept', db => {
  it(
    'answers every query as the copy of then does',
    async () => {
      const comparison = await compareAll(db, tenants);
      expectSame(comparison);
      expect(comparison.total).toBeGreaterThan(900);
    },
    TIMEOUT,
  );
});
