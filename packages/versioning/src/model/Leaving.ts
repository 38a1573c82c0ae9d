import type { EntityMetadata } from '@mikro-orm/core';
import type { KeyValues } from './Touched.ts';

/** A row that a flush deletes or gives another key: what follows from it must be looked up before. */
export interface Leaving {
  readonly meta: EntityMetadata;
  readonly key: KeyValues;
  /** Of an entity that has its tables in several schemas. */
  readonly schema: string | undefined;
  /** The new key of a row that stays. */
  readonly movedTo?: KeyValues;
  /** The row keeps its key, and only what refers to it by another property changes: the new values, by column. */
  readonly stays?: Readonly<Record<string, unknown>>;
}

/** An owner whose one-to-many collection is replaced without having been loaded. */
export interface ReplacedUnseen {
  readonly child: EntityMetadata;
  /** The child's to-one property. */
  readonly foreignKey: string;
  readonly owner: KeyValues;
  readonly schema: string | undefined;
}
