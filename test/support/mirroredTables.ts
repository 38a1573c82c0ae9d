import { ReferenceKind, type EntityMetadata, type EntityProperty } from '@mikro-orm/core';
import { versionOf, VersionTransaction } from 'mikro-orm-versioning';

import { isMarked, markOf } from '../../packages/versioning/src/metadata/marks.ts';
import { joinedRows, quotedTable } from './joinedRows.ts';
import type { Orm } from './orm.ts';

/** A live table and its history, as the live side's metadata and marks say that they must be. */
export interface MirroredTable {
  /** As a transaction names it: `Article`, or `Article.tags` for links. */
  readonly name: string;
  /** Quoted names of the two tables. */
  readonly live: string;
  readonly history: string;
  /** The live rows of a hierarchy of tables, as SQL with the history's columns and their types. */
  readonly rows?: string;
  /** Unquoted columns that identify a row, the same in both tables. */
  readonly key: readonly string[];
  /** Unquoted columns that both tables must have, the key's among them. */
  readonly columns: readonly string[];
  /** Unquoted columns of the span. */
  readonly since: string;
  readonly until: string;
  readonly versionId: string;
  /** Absent for links, which have no DELETE versions. */
  readonly operation: string | undefined;
}

/** What a mark leaves out, by class; a mark of the configuration's list is out of sight, and is taken to leave out nothing. */
type Excluded = (meta: EntityMetadata, property: string) => boolean;

const schemas = new WeakMap<Orm, readonly string[]>();

/** Says in which schemas the tables of entities with the wildcard schema are. */
export function mirrorSchemas(orm: Orm, names: readonly string[]): void {
  schemas.set(orm, names);
}

/** The tables that must have history. Throws where the ORM has no history entity for one. */
export function findMirroredTables(orm: Orm): MirroredTable[] {
  return findTables(orm).flatMap(table =>
    table.live.includes(WILDCARD)
      ? (schemas.get(orm) ?? []).map(schema => ({
          ...table,
          live: table.live.replace(WILDCARD, schema),
          history: table.history.replace(WILDCARD, schema),
        }))
      : [table],
  );
}

/** MikroORM's name for the schema of the manager. */
const WILDCARD = '*';

function findTables(orm: Orm): MirroredTable[] {
  const metas = [...orm.getMetadata().getAll().values()];
  const roots = metas.filter(meta => meta.root === meta && !meta.embeddable && !meta.virtual && !meta.view);
  const excludes: Excluded = (meta, property) =>
    metas.some(each => each.root === meta.root && markOf(each.class)?.exclude?.includes(property));
  const versions = new Map(roots.map(live => [live, metas.find(meta => meta.class === versionClassOf(live))] as const));

  const rows = roots.flatMap(live => {
    const version = versions.get(live);

    if (!version && isMarked(live.class) && live.tableName) {
      throw new Error(`${live.className} is marked, and has no history.`);
    }

    return version ? [rowTable(orm, metas, live, version, excludes)] : [];
  });
  const isVersioned = (meta: EntityMetadata) => versions.get(meta.root) !== undefined;
  const links = new Map<unknown, MirroredTable>();

  for (const live of metas.filter(meta => roots.includes(meta) || meta.tptParent).toSorted(byDepth)) {
    const owned = live.relations.filter(prop => isOwnedLink(prop) && isRecorded(live, prop, excludes, isVersioned));

    for (const prop of owned) {
      const pivot = metas.find(meta => meta.class === prop.pivotEntity)!;

      // a versioned pivot entity is a table of rows; classes may share a pivot
      if (!isVersioned(pivot) && !links.has(pivot)) {
        links.set(pivot, linkTable(orm, metas, live, prop, pivot));
      }
    }
  }

  return [...rows, ...links.values()];
}

/** Parents of a hierarchy of tables before their children. */
function byDepth(a: EntityMetadata, b: EntityMetadata): number {
  const depth = (meta: EntityMetadata): number => (meta.tptParent ? depth(meta.tptParent) + 1 : 0);

  return depth(a) - depth(b);
}

/** Quoted name of the table of transactions, and of its columns. */
export function transactionTable(orm: Orm): { readonly table: string; readonly id: string; readonly changed: string } {
  const meta = orm.getMetadata(VersionTransaction) as unknown as EntityMetadata;

  return { table: quotedTable(orm, meta), id: columnOf(meta, 'id'), changed: columnOf(meta, 'changed') };
}

function rowTable(
  orm: Orm,
  metas: EntityMetadata[],
  live: EntityMetadata,
  version: EntityMetadata,
  excludes: Excluded,
): MirroredTable {
  if (live.inheritanceType === 'tpt') {
    return hierarchyTable(orm, metas, live, version, excludes);
  }

  const copied = Object.values(live.properties).filter(
    prop => hasColumns(prop) && prop.version !== true && !isExcluded(live, prop, excludes),
  );

  return {
    name: live.className,
    live: quotedTable(orm, live),
    history: quotedTable(orm, version),
    key: live.getPrimaryProps().flatMap(prop => prop.fieldNames),
    columns: [...new Set(copied.flatMap(prop => prop.fieldNames))],
    ...span(version),
    operation: columnOf(version, 'operationType'),
  };
}

