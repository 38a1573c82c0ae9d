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
