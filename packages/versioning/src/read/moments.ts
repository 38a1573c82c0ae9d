import type { EntityManager, EntityMetadata, EntityProperty, Platform } from '@mikro-orm/core';
import type { AbstractSqlConnection } from '@mikro-orm/sql';
import { describe, isEntity, isLoaded, primaryKeyOf } from '../internals/entityState.ts';
import { VersioningError } from '../errors.ts';
import { qualified } from '../metadata/schemas.ts';
import type { AnyVersion } from '../model/Version.ts';
import { VersionBase } from '../model/VersionBase.ts';
import { VersionTransaction } from '../model/VersionTransaction.ts';

/**
 * A point in the history: after a transaction and before the next one. Given as the transaction or its id, as a version
 * (its transaction), as a `Date` (the last transaction issued at or before it; before the first one the past is empty), or
 * as `'latest'` (the last transaction there is).
 */
export type Moment = VersionTransaction | number | Date | AnyVersion | 'latest';

/** Asks the database, in the open transaction where there is one. */
type Ask = (sql: string, params: readonly unknown[]) => Promise<{ readonly id: number | string | null }[]>;

/** How a moment becomes the id of a transaction, with at most one query. */
export interface ResolvedMoment {
  /** What it is called in a cache. */
  readonly name: string;
  /** The id; 0 before the first transaction. Throws a `VersioningError` for an id that no transaction has. */
  readonly transaction: (ask: Ask) => Promise<number>;
}

/** Throws a `VersioningError` for what is no moment. */
export function readMoment(moment: Moment, transactions: EntityMetadata, platform: Platform): ResolvedMoment {
  const table = qualified(transactions, platform);
  const quote = (property: 'id' | 'issuedAt') => quotedColumn(transactions, property, platform);
  const newest = `select max(${quote('id')}) as id from ${table}`;
  const given = momentOf(moment);
  if (given === 'latest') {
    return { name: 'latest', transaction: once(async ask => idOf(await ask(newest, []))) };
  }
  if (given instanceof Date) {
    const at = platform.supportsNativeEnums() ? given.toISOString() : given.getTime();
    return {
      name: given.toISOString(),
      transaction: once(async ask => idOf(await ask(`${newest} where ${quote('issuedAt')} <= ?`, [at]))),
    };
  }
  if (typeof moment === 'object' && isLoaded(moment)) {
    // it came from the database, and so is there: no round trip
    return { name: String(given), transaction: async () => given };
  }
  const check = async (ask: Ask) => {
    const found = await ask(`select ${quote('id')} as id from ${table} where ${quote('id')} = ?`, [given]);
    if (found.length === 0) {
      throw VersioningError.noSuchTransaction(given);
    }
    return given;
  };
  return { name: String(given), transaction: once(check) };
}

/** The id of the transaction that a moment is after, asked in the open transaction of the manager; 0 before the first one. */
export function transactionAt(em: EntityManager, moment: Moment, transactions: EntityMetadata): Promise<number> {
  return readMoment(moment, transactions, em.getPlatform()).transaction((sql, params) => askRows(em, sql, params));
}

/** A quoted column of the transactions' table. */
export function quotedColumn(
  transactions: EntityMetadata,
  property: keyof VersionTransaction,
  platform: Platform,
): string {
  return platform.quoteIdentifier((transactions.properties[property as never] as EntityProperty).fieldNames[0]!);
}

/** Asks SQL in the open transaction of the manager. */
export function askRows<Row>(em: EntityManager, sql: string, params: readonly unknown[]): Promise<Row[]> {
  const connection = em.getConnection() as AbstractSqlConnection;
  return connection.execute<Row[]>(sql, [...params], 'all', em.getContext().getTransactionContext());
}

function momentOf(moment: Moment): number | Date | 'latest' {
  if (moment === 'latest' || (moment instanceof Date && !Number.isNaN(moment.getTime()))) {
    return moment;
  }
  if (typeof moment === 'number' && Number.isSafeInteger(moment)) {
    return moment;
  }
  if (isEntity(moment) && (moment as object) instanceof VersionTransaction) {
    return primaryKeyOf(moment) as number;
  }
  if (isEntity(moment) && (moment as object) instanceof VersionBase) {
    if (!isLoaded(moment)) {
      throw VersioningError.notLoaded(describe(moment), 'await loadHistory(version)');
    }
    return (moment as unknown as { transaction: { id: number } }).transaction.id;
  }
  throw VersioningError.notAMoment(moment instanceof Date ? 'an invalid Date' : describe(moment));
}

/** What is asked once holds for all queries of a manager. A question that failed is asked again. */
function once(resolve: (ask: Ask) => Promise<number>): (ask: Ask) => Promise<number> {
  let answer: Promise<number> | undefined;
  return ask => {
    answer ??= resolve(ask).catch((error: unknown) => {
      answer = undefined;
      throw error;
    });
    return answer;
  };
}

function idOf([row]: readonly { readonly id: number | string | null }[]): number {
  return Number(row?.id ?? 0);
}