/** One history of several tables. */
function hierarchyTable(
  orm: Orm,
  metas: EntityMetadata[],
  root: EntityMetadata,
  version: EntityMetadata,
  excludes: Excluded,
): MirroredTable {
  const classes = metas
    .filter(meta => meta.root === root)
    .map(live => ({ live, version: metas.find(meta => meta.class === versionClassOf(live))! }));
  const own = new Set(['versionId', 'transaction', 'endTransactionId', 'operationType']);
  const held = version.props
    .filter(prop => hasColumns(prop) && !own.has(prop.name) && !excludes(root, prop.name))
    .flatMap(prop => prop.fieldNames.map((name, i) => ({ name, type: prop.columnTypes[i]! })));
  // a key of several columns is a relation to the entity as well
  const columns = [...new Map(held.map(column => [column.name, column])).values()];

  return {
    name: root.className,
    live: quotedTable(orm, root),
    history: quotedTable(orm, version),
    rows: joinedRows(orm, classes, columns, version.discriminatorColumn as string),
    key: root.getPrimaryProps().flatMap(prop => prop.fieldNames),
    columns: columns.map(({ name }) => name),
    ...span(version),
    operation: columnOf(version, 'operationType'),
  };
}

/** A pivot's key of its own tells apart links of the same ends; everything else of it is the link's state. */
function linkTable(
  orm: Orm,
  metas: EntityMetadata[],
  owner: EntityMetadata,
  prop: EntityProperty,
  pivot: EntityMetadata,
): MirroredTable {
  const name = prop.polymorphic ? pivot.className : `${owner.className}.${prop.name}`;
  const version = metas.find(
    meta => meta.className === `${owner.className}${prop.name.charAt(0).toUpperCase()}${prop.name.slice(1)}Version`,
  );

  if (!version) {
    throw new Error(`${name} has a versioned end, and no history.`);
  }

  const own = pivot.getPrimaryProps().filter(each => !each.targetMeta);

  return {
    name,
    live: quotedTable(orm, pivot),
    history: quotedTable(orm, version),
    key: [...new Set([...prop.joinColumns, ...prop.inverseJoinColumns, ...own.flatMap(each => each.fieldNames)])],
    columns: [...new Set(pivot.props.filter(hasColumns).flatMap(each => each.fieldNames))],
    ...span(version),
    operation: undefined,
  };
}

/** `undefined` for an entity without history. */
function versionClassOf(live: EntityMetadata): object | undefined {
  try {
    return versionOf(live.class);
  } catch {
    return undefined;
  }
}

function isOwnedLink(prop: EntityProperty): boolean {
  return prop.kind === ReferenceKind.MANY_TO_MANY && prop.owner && prop.persist !== false;
}

/** Links have history where either end has, unless one of the ends leaves the relation out. */
function isRecorded(
  owner: EntityMetadata,
  prop: EntityProperty,
  excludes: Excluded,
  isVersioned: (meta: EntityMetadata) => boolean,
): boolean {
  const target = prop.targetMeta!;
  const inverse = target.relations.filter(each => each.mappedBy === prop.name && each.targetMeta?.root === owner);
  const excluded =
    (isVersioned(owner) && excludes(owner, prop.name)) ||
    (isVersioned(target) && inverse.some(each => excludes(target, each.name)));

  return !excluded && (isVersioned(owner) || isVersioned(target));
}

/** What is to-many, or the other side's, has no column; an inline embeddable neither, but its parts. */
function hasColumns(prop: EntityProperty): boolean {
  const inlined = prop.kind === ReferenceKind.EMBEDDED && !prop.object && !prop.array;
  const elsewhere = [ReferenceKind.ONE_TO_MANY, ReferenceKind.MANY_TO_MANY].includes(prop.kind);
  const inverse = prop.kind === ReferenceKind.ONE_TO_ONE && !prop.owner;

  return prop.persist !== false && !prop.formula && !inlined && !elsewhere && !inverse;
}

/** Whether the property, or an embeddable that it is part of, is left out. */
function isExcluded(live: EntityMetadata, prop: EntityProperty, excludes: Excluded): boolean {
  const whole = prop.embedded && live.properties[prop.embedded[0] as never];

  return excludes(live, prop.name) || (whole !== undefined && isExcluded(live, whole, excludes));
}

function span(version: EntityMetadata): Pick<MirroredTable, 'since' | 'until' | 'versionId'> {
  return {
    versionId: columnOf(version, 'versionId'),
    since: columnOf(version, 'transaction'),
    until: columnOf(version, 'endTransactionId'),
  };
}

function columnOf(meta: EntityMetadata, property: string): string {
  return (meta.properties[property as never] as EntityProperty).fieldNames[0]!;
}
