import { ReferenceKind, type EntityMetadata, type EntityProperty, type MetadataStorage } from '@mikro-orm/core';
import type { Column, HistoryTable } from '../model/HistoryTable.ts';
import type { LinkHistory } from '../model/VersioningModel.ts';
import type { DeriveContext } from './DeriveContext.ts';
import { add, addSpan, historyEntity, type DerivedVersion } from './deriveVersion.ts';
import { isJoined } from './hierarchy.ts';
import { depthOf } from './joinedTables.ts';
import { columnsOf, copyProperty, hasColumns, qualified, toOneProperty } from './properties.ts';

/**
 * The link histories of all many-to-many relations with a versioned end. A relation that one of its versioned ends
 * excludes has none.
 */
export function deriveLinks(
  storage: MetadataStorage,
  versions: ReadonlyMap<object, DerivedVersion>,
  context: DeriveContext,
): LinkHistory[] {
  const pivots = new Set<unknown>();
  const byDepth = [...storage].toSorted((a, b) => depthOf(a) - depthOf(b));
  return byDepth.flatMap(owner =>
    (owner.root === owner || isJoined(owner)) && !owner.embeddable
      ? owner.relations
          .filter(prop => prop.kind === ReferenceKind.MANY_TO_MANY && prop.owner && prop.persist !== false)
          .filter(prop => hasHistory(owner, prop, versions))
          // in a joined hierarchy a class may share its parent's pivot, or have one of its own
          .filter(({ pivotEntity }) => !pivots.has(pivotEntity) && pivots.add(pivotEntity))
          .map(prop => deriveLink(owner, prop, storage, context))
      : [],
  );
}

function hasHistory(
  owner: EntityMetadata,
  prop: EntityProperty,
  versions: ReadonlyMap<object, DerivedVersion>,
): boolean {
  const ends = [
    { version: versions.get(owner.class), names: [prop.name] },
    {
      version: versions.get(prop.targetMeta!.root.class),
      names: prop
        .targetMeta!.relations.filter(inverse => inverse.mappedBy === prop.name && inverse.targetMeta === owner)
        .map(inverse => inverse.name),
    },
  ];
  const excluded = ends.some(({ version, names }) => names.some(name => version?.options.exclude?.includes(name)));
  return !excluded && ends.some(({ version }) => version !== undefined);
}

function deriveLink(
  owner: EntityMetadata,
  property: EntityProperty,
  storage: MetadataStorage,
  context: DeriveContext,
): LinkHistory {
  const { platform, options } = context;
  const pivot = storage.get(property.pivotEntity as never) as EntityMetadata;
  const target = storage.get(property.targetMeta!.class) as EntityMetadata;
  const name = `${owner.className}.${property.name}`;
  const version = historyEntity(linkClass(owner, property), pivot.tableName + options.tableSuffix, pivot.schema);
  addSpan(version, context);
  const ownerColumns = pivotColumns(pivot, property.joinColumns, context);
  const targetColumns = pivotColumns(pivot, property.inverseJoinColumns, context);
  for (const [end, meta, columns] of [
    ['owner', owner, ownerColumns],
    ['target', target, targetColumns],
  ] as const) {
    const names = columns.map(column => column.name);
    add(
      version,
      toOneProperty(end, meta, names, {
        mapToPk: true,
        nullable: false,
        columnTypes: columns.map(column => column.type),
      }),
    );
    version.indexes.push({
      properties: end === 'owner' ? ['owner', 'target', 'endTransactionId'] : ['target', 'endTransactionId'],
    });
  }
  const { own, state } = addExtraColumns(pivot, property, version, context);
  const table: HistoryTable = {
    name,
    kind: 'link',
    live: qualified(pivot, platform),
    history: qualified(version, platform),
    key: [...ownerColumns, ...targetColumns, ...own],
    ends: { owner: ownerColumns, target: targetColumns },
    state,
  };
  return { table, property, owner, target, pivot, version };
}

function pivotColumns(pivot: EntityMetadata, names: readonly string[], context: DeriveContext): Column[] {
  const known = pivot.props.filter(prop => hasColumns(prop)).flatMap(prop => columnsOf(prop, context.platform));
  return names.map(name => known.find(column => column.name === name)!);
}

/** The order column and the columns that the user gave the pivot entity. */
function addExtraColumns(
  pivot: EntityMetadata,
  property: EntityProperty,
  version: EntityMetadata,
  context: DeriveContext,
): { own: Column[]; state: Column[] } {
  const ends = new Set([...property.joinColumns, ...property.inverseJoinColumns]);
  const extra = pivot.props.filter(prop => hasColumns(prop) && !prop.fieldNames.every(column => ends.has(column)));
  const own: Column[] = [];
  const state: Column[] = [];
  for (const prop of extra) {
    const name = version.properties[prop.name] ? `${prop.name}Column` : prop.name;
    add(version, copyProperty(prop, name, version, context.platform));
    // a pivot's key of its own, its order or a surrogate, tells apart links of the same ends
    const columns = prop.primary ? own : state;
    columns.push(...columnsOf(prop, context.platform));
  }
  return { own, state };
}

const linkClasses = new WeakMap<object, Map<string, new () => object>>();

/** `ArticleTagsVersion`, the same class for the life of the owner's class. */
function linkClass(owner: EntityMetadata, property: EntityProperty): new () => object {
  const byProperty = linkClasses.get(owner.class) ?? new Map<string, new () => object>();
  linkClasses.set(owner.class, byProperty);
  const name = `${owner.className}${property.name.charAt(0).toUpperCase()}${property.name.slice(1)}Version`;
  const linked = byProperty.get(property.name) ?? { [name]: class {} }[name]!;
  byProperty.set(property.name, linked);
  return linked;
}
