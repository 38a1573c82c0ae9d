import type { HistoryTable } from '../model/HistoryTable.ts';
import type { KeyValues, TouchedTables } from '../model/Touched.ts';
import type { VersioningContext } from '../model/VersioningContext.ts';
import type { Dependent } from '../model/VersioningModel.ts';

/** Runs one statement in the transaction whose history is written. */
export interface Connection {
  /** Rows as the driver gives them. */
  rows<Row>(sql: string, params: readonly unknown[]): Promise<Row[]>;
  /** Number of rows written. */
  run(sql: string, params: readonly unknown[]): Promise<number>;
}

/** A table of live rows to look keys up in. */
export interface LiveTable {
  /** Quoted name. */
  readonly name: string;
  /** Unquoted key columns and their types. */
  readonly key: readonly { readonly name: string; readonly type: string }[];
}

/** What a database has to offer to keep history. */
export interface Store {
  /**
   * Compares the live rows of the touched keys with their open versions, and writes what differs: the transaction row,
   * a version for each changed row, a span for each changed link. Returns the id of the transaction row, or `undefined`
   * when nothing differs and nothing was written.
   */
  reconcile(connection: Connection, touched: TouchedTables, context: VersioningContext): Promise<number | undefined>;

  /** Takes back what `reconcile` wrote as `transaction` for the touched keys, so that it can be written anew. */
  withdraw(connection: Connection, touched: TouchedTables, transaction: number): Promise<void>;

  /** Copies the rows of these keys that have no version yet, before they are gone; says how many. */
  keepImages(
    connection: Connection,
    table: HistoryTable,
    schema: string | undefined,
    keys: readonly KeyValues[],
  ): Promise<number>;

  /**
   * Locks these rows before their children are looked up, so that no other transaction adds a child in between. Nothing to
   * do for a database with a single writer.
   */
  lock(connection: Connection, table: LiveTable, keys: readonly KeyValues[]): Promise<void>;

  /** The schemas of the tables of this name that refer to the parents' table. */
  findReferring(connection: Connection, child: string, parent: LiveTable): Promise<string[]>;

  /** Keys of the child rows that refer to these parents. */
  findChildren(
    connection: Connection,
    child: LiveTable,
    parent: LiveTable,
    dependent: Dependent,
    parents: readonly KeyValues[],
  ): Promise<KeyValues[]>;

  /** Keys of the live rows in which `columns` have one of these values. */
  findBy(
    connection: Connection,
    table: LiveTable,
    columns: readonly { readonly name: string; readonly type: string }[],
    values: readonly KeyValues[],
  ): Promise<KeyValues[]>;
}
