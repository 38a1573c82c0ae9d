/** A column that a history table copies from its live table. */
export interface Column {
  /** Unquoted name, the same in the live table and in the history table. */
  readonly name: string;
  /** Declared type in the history table, as in `varchar(255)`. Never a serial type. */
  readonly type: string;
}

/**
 * Where the history of one live table is kept. Plain data: the metadata room writes it, capture and store read it.
 *
 * A `row` table keeps versions of an entity's rows: `article` -> `article_version`, key `id`.
 * A `link` table keeps spans of many-to-many links: `article_tags` -> `article_tags_version`, key owner + target.
 */
export interface HistoryTable {
  /** What a user calls it: `Article`, or `Article.tags` for links. */
  readonly name: string;
  readonly kind: 'row' | 'link';
  /** Quoted, schema-qualified name of the live table. */
  readonly live: string;
  /** Quoted, schema-qualified name of the history table. */
  readonly history: string;
  /** Identifies a row among the live rows. For links the owner's columns, the target's, and the pivot's own key where it has one. */
  readonly key: readonly Column[];
  /** Links only, also those that a versioned pivot entity keeps: the columns of each end. */
  readonly ends?: { readonly owner: readonly Column[]; readonly target: readonly Column[] };
  /** Everything else that is versioned: what a change is looked for in. */
  readonly state: readonly Column[];
}

/** Names of the columns that every history table has besides the copied ones. */
export interface HistoryColumns {
  readonly versionId: string;
  readonly transactionId: string;
  readonly endTransactionId: string;
  /** Row tables only. */
  readonly operationType: string;
  /** Only for joined (table-per-type) hierarchies: which class the row is of. */
  readonly entityType: string;
}

/**
 * `end_transaction_id` of a span that still holds: the largest id, so that one index range answers "as of".
 * The API shows it as `null`. Safe as a JavaScript number; a 32-bit id column has its own largest id.
 */
export const OPEN_END = { bigint: Number.MAX_SAFE_INTEGER, integer: 2_147_483_647 } as const;

/** `transaction_id` of an image that a row without history left before it was deleted; gone at the end of the transaction. */
export const IMAGE = 0;
