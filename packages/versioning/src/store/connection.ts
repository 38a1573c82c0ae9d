import { TransactionEventBroadcaster, type EntityManager } from '@mikro-orm/core';
import type { AbstractSqlConnection } from '@mikro-orm/sql';
import { VersioningError } from '../errors.ts';
import { preparedStatements } from '../internals/preparedStatements.ts';
import type { Connection } from './Store.ts';

/**
 * Statements on the manager's write connection, in the given transaction, through MikroORM's own logging; prepared ones
 * where the driver has them and they are wanted.
 */
export async function connectionOf(em: EntityManager, transaction: object, prepare: boolean): Promise<Connection> {
  const connection = em.getDriver().getConnection('write') as unknown as AbstractSqlConnection;
  const prepared = prepare ? await preparedStatements(connection) : undefined;
  if (prepared) {
    const run = (sql: string, params: readonly unknown[]) =>
      prepared(transaction, sql, params).catch((error: unknown) => {
        throw explained(error);
      });
    return {
      rows: async <Row>(sql: string, params: readonly unknown[]) => (await run(sql, params)).rows as Row[],
      run: async (sql, params) => (await run(sql, params)).affected,
    };
  }
  const run = async (sql: string, params: readonly unknown[], method: 'all' | 'run'): Promise<unknown> => {
    try {
      return await connection.execute(sql, [...params], method, transaction as never);
    } catch (error) {
      throw explained(error);
    }
  };
  return {
    rows: async <Row>(sql: string, params: readonly unknown[]) => (await run(sql, params, 'all')) as Row[],
    run: async (sql, params) => ((await run(sql, params, 'run')) as { affectedRows?: number }).affectedRows ?? 0,
  };
}

/** Rolls a transaction back and tells every subscriber. */
export async function rollBack(em: EntityManager, transaction: object): Promise<void> {
  await em.getDriver().getConnection('write').rollback(transaction, new TransactionEventBroadcaster(em));
}

/** A missing table gets a sentence of its own; any other error of the database stays what it is. */
function explained(error: unknown): unknown {
  const { message, code } = error as { message?: string; code?: string };
  const missing = /no such table: (?:main\.)?(\S+)|relation "([^"]+)" does not exist/.exec(message ?? '');
  if (missing && (code === '42P01' || code === 'SQLITE_ERROR' || code === undefined)) {
    return VersioningError.missingTable((missing[1] ?? missing[2])!, error);
  }
  return error;
}
