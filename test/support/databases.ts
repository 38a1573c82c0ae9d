import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { MikroORM, type AbstractSqlDriver, type EntityManager } from '@mikro-orm/sql';
import { SqliteDriver } from '@mikro-orm/sqlite';
import { Client } from 'pg';
import { afterAll, afterEach, beforeEach, describe, inject } from 'vitest';

import { Mirrors } from './Mirrors.ts';
import type { Orm, OrmOptions } from './orm.ts';
import { selectedDatabases, type DatabaseName } from './selectedDatabases.ts';

export type { Orm, OrmOptions } from './orm.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Of the server that the suites make their databases on; `null` when PostgreSQL was not selected. */
    postgresUrl: string | null;
  }

  interface TaskMeta {
    /** Of the suite that a test is in. */
    database?: DatabaseName;
  }
}

/** What `MikroORM.init()` needs to know about one database, besides the entities. */
export interface Connection {
  readonly driver: typeof SqliteDriver | typeof PostgreSqlDriver;
  readonly dbName: string;
  readonly clientUrl?: string;
}

/** One kind of database, as a suite sees it. */
export interface Database {
  readonly name: DatabaseName;
  /**
   * Makes a new, empty database. It is dropped when the test ends that asked for it, or with the suite when a
   * `beforeAll` asked. `shared: true` makes one that several ORMs can open (a file, on SQLite, instead of `:memory:`).
   */
  options(wishes?: { shared?: boolean }): Promise<Connection>;
  /** Runs `cleanup` when the test ends, or the suite when called in a `beforeAll`. The last one given runs first. */
  defer(cleanup: () => Promise<void>): void;
  /** The ORMs whose history must mirror the database when a test ends; `connectOrm()` adds each. */
  readonly mirrors: Mirrors;
}

/** Runs a suite once on each selected database. Tests inside run one after the other: no `it.concurrent`. */
export function describeEachDatabase(name: string, suite: (db: Database) => void): void {
  for (const database of selectedDatabases()) {
    describeDatabase(database, name, suite);
  }
}

/** Runs a suite on the one database that it makes sense on; it is skipped only when that was not selected. */
export function describeDatabase(database: DatabaseName, name: string, suite: (db: Database) => void): void {
  describe.runIf(selectedDatabases().includes(database))(`${name} [${database}]`, { meta: { database } }, () => {
    const ofSuite: (() => Promise<void>)[] = [];
    const ofTest: (() => Promise<void>)[] = [];
    const mirrors = new Mirrors();
    let inTest = false;

    beforeEach(() => {
      inTest = true;
    });
    afterEach(async ({ task }) => {
      inTest = false;

      try {
        // what a test that failed leaves behind says nothing
        await (task.result?.state !== 'fail' && mirrors.expectAll());
      } finally {
        await runAll(ofTest);
      }
    });
    afterAll(() => runAll(ofSuite));

    const defer = (cleanup: () => Promise<void>) => void (inTest ? ofTest : ofSuite).push(cleanup);
    suite({ name: database, options: wishes => makers[database](defer, wishes?.shared ?? false), defer, mirrors });
  });
}

/** An ORM with the schema of its entities, on a database of its own. Both go when the test (or the suite) ends. */
export async function createOrm(db: Database, options: OrmOptions): Promise<Orm> {
  const orm = await connectOrm(db, await db.options(), options);
  await orm.schema.create();

  return orm;
}

/**
 * An ORM on a database that `db.options()` made before; it creates no schema. Closed when the test (or the suite) ends.
 * Until then, its history must mirror the database after each test.
 */
export async function connectOrm(db: Database, connection: Connection, options: OrmOptions): Promise<Orm> {
  const orm = await MikroORM.init<AbstractSqlDriver, EntityManager>({ ...options, ...connection });
  db.defer(async () => {
    db.mirrors.delete(orm);
    // a pool would wait for ever for a transaction that the test left open; its database is dropped under it
    await Promise.race([orm.close(true), sleep(1000, undefined, { ref: false })]);
  });
  await db.mirrors.add(orm);

  return orm;
}

/** Closes an ORM before its test ends, as when a process ends whose entities are of another shape than the next one's. */
export async function disconnectOrm(db: Database, orm: Orm): Promise<void> {
  await db.mirrors.expect(orm);
  db.mirrors.delete(orm);
  await orm.close(true);
}

async function runAll(cleanups: (() => Promise<void>)[]): Promise<void> {
  for (const cleanup of cleanups.splice(0).toReversed()) {
    await cleanup();
  }
}

const makers = { sqlite: makeSqlite, postgresql: makePostgresql };

async function makeSqlite(defer: Database['defer'], shared: boolean): Promise<Connection> {
  if (!shared) {
    return { driver: SqliteDriver, dbName: ':memory:' };
  }

  const folder = await mkdtemp(join(tmpdir(), 'mikro-orm-versioning-sqlite-'));
  defer(() => rm(folder, { recursive: true, force: true }));

  return { driver: SqliteDriver, dbName: join(folder, 'test.db') };
}

/** From `template0`, which nobody is ever connected to, so that several workers can copy it at once. */
async function makePostgresql(defer: Database['defer']): Promise<Connection> {
  const server = inject('postgresUrl');

  if (!server) {
    throw new Error('This run has no PostgreSQL server, although its suites were selected.');
  }

  const dbName = `versioning_${crypto.randomUUID().replaceAll('-', '')}`;
  await execute(server, `create database ${dbName} template template0`);
  defer(() => execute(server, `drop database if exists ${dbName} with (force)`));
  const clientUrl = new URL(server);
  clientUrl.pathname = `/${dbName}`;

  return { driver: PostgreSqlDriver, dbName, clientUrl: clientUrl.href };
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();

  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
