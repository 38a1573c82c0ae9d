import type { ChangeSet, EntityMetadata } from '@mikro-orm/core';
import { Touched, type Frame } from '../model/Touched.ts';
import type { LinkHistory, RowHistory } from '../model/VersioningModel.ts';
import type { VersioningContext } from '../model/VersioningContext.ts';

/** A touched row whose key the database may not have given yet. */
export interface UnresolvedRow {
  readonly kind: 'row';
  readonly history: RowHistory;
  readonly entity: object;
  readonly meta: EntityMetadata;
  readonly changeSet: ChangeSet<object>;
  readonly frame: Frame;
  readonly schema: string | undefined;
}

/** A touched link, one of whose ends may not have a key yet. */
export interface UnresolvedLink {
  readonly kind: 'link';
  readonly link: LinkHistory;
  readonly owner: unknown;
  readonly target: unknown;
  readonly frame: Frame;
  readonly schema: string | undefined;
}

/** What one root database transaction has touched so far. */
export class TransactionState {
  readonly touched = new Touched();
  /** The savepoint that the current flush runs in; the state itself for a flush that begins its own transaction. */
  frame: Frame = this;
  /** Of the manager whose flush it is, for entities that say nothing else. */
  schema: string | undefined;
  /** Created rows and changed links, until their keys are known. */
  unresolved: (UnresolvedRow | UnresolvedLink)[] = [];
  /** The last one given wins. */
  context: VersioningContext = {};
  /** What was written so far, with the savepoint in which; `undefined` where nothing differed. The last one that counts holds. */
  readonly writes: { readonly frame: Frame; readonly transaction: number | undefined }[] = [];
  /** Live entities whose loaded `versions` do not show this transaction yet. */
  readonly stale = new Set<object>();

  get isEmpty(): boolean {
    return this.touched.isEmpty && this.unresolved.length === 0;
  }
}
