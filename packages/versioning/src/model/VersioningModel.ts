import type { EntityMetadata, EntityProperty, MetadataStorage } from '@mikro-orm/core';
import type { HistoryColumns, HistoryTable } from './HistoryTable.ts';

/** An entity whose rows have history. */
export interface RowHistory {
  readonly table: HistoryTable;
  /** Tables that the live rows are in: several for a joined hierarchy; and what their columns have in front in the history. */
  readonly sources: readonly { readonly meta: EntityMetadata; readonly prefix: string }[];
  readonly live: EntityMetadata;
  readonly version: EntityMetadata;
}

/**
 * A many-to-many relation whose links have history. A polymorphic one has an entry for each pair of classes, over the
 * same table. Where the pivot entity is versioned itself, its versions are the spans of the links.
 */
export interface LinkHistory {
  readonly table: HistoryTable;
  /** Owning side of the relation. */
  readonly property: EntityProperty;
  readonly owner: EntityMetadata;
  readonly target: EntityMetadata;
  /** Properties of a span that hold the keys of its ends. */
  readonly ends: { readonly owner: string; readonly target: string };
  /** What the pivot calls the class, where an end is polymorphic: the first of that end's columns. */
  readonly ownerType?: string;
  readonly targetType?: string;
  readonly pivot: EntityMetadata;
  readonly version: EntityMetadata;
}

/** A foreign key by which a deleted or re-keyed row makes the database change other rows by itself. */
export interface Dependent {
  /** Root class of the child. */
  readonly child: EntityMetadata;
  /** Whose table has the foreign key, and whose has the columns that it refers to: of a joined hierarchy, one of its classes. */
  readonly holder: EntityMetadata;
  readonly target: EntityMetadata;
  /** The child's to-one property. */
  readonly property: string;
  /** The child's foreign key columns, and the columns of the parent that they refer to. */
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
  /** The parent's properties of those columns. */
  readonly referencedProperties: readonly string[];
  /** Whether a deletion of the parent deletes the child, so that the child's own dependents follow. */
  readonly cascades: boolean;
}

/** Everything the extension knows about one MikroORM instance, read-only after discovery. */
export interface VersioningModel {
  /** Of this instance: what an entity says of its class may be that of another one with the same classes. */
  readonly metadata: MetadataStorage;
  readonly columns: HistoryColumns;
  /** Where an open end is stored: the largest id. */
  readonly openEnd: number;
  /** A column for a condition that must not lead the planner to an index of it. */
  readonly unindexed: (column: string) => string;
  readonly transaction: EntityMetadata;
  /** By the root class of the live entity. */
  readonly rows: ReadonlyMap<object, RowHistory>;
  readonly links: readonly LinkHistory[];
  /** By the root class of the live parent; only parents whose changes reach something versioned. */
  readonly dependents: ReadonlyMap<object, readonly Dependent[]>;
  /** Classes of the history itself: versions, links and the transaction row. */
  readonly historyClasses: ReadonlySet<object>;
}
