import { isDeepStrictEqual } from 'node:util';

import { serialize, type EntityManager } from '@mikro-orm/core';
import fc from 'fast-check';
import {
  asOf,
  between,
  diff,
  history,
  Operation,
  revert,
  undo,
  Versioning,
  VersioningError,
  type Difference,
  versionOf,
  VersionTransaction,
} from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { createOrm, describeEachDatabase, type Database, type Orm } from '../support/databases.ts';
import { Book, Cover, Medium, Reader, Remark, Shelf, Writer } from '../support/library.ts';
import { anyCondition } from '../support/oracle/conditions.ts';
import { library } from '../support/oracle/library.ts';

/** The same on every run; another one, and a larger one, every night. */
const isNightly = process.env['NIGHTLY'] === '1';
const seed = Number(process.env['SEED'] ?? (isNightly ? Date.now() % 1_000_000 : 11));
const TRANSACTIONS = isNightly ? 60 : 20;
const TIMEOUT = isNightly ? 900_000 : 120_000;

const ENTITIES = [Shelf, Writer, Reader, Book, Cover, Medium, Remark] as const;

type Em = ReturnType<Orm['em']['fork']>;

async function lastOf(orm: Orm): Promise<number> {
  const [last] = await orm.em.fork().find(VersionTransaction, {}, { orderBy: { id: 'desc' }, limit: 1 });
  return last?.id ?? 0;
}

/** A history of random changes, and what happens after each of its transactions. */
async function live(db: Database, each: (orm: Orm, transaction: number) => Promise<void>): Promise<Orm> {
  const orm = await createOrm(db, { entities: library.entities, extensions: [Versioning] });
  await library.prepare(orm.em.fork());
  for (const changes of fc.sample(library.changes, { seed, numRuns: TRANSACTIONS })) {
    const before = await lastOf(orm);
    await orm.em.fork().transactional(async em => {
      for (const change of changes) {
        await library.apply(em, change);
      }
    });
    const transaction = await lastOf(orm);
    if (transaction > before) {
      await each(orm, transaction);
    }
  }
  return orm;
}

/** The error by which something was refused; any other one is thrown. */
async function refusalOf(work: Promise<unknown>): Promise<VersioningError | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof VersioningError) {
      return error;
    }
    throw error;
  }
}

/** All rows of all live tables, without what has no history. */
async function tablesOf(orm: Orm): Promise<Record<string, string[]>> {
  const tables = [...orm.getMetadata()]
    .filter(meta => meta.tableName && !meta.embeddable && !/_version|transaction/.test(meta.tableName))
    .map(meta => meta.tableName);
  const found: Record<string, string[]> = {};
  for (const table of new Set(tables)) {
    const isPivot = table.startsWith('book_');
    const order = table === 'book_sold_in' ? 'order by book_id, id' : '';
    const rows = await orm.em.fork().execute<Record<string, unknown>[]>(`select * from "${table}" ${order}`);
    // MikroORM 7.2 leaves the key of a polymorphic relation that becomes null
    const shown = rows.map(({ lent: _lent, id, ...row }) =>
      JSON.stringify(isPivot ? row : { id, ...row, ...(row['subject_type'] === null ? { subject_id: null } : {}) }),
    );
    found[table] = order === '' ? shown.toSorted((a, b) => (a < b ? -1 : 1)) : shown;
  }
  return found;
}

/** All rows of a class with the keys that they lead to, by class and key. */
async function rowsOf(em: EntityManager): Promise<Map<string, Record<string, unknown>>> {
  const rows = new Map<string, Record<string, unknown>>();
  for (const entity of ENTITIES) {
    const populate = entity === Book ? ['writers', 'soldIn'] : entity === Writer ? ['books'] : [];
    const found = (await em.find(entity as typeof Book, {}, { populate: populate as never })) as object[];
    for (const row of found) {
      const shown = serialize(row, { populate: populate as never, forceObject: true } as never) as Record<
        string,
        unknown
      >;
      const keys = Object.entries(shown)
        .filter(([name]) => !['lent', 'versions', 'below', 'media', 'cover', 'kind'].includes(name))
        .map(([name, value]) => [name, keysOf(row as Record<string, unknown>, name, value) ?? null] as const);
      rows.set(`${row.constructor.name}#${String(shown['id'])}`, Object.fromEntries(keys));
    }
  }
  return rows;
}

