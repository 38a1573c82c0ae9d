import { ReferenceKind, type EntityMetadata, type EntityProperty, type MetadataStorage } from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import type { Column, HistoryTable } from '../model/HistoryTable.ts';
import type { LinkHistory } from '../model/VersioningModel.ts';
import type { DeriveContext } from './DeriveContext.ts';
import { add, addSpan, historyEntity, historyName, type DerivedVersion } from './deriveVersion.ts';
import { isJoined } from './hierarchy.ts';
import { SPAN } from './indexes.ts';
import { depthOf } from './joinedTables.ts';
import {
  columnsOf,
  copyProperty,
  hasColumns,
  isPolymorphicToMany,
  keyName,
  scalarProperty,
  toOneProperty,
} from './properties.ts';
import { qualified } from './schemas.ts';

/** A relation between two classes, one of those that a polymorphic many-to-many has. */
interface Pair {
  readonly owner: EntityMetadata;
  readonly property: EntityProperty;
  readonly target: EntityMetadata;
  readonly ownerType?: string;
  readonly targetType?: string;
}

/**
 * The link histories of all many-to-many relations with a versioned end. A relation that one of its versioned ends
 * excludes has none.
 */
export function deriveLinks(
  storage: MetadataStorage,
  versions: ReadonlyMap<object, DerivedVersion>,
  context: DeriveContext,
): LinkHistory[] {
  const links = new Map<string, LinkHistory>();
  for (const pair of pairsOf(storage).filter(each => hasHistory(each, versions))) {
    const { property, ownerType, targetType } = pair;
    const pivot = storage.get(property.pivotEntity as never) as EntityMetadata;
    // in a joined hierarchy a class may share its parent's pivot, or have one of its own
    const id = JSON.stringify([pivot.schema, pivot.tableName, ownerType, targetType]);
    const shared = [...links.values()].find(each => each.pivot === pivot);
    const versioned = versions.get(pivot.class);
    if (!links.has(id)) {
      const derive = () =>
        versioned ? versionedPivot(pair, versioned, versions, context) : deriveLink(pair, pivot, context);
      links.set(id, shared ? sharePivot(shared, pair, context) : derive());
    }
  }
  return [...links.values()];
}

function pairsOf(storage: MetadataStorage): Pair[] {
  return [...storage]
    .toSorted((a, b) => depthOf(a) - depthOf(b))
    .filter(owner => (owner.root === owner || isJoined(owner)) && !owner.embeddable)
    .flatMap(owner =>
      owner.relations
        .filter(property => property.kind === ReferenceKind.MANY_TO_MANY && property.owner)
        .filter(property => property.persist !== false)
        .flatMap((property): Pair[] => {
          if (isPolymorphicToMany(property)) {
            return Object.entries(property.discriminatorMap!).map(([targetType, target]) => ({
              owner,
              property,
              target: storage.get(target as never) as EntityMetadata,
              targetType,
            }));
          }
          const target = storage.get(property.targetMeta!.class) as EntityMetadata;
          const ownerType = property.polymorphic ? property.discriminatorValue : undefined;
          return [{ owner, property, target, ...(ownerType === undefined ? {} : { ownerType }) }];
        }),
    );
}

function hasHistory({ owner, property, target }: Pair, versions: ReadonlyMap<object, DerivedVersion>): boolean {
  const ends = [
    { version: versions.get(owner.class), names: [property.name] },
    {
      version: versions.get(target.root.class),
      names: target.relations
        .filter(inverse => inverse.mappedBy === property.name && inverse.targetMeta?.class === owner.class)
        .map(inverse => inverse.name),
    },
  ];
  const excluded = ends.some(({ version, names }) => names.some(name => version?.options.exclude?.includes(name)));
  return !excluded && ends.some(({ version }) => version !== undefined);
}

/** A history that another pair of classes has already. */
function sharePivot(shared: LinkHistory, pair: Pair, context: DeriveContext): LinkHistory {
  const { owner, target } = endColumns(shared.pivot, pair, context);
  const name = (columns: readonly Column[]) => columns.map(column => column.name).join(', ');
  if (name(owner) !== name(shared.table.ends!.owner) || name(target) !== name(shared.table.ends!.target)) {
    throw VersioningError.unsupported(
      `${pair.owner.className}.${pair.property.name}`,
      `shares the pivot table ${shared.pivot.tableName} with ${shared.owner.className}.${shared.property.name}, under other columns`,
      'Give it a pivot table of its own, or exclude it.',
    );
  }
  return { ...pair, table: shared.table, pivot: shared.pivot, version: shared.version, ends: shared.ends };
}

