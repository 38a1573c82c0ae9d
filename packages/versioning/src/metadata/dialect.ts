import { BigIntType, type Platform } from '@mikro-orm/core';
import { BasePostgreSqlPlatform, SqlitePlatform } from '@mikro-orm/sql';
import { VersioningError } from '../errors.ts';
import { OPEN_END } from '../model/HistoryTable.ts';

/** What differs between the databases, as far as metadata is concerned. */
export interface Dialect {
  readonly name: 'sqlite' | 'postgresql';
  /** MikroORM type of an id column. */
  readonly idType: () => BigIntType<'number'> | 'integer';
  /** Declared type of an id column that does not number itself. */
  readonly idColumnType: string;
  /** Declared type of an id column that numbers itself. */
  readonly serialColumnType: string;
  /** `end_transaction_id` of a span that still holds. */
  readonly openEnd: number;
  /** A column for a condition that must not lead the planner to an index of it. */
  readonly unindexed: (column: string) => string;
}

/** Throws a `VersioningError` for a database that has no store yet. */
export function dialectOf(platform: Platform, idType: 'integer' | 'bigint'): Dialect {
  if (platform instanceof SqlitePlatform) {
    // SQLite's only self-numbering key is called `integer`, and holds 64 bits
    const type = { idType: () => 'integer' as const, idColumnType: 'integer', serialColumnType: 'integer' };
    return { name: 'sqlite', ...type, openEnd: OPEN_END[idType], unindexed: column => `+${column}` };
  }
  if (platform instanceof BasePostgreSqlPlatform) {
    return idType === 'bigint'
      ? {
          name: 'postgresql',
          idType: () => new BigIntType('number'),
          idColumnType: 'bigint',
          serialColumnType: 'bigserial',
          openEnd: OPEN_END.bigint,
          unindexed: column => column,
        }
      : {
          name: 'postgresql',
          idType: () => 'integer',
          idColumnType: 'int',
          serialColumnType: 'serial',
          openEnd: OPEN_END.integer,
          unindexed: column => column,
        };
  }
  throw VersioningError.unsupported(
    platform.constructor.name,
    'is not supported',
    'Versioning works on SQLite and PostgreSQL.',
  );
}
