import type { EntityClass, EntitySchema } from '@mikro-orm/core';
import { VersioningError } from './errors.ts';
import type { HistoryColumns } from './model/HistoryTable.ts';
import type { VersioningContext } from './model/VersioningContext.ts';

/** A class or a schema, as MikroORM's own `entities` option takes them. */
export type EntityReference = EntityClass | EntitySchema;

/** How one entity is versioned. */
export interface VersionedOptions<Property extends string = string> {
  /** Properties without history. A change of nothing else makes no version. Excluding a collection drops its link history. */
  readonly exclude?: readonly Property[];
  /** Name of the version table. Default: the entity's table and the global suffix, `article_version`. */
  readonly tableName?: string;
  /** Other names on the version for properties that collide with a version's own: `{ transaction: 'payment' }`. */
  readonly rename?: Readonly<Record<string, string>>;
  /** Name of the collection of versions on the entity. Default: `versions`. */
  readonly versionsProperty?: string;
}

/** Options of the whole extension: `extensions: [Versioning.with({ … })]`. */
export interface VersioningOptions {
  /** Marks entities from the outside: a class or schema, or a pair of it and its options. */
  readonly entities?: readonly (EntityReference | readonly [EntityReference, VersionedOptions])[];
  /** Table of the transaction rows. Default: `version_transaction`. */
  readonly transactionTable?: string;
  /** Prefix and suffix of version and link tables. Default: none, and `_version`. */
  readonly tablePrefix?: string;
  readonly tableSuffix?: string;
  /** Schema of all history tables, and of the transactions' (PostgreSQL). Default: that of the live table. */
  readonly schema?: string;
  /** Column names of the history tables. */
  readonly columns?: Partial<HistoryColumns>;
  /** Type of the transactions' ids. Default: `bigint` (a plain `integer` key on SQLite, where it is 64 bits as well). */
  readonly transactionIdType?: 'integer' | 'bigint';
  /**
   * Whether the statements that write history are prepared once for a connection, which saves their planning. Default:
   * `true`; `false` for PostgreSQL behind a connection pooler that does not support named statements.
   */
  readonly preparedStatements?: boolean;
  /** Asked at each flush for who and why; `versioning.run()` and `versioning.set()` win over it, key by key. */
  readonly context?: () => VersioningContext | undefined;
}

export interface ResolvedOptions {
  readonly entities: NonNullable<VersioningOptions['entities']>;
  readonly transactionTable: string;
  readonly tablePrefix: string;
  readonly tableSuffix: string;
  readonly schema: string | undefined;
  readonly columns: HistoryColumns;
  readonly transactionIdType: 'integer' | 'bigint';
  readonly preparedStatements: boolean;
  readonly context: (() => VersioningContext | undefined) | undefined;
}

const DEFAULT_COLUMNS: HistoryColumns = {
  versionId: 'version_id',
  transactionId: 'transaction_id',
  endTransactionId: 'end_transaction_id',
  operationType: 'operation_type',
  entityType: 'entity_type',
};

const OPTIONS = [
  'entities',
  'transactionTable',
  'tablePrefix',
  'tableSuffix',
  'schema',
  'columns',
  'transactionIdType',
  'preparedStatements',
  'context',
];
const ENTITY_OPTIONS = ['exclude', 'tableName', 'rename', 'versionsProperty'];

export function resolveOptions(options: VersioningOptions): ResolvedOptions {
  refuseUnknown('Versioning.with()', options, OPTIONS);
  refuseUnknown('Versioning.with({ columns })', options.columns ?? {}, Object.keys(DEFAULT_COLUMNS));
  const columns = Object.entries({ ...DEFAULT_COLUMNS, ...options.columns });
  for (const [i, [option, column]] of columns.entries()) {
    const other = columns.slice(i + 1).find(([, each]) => each === column);
    if (other) {
      throw VersioningError.sameColumn(option, other[0], column);
    }
  }
  const type = options.transactionIdType ?? 'bigint';
  if (type !== 'bigint' && type !== 'integer') {
    throw VersioningError.unknownOption('Versioning.with({ transactionIdType })', String(type), ['bigint', 'integer']);
  }
  return Object.freeze({
    entities: options.entities ?? [],
    transactionTable: options.transactionTable ?? 'version_transaction',
    tablePrefix: options.tablePrefix ?? '',
    tableSuffix: options.tableSuffix ?? '_version',
    schema: options.schema,
    columns: Object.freeze({ ...DEFAULT_COLUMNS, ...options.columns }),
    transactionIdType: type,
    preparedStatements: options.preparedStatements ?? true,
    context: options.context,
  });
}

export function checkEntityOptions(entity: string, options: object): void {
  refuseUnknown(`The versioning of ${entity}`, options, ENTITY_OPTIONS);
}

function refuseUnknown(where: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find(option => !known.includes(option));
  if (unknown !== undefined) {
    throw VersioningError.unknownOption(where, unknown, known);
  }
}