function keysOf(row: Record<string, unknown>, name: string, value: unknown): unknown {
  if (Array.isArray(value)) {
    const ids = value.map(each => (each as { id: number }).id);
    return name === 'soldIn' ? ids : ids.toSorted((a, b) => a - b);
  }
  const isReference = typeof value === 'object' && value !== null && 'id' in value;
  return name === 'subject' && isReference
    ? [row['subject']!.constructor.name, value.id]
    : isReference
      ? value.id
      : value;
}

const isEmpty = (value: unknown) =>
  value === null || value === undefined || (Array.isArray(value) && value.length === 0);

describeEachDatabase('spans of a random history', db => {
  it(
    'what changed between two moments is what differs in the rows of then',
    async () => {
      const moments: number[] = [0];
      const orm = await live(db, async (_, transaction) => void moments.push(transaction));
      const at = (moment: number) => (moment === 0 ? new Date(0) : moment);
      const pairs = fc.sample(fc.tuple(fc.nat(moments.length - 1), fc.nat(moments.length - 1)), {
        seed,
        numRuns: isNightly ? 300 : 40,
      });
      let compared = 0;
      for (const [a, b] of pairs) {
        const [from, to] = [moments[Math.min(a, b)]!, moments[Math.max(a, b)]!];
        const [before, after] = [
          await rowsOf(asOf(orm.em.fork(), at(from))),
          await rowsOf(asOf(orm.em.fork(), at(to))),
        ];
        const expected: Record<string, unknown> = {};
        for (const name of new Set([...before.keys(), ...after.keys()])) {
          const [was, is] = [before.get(name), after.get(name)];
          const names = Object.keys({ ...was, ...is }).filter(each =>
            was && is ? !isDeepStrictEqual(was[each] ?? null, is[each] ?? null) : !isEmpty((was ?? is)![each]),
          );
          if (names.length > 0) {
            expected[name] = [was ? (is ? 'UPDATE' : 'DELETE') : 'INSERT', names.toSorted()];
          }
        }
        const found = await between(orm.em.fork(), at(from), at(to));
        const shown = found
          .filter(({ operation }) => operation !== null)
          .map(({ entity, key, operation, changeset }) => [
            `${entity.name}#${String(key)}`,
            [['INSERT', 'UPDATE', 'DELETE'][operation!], Object.keys(changeset).toSorted()],
          ]);
        expect([seed, from, to, Object.fromEntries(shown)]).toEqual([seed, from, to, expected]);
        compared += shown.length;
      }
      expect(compared).toBeGreaterThan(100);
    },
    TIMEOUT,
  );

  it(
    'the versions that ever met a condition are those of the rows that each moment finds',
    async () => {
      const moments: number[] = [];
      const orm = await live(db, async (_, transaction) => void moments.push(transaction));
      let found = 0;
      for (const [i, shape] of library.shapes.entries()) {
        for (const where of fc.sample(anyCondition(shape), { seed: seed + i, numRuns: isNightly ? 60 : 6 })) {
          const entity = shape.entity as typeof Book;
          const met = new Set<string>();
          let failed = false;
          for (const moment of moments) {
            const rows = await asOf(orm.em.fork(), moment)
              .find(entity, where, { fields: ['id'] })
              .catch(() => ((failed = true), []));
            for (const { id } of rows) {
              const [version] = await orm.em.fork().find(versionOf(entity), {
                id,
                transaction: { $lte: moment },
                $or: [{ endTransaction: null }, { endTransaction: { $gt: moment } }],
              } as never);
              met.add(`${id} ${(version as unknown as { versionId: number }).versionId}`);
            }
          }
          if (failed) {
            // MikroORM 7.2 makes wrong SQL of it
            continue;
          }
          const versions = (await history(orm.em.fork(), entity, where as never)) as unknown as {
            id: number;
            versionId: number;
          }[];
          expect([where, versions.map(({ id, versionId }) => `${id} ${versionId}`).toSorted()]).toEqual([
            where,
            [...met].toSorted(),
          ]);
          found += versions.length;
        }
      }
      expect(found).toBeGreaterThan(200);
    },
    TIMEOUT,
  );
});

