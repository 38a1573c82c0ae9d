import { createHash } from 'node:crypto';

import type { AbstractSqlConnection } from '@mikro-orm/sql';

/**
 * Internals of MikroORM and Kysely leaned on: Kysely hands `sql` to node-postgres as it is, whose `query()` takes a
 * `{ name, text }` there for a named prepared statement; MikroORM's protected `Connection.executeQuery` logs. Parsing and
 * planning the statement that writes the history costs more than running it for a few rows, and a named one is planned
 * once per connection. `test/internals.test.ts` fails when either changes it; any other driver gets plain statements.
 */

/** Beyond this many different texts, further ones are not prepared: each name is kept by every connection of the pool. */
const MOST_NAMES = 500;

const names = new Map<string, { readonly name: string; readonly text: string }>();

/** Whether the connection's pool is node-postgres, and so takes named statements. */
export async function takesPreparedStatements(connection: AbstractSqlConnection): Promise<boolean> {
  let known = supported.get(connection);
  if (known === undefined) {
    known = await hasNodePostgresPool(connection);
    supported.set(connection, known);
  }
  return known;
}

const supported = new WeakMap<AbstractSqlConnection, boolean>();

async function hasNodePostgresPool(connection: AbstractSqlConnection): Promise<boolean> {
  const { getNativeClient } = connection as { getNativeClient?: () => unknown };
  try {
    const pool = await getNativeClient?.call(connection);
    return typeof pool === 'object' && pool !== null && 'totalCount' in pool && 'idleCount' in pool;
  } catch {
    // a Kysely instance or dialect of the user's own
    return false;
  }
}

interface Executor {
  executeQuery(query: object): Promise<{ rows: unknown[]; numAffectedRows?: bigint }>;
}

interface Logging {
  readonly config: { get(name: 'onQuery'): (sql: string, params: readonly unknown[]) => string };
  executeQuery<Result>(query: string, run: () => Promise<Result>, context: object): Promise<Result>;
}

/** Runs a statement with `?` for its parameters as a named one, in the given transaction. */
export async function executePrepared(
  connection: AbstractSqlConnection,
  transaction: object,
  sql: string,
  params: readonly unknown[],
): Promise<{ readonly rows: unknown[]; readonly affected: number }> {
  const logging = connection as unknown as Logging;
  const text = logging.config.get('onQuery')(sql, params);
  const run = async () => {
    const { rows, numAffectedRows } = await (transaction as Executor).executeQuery({
      query: { kind: 'RawNode' },
      queryId: { queryId: 'mikro-orm-versioning' },
      // node-postgres writes the values into it
      sql: { ...named(text) },
      parameters: params,
    });
    return { rows, affected: Number(numAffectedRows ?? 0) };
  };
  return logging.executeQuery(text, run, { params });
}

function named(sql: string): { readonly name?: string; readonly text: string } {
  let statement = names.get(sql);
  if (!statement) {
    let index = 0;
    const text = sql.replaceAll('?', () => `$${++index}`);
    if (names.size >= MOST_NAMES) {
      return { text };
    }
    statement = { name: `versioning_${createHash('sha1').update(sql).digest('hex').slice(0, 20)}`, text };
    names.set(sql, statement);
  }
  return statement;
}
