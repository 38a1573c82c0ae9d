/**
 * One database transaction that changed something versioned. An ordinary MikroORM entity for reading:
 *
 *     await em.find(VersionTransaction, { actor: 'kim' }, { orderBy: { id: 'desc' } });
 */
export class VersionTransaction {
  /** Rises in the order in which the changes of any one row committed. */
  readonly id!: number;
  /** When the history of the transaction was written, just before its commit; milliseconds. */
  readonly issuedAt!: Date;
  /** Who; `null` when not given. */
  readonly actor!: string | null;
  /** Why; `null` when not given. */
  readonly reason!: string | null;
  /** Anything else; `null` when not given. */
  readonly meta!: Record<string, unknown> | null;
  /** What it changed, by the entities' class names and `Owner.collection` for links: `['Article', 'Article.tags']`. */
  readonly changed!: string[];
}
