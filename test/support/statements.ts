import { inspect } from 'node:util';

import { VersionTransaction } from 'mikro-orm-versioning';

import type { Orm } from './orm.ts';

/**
 * The statements that an ORM sends during `act`, `begin` and `commit` included, each with its parameters. `act` may note
 * something between them.
 */
export async function statementsOf(
  orm: Orm,
  act: (note: (line: string) => void) => Promise<unknown>,
): Promise<string[]> {
  const logger = orm.config.getLogger();
  const original = logger.logQuery.bind(logger);
  const mode = orm.config.get('debug');
  const statements: string[] = [];
  logger.setDebugMode(['query']);
  logger.logQuery = ({ query = '', params = [] }) => void statements.push(write(query, params));

  try {
    await act(line => void statements.push(line));
  } finally {
    logger.logQuery = original;
    logger.setDebugMode(mode);
  }

  return statements;
}

/**
 * Leaves out what the extension sends of its own: whatever names a table of the history or an expression of ours, and the
 * look-ups and locks before deletions, which take their keys as one JSON parameter. MikroORM sends none of these.
 */
export function withoutOurs(orm: Orm, statements: readonly string[]): string[] {
  const history = new Set(historyTables(orm));
  const isOurs = (statement: string) =>
    /__versioning_|jsonb_to_recordset\(\?::jsonb\) as k\(|from json_each\(\?\)\) k\b/.test(statement) ||
    [...statement.matchAll(/["`]([^"`]+)["`]/g)].some(([, name]) => history.has(name!));

  return statements.filter(statement => !isOurs(statement));
}

/** Unquoted, without their schemas. */
function historyTables(orm: Orm): string[] {
  const metas = [...orm.getMetadata().getAll().values()];

  return metas
    .filter(meta => meta.class === VersionTransaction || meta.properties['endTransactionId' as never])
    .map(meta => meta.tableName);
}

function write(query: string, params: readonly unknown[]): string {
  return `${query} -- ${inspect(params, { depth: null, breakLength: Infinity })}`;
}

/** The same lines with `uuid 1`, `uuid 2` for the keys that differ from run to run. */
export function numberUuids(statements: readonly string[]): string[] {
  const numbers = new Map<string, number>();

  return statements.map(statement =>
    statement.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, uuid => {
      numbers.set(uuid, numbers.get(uuid) ?? numbers.size + 1);
      return `uuid ${numbers.get(uuid)}`;
    }),
  );
}