/** The versions of a pivot entity serve as the history of its links. Throws a `VersioningError` where they lack an end. */
function versionedPivot(
  pair: Pair,
  { meta: pivot, table, version, options }: DerivedVersion,
  versions: ReadonlyMap<object, DerivedVersion>,
  context: DeriveContext,
): LinkHistory {
  const columns = endColumns(pivot, pair, context);
  const { fixedOrder, fixedOrderColumn } = pair.property;
  if (fixedOrder && options.exclude?.includes(fixedOrderColumn!)) {
    throw VersioningError.unsupported(
      pivot.className,
      `is versioned, but not with the order of ${pair.owner.className}.${pair.property.name}`,
      `Keep ${fixedOrderColumn} out of exclude.`,
    );
  }
  const [owner, target] = (['owner', 'target'] as const).map(end => {
    const names = columns[end].map(column => column.name);
    const prop = pivot.relations.find(each => hasColumns(each) && String(each.fieldNames) === String(names));
    const name = prop && (options.rename?.[prop.name] ?? prop.name);
    if (!prop || options.exclude?.includes(prop.name)) {
      throw VersioningError.unsupported(
        pivot.className,
        `is versioned, but not with the ${end} of ${pair.owner.className}.${pair.property.name}`,
        'Give it a relation to it, and keep it out of exclude; or remove its mark, and its links have a history of their own.',
      );
    }
    return versions.has(pair[end].root.class) && !prop.mapToPk ? keyName(name!) : name!;
  }) as [string, string];
  return { ...pair, table: { ...table, ends: columns }, pivot, version, ends: { owner, target } };
}

function deriveLink(pair: Pair, pivot: EntityMetadata, context: DeriveContext): LinkHistory {
  const { owner, property, target } = pair;
  const { platform, options } = context;
  const isPolymorphic = (pair.ownerType ?? pair.targetType) !== undefined;
  const schema = options.schema ?? pivot.schema;
  const version = historyEntity(linkClass(owner, property), historyName(pivot.tableName, context), schema);
  addSpan(version, context);
  const ends = endColumns(pivot, pair, context);
  for (const [end, meta, type] of [
    ['owner', owner, pair.ownerType],
    ['target', target, pair.targetType],
  ] as const) {
    const columns = type === undefined ? ends[end] : ends[end].slice(1);
    if (type !== undefined) {
      const { name, type: columnType } = ends[end][0]!;
      add(version, scalarProperty(`${end}Type`, name, columnType, { type: 'string', runtimeType: 'string' }));
    }
    const names = columns.map(column => column.name);
    const columnTypes = columns.map(column => column.type);
    add(version, toOneProperty(end, meta, names, { mapToPk: true, nullable: false, columnTypes }));
  }
  const ownerKey = pair.ownerType === undefined ? ['owner'] : ['ownerType', 'owner'];
  const targetKey = pair.targetType === undefined ? ['target'] : ['targetType', 'target'];
  const [end, begin] = SPAN;
  // the open link of two ends is looked for as well as all links of one
  version.indexes.push({ properties: [...ownerKey, end, ...targetKey, begin] });
  version.indexes.push({ properties: [...targetKey, end, begin] });
  const { own, state } = addExtraColumns(pivot, ends, version, context);
  const table: HistoryTable = {
    // one that several relations share has the name of its pivot
    name: isPolymorphic ? pivot.className : `${owner.className}.${property.name}`,
    kind: 'link',
    live: qualified(pivot, platform),
    history: qualified(version, platform),
    key: [...ends.owner, ...ends.target, ...own],
    ends,
    state,
  };
  return { ...pair, table, pivot, version, ends: { owner: 'owner', target: 'target' } };
}

/** The pivot's columns of each end; of a polymorphic one, first that which says the class. */
function endColumns(
  pivot: EntityMetadata,
  { property, ownerType, targetType }: Pair,
  context: DeriveContext,
): { owner: Column[]; target: Column[] } {
  const type = property.discriminatorColumn as string;
  const of = (columns: readonly string[], value: string | undefined) =>
    pivotColumns(pivot, value === undefined ? columns : [type, ...columns], context);
  return { owner: of(property.joinColumns, ownerType), target: of(property.inverseJoinColumns, targetType) };
}

function pivotColumns(pivot: EntityMetadata, names: readonly string[], context: DeriveContext): Column[] {
  const known = pivot.props.filter(prop => hasColumns(prop)).flatMap(prop => columnsOf(prop, context.platform));
  return names.map(name => known.find(column => column.name === name)!);
}

/** The order column and the columns that the user gave the pivot entity. */
function addExtraColumns(
  pivot: EntityMetadata,
  ends: { readonly owner: readonly Column[]; readonly target: readonly Column[] },
  version: EntityMetadata,
  context: DeriveContext,
): { own: Column[]; state: Column[] } {
  const keys = new Set([...ends.owner, ...ends.target].map(column => column.name));
  const extra = pivot.props.filter(prop => hasColumns(prop) && !prop.fieldNames.every(column => keys.has(column)));
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
