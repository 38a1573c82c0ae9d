import type { HistoryColumns, HistoryTable } from '../model/HistoryTable.ts';

/** Where a store finds and keeps everything; all names quoted. */
export interface StoreLayout {
  /** By `HistoryTable.name`; of an entity with tables in several schemas, those of one, which is not the configured one. */
  readonly table: (name: string, schema: string | undefined) => HistoryTable;
  readonly columns: HistoryColumns;
  /** `end_transaction_id` of a span that still holds. */
  readonly openEnd: number;
  readonly transaction: TransactionColumns;
}

/** Quoted names of the transaction table and its columns. */
export interface TransactionColumns {
  readonly table: string;
  readonly id: string;
  readonly issuedAt: string;
  readonly actor: string;
  readonly reason: string;
  readonly meta: string;
  readonly changed: string;
}
