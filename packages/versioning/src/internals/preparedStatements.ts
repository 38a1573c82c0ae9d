import { createHash } from 'node:crypto';

import type { AbstractSqlConnection } from '@mikro-orm/sql';

/**
 * Internals of MikroORM, Kysely and the drivers leaned on. Parsing and planning the statements that write history costs
 * more than running them for a few rows; prepared once for a connection, they don't.
 *
 * - node-postgres: Kysely hands `sql` on as it is, and `query()` takes a `{ name, text }` there.
 * - better-sqlite3: the database is the one connection there is, so its own `prepare()` runs in the open transaction.
 *
 * MikroORM's protected `Connection.executeQuery` logs. `test/internals.test.ts` fails when one of these changes; any
 * other driver gets plain statements.
 */
export type RunPrepared = (
  transaction: object,
  sql: string,
  params: readonly unknown[],
) => Promise<{ readonly rows: unknown[]; readonly affected: number }>;

/** Runs a statement with `?` for its parameters as a prepared one; `undefined` where the driver is not known to have them. */
export async function preparedStatements(connection: AbstractSqlConnection): Promise<RunPrepared | undefined> {
  // a new client after a reconnect
  const client = await nativeClient(connection);
  if (typeof client !== 'object' || client === null) {
    return undefined;
  }
  if (!runners.has(client)) {
    const run = runnerOf(client);
    runners.set(client, run && logged(connection, run));
  }
  return runners.get(client);
}

const runners = new WeakMap<object, RunPrepared | undefined>();

/** Beyond this many different texts, further ones are not kept. */
const MOST_STATEMENTS = 500;

async function nativeClient(connection: AbstractSqlConnection): Promise<unknown> {
  const { getNativeClient } = connection as { getNativeClient?: () => unknown };
  try {
    return await getNativeClient?.call(connection);
  } catch {
    // a Kysely instance or dialect of the user's own
    return undefined;
  }
}

function runnerOf(client: object): RunPrepared | undefined {
  if ('totalCount' in client && 'idleCount' in client) {
    return runNamed;
  }
  return 'prepare' in client && 'inTransaction' in client ? runOnSqlite(client as SqliteDatabase) : undefined;
}

interface Logging {
  readonly config: { get(name: 'onQuery'): (sql: string, params: readonly unknown[]) => string };
  executeQuery<Result>(query: string, run: () => Promise<Result>, context: object): Promise<Result>;
}

function logged(connection: AbstractSqlConnection, run: RunPrepared): RunPrepared {
  const logging = connection as unknown as Logging;
  return (transaction, sql, params) => {
    const text = logging.config.get('onQuery')(sql, params);
    return logging.executeQuery(text, () => run(transaction, text, params), { params });
  };
}

interface Executor {
  executeQuery(query: object): Promise<{ rows: unknown[]; numAffectedRows?: bigint }>;
}

const names = new Map<string, { readonly name: string; readonly text: string }>();

const runNamed: RunPrepared = async (transaction, sql, params) => {
  const { rows, numAffectedRows } = await (transaction as Executor).executeQuery({
    query: { kind: 'RawNode' },
    queryId: { queryId: 'mikro-orm-versioning' },
    // a new object each time, since node-postgres writes the values into it
    sql: { ...named(sql) },
    parameters: params,
  });
  return { rows, affected: Number(numAffectedRows ?? 0) };
};

function named(sql: string): { readonly name?: string; readonly text: string } {
  let statement = names.get(sql);
  if (!statement) {
    let index = 0;
    const text = sql.replaceAll('?', () => `$${++index}`);
    if (names.size >= MOST_STATEMENTS) {
      return { text };
    }
    statement = { name: `versioning_${createHash('sha1').update(sql).digest('hex').slice(0, 20)}`, text };
    names.set(sql, statement);
  }
  return statement;
}

interface SqliteStatement {
  readonly reader: boolean;
  all(...params: unknown[]): unknown[];
  run(...params: unknown[]): { changes: number };
}

interface SqliteDatabase {
  prepare(sql: string): SqliteStatement;
}

function runOnSqlite(database: SqliteDatabase): RunPrepared {
  const statements = new Map<string, SqliteStatement>();
  return async (_, sql, params) => {
    let statement = statements.get(sql);
    if (!statement) {
      statement = database.prepare(sql);
      if (statements.size < MOST_STATEMENTS) {
        statements.set(sql, statement);
      }
    }
    return statement.reader
      ? { rows: statement.all(...params), affected: 0 }
      : { rows: [], affected: statement.run(...params).changes };
  };
}