describeEachDatabase('ways back through a random history', db => {
  it(
    'undo makes the database what it was, and undoing that makes it what it had become',
    async () => {
      let before: Record<string, string[]> | undefined;
      const refusals: string[] = [];
      const results: [number, boolean][] = [];
      await live(db, async (orm, transaction) => {
        const after = await tablesOf(orm);
        for (const expected of before ? [before, after] : []) {
          const em = orm.em.fork();
          const error = await refusalOf(undo(em, 'latest'));
          if (error) {
            refusals.push(error.message);
            break;
          }
          await em.flush();
          results.push([transaction, isDeepStrictEqual(await tablesOf(orm), expected)]);
        }
        before = await tablesOf(orm);
      });
      expect({ seed, wrong: results.filter(([, isSame]) => !isSame) }).toEqual({ seed, wrong: [] });
      expect(results.length).toBeGreaterThan(TRANSACTIONS * 1.5);
      // a polymorphic relation may have led nowhere, which it can't be made to; nor can a row be made one of another class
      const known =
        /way: (?:Remark#\d\.subject led to \w+#\d, which does not exist any more(?:; )?)+\. Nothing|since a \w+ has its key now/;
      expect(refusals.filter(message => !known.test(message))).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'an undo of any transaction is one new transaction, or an error that changes nothing',
    async () => {
      const transactions: number[] = [];
      const seen = { done: 0, conflicts: 0, refused: 0 };
      const wrong: unknown[] = [];
      await live(db, async (orm, transaction) => {
        transactions.push(transaction);
        const chosen = transactions[(transaction * 7) % transactions.length]!;
        for (const force of [false, true]) {
          const em = orm.em.fork();
          const [tables, count] = [await tablesOf(orm), await em.count(VersionTransaction)];
          const error = await refusalOf(undo(em, chosen, { force }));
          await em.flush();
          const more = (await em.count(VersionTransaction)) - count;
          const isRight = error ? more === 0 && isDeepStrictEqual(await tablesOf(orm), tables) : more < 2;
          wrong.push(...(isRight ? [] : [{ seed, transaction, chosen, force, error, more }]));
          seen[error ? (force ? 'refused' : 'conflicts') : 'done'] += 1;
        }
      });
      expect(wrong).toEqual([]);
      expect(seen.refused).toBeLessThan(TRANSACTIONS / 3);
      expect(seen.done).toBeGreaterThan(TRANSACTIONS / 2);
      expect(seen.conflicts).toBeGreaterThan(3);
    },
    TIMEOUT,
  );

  it(
    'a revert with relations makes the graph of the row what it was',
    async () => {
      const paths: Record<string, string[][]> = {
        Book: [['shelf'], ['writers', 'soldIn'], ['cover', 'media'], ['shelf.above', 'writers', 'cover']],
        Shelf: [['above'], ['books.writers', 'books.cover'], ['below.books']],
        Writer: [['books', 'books.shelf']],
        Reader: [['favourite.books']],
        Cover: [['book.media']],
        Remark: [['subject']],
        Medium: [['book.writers']],
        Sound: [['book']],
      };
      const results: [number, number, readonly Difference[]][] = [];
      let refused = 0;
      let turn = 0;
      await live(db, async orm => {
        for (const entity of [Book, Shelf, Writer, Reader, Cover, Remark, Medium]) {
          turn += 1;
          const em = orm.em.fork();
          const versions = (await em.find(
            versionOf(entity as typeof Book),
            { operationType: { $ne: Operation.DELETE } } as never,
            {
              orderBy: { versionId: 'asc' } as never,
            },
          )) as unknown as { id: number; transaction: { id: number }; constructor: { name: string } }[];
          const version = versions[(turn * 5) % Math.max(1, versions.length)];
          if (!version) {
            continue;
          }
          const moment = version.transaction.id;
          const choices = paths[version.constructor.name.replace('Version', '')]!;
          const relations = choices[turn % choices.length]!;
          const graph = (each: Em) =>
            each.findOneOrFail(entity as typeof Book, version.id, {
              populate: relations as never,
              strategy: 'select-in',
            });
          const then = await graph(asOf(orm.em.fork(), moment));
          if (await refusalOf(revert(version as never, { relations: relations as never }))) {
            refused += 1;
            continue;
          }
          await em.flush();
          // a relation that was not asked for is what it is now
          const isAsked = (name: string) =>
            name !== 'cover' || relations.some(path => path.split('.').includes('cover'));
          const differences = (await diff(then, await graph(orm.em.fork()))).filter(({ changeset }) =>
            Object.keys(changeset).some(isAsked),
          );
          results.push([turn, moment, differences]);
        }
      });
      expect({ seed, wrong: results.filter(([, , differences]) => differences.length > 0) }).toEqual({
        seed,
        wrong: [],
      });
      expect(results.length).toBeGreaterThan(TRANSACTIONS);
      expect(refused).toBeLessThan(results.length);
    },
    TIMEOUT,
  );
});
