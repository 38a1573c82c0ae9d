import {
  LoadStrategy,
  ReferenceKind,
  type EntityMetadata,
  type EntityProperty,
  type MetadataStorage,
  type Platform,
} from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import { distinguish } from '../internals/discriminators.ts';
import { completeQueries } from '../internals/schemaOfQuery.ts';
import type { LinkHistory, RowHistory, VersioningModel } from '../model/VersioningModel.ts';
import { VersionTransaction } from '../model/VersionTransaction.ts';
import type { ResolvedOptions } from '../options.ts';
import { findDependents } from './dependents.ts';
import { deriveLinks } from './deriveLink.ts';
import type { DeriveContext } from './DeriveContext.ts';
import { add, deriveVersion, type DerivedVersion } from './deriveVersion.ts';
import type { Dialect } from './dialect.ts';
import { columnPrefix, flattenHierarchy, isJoined, wholeHierarchy, type Hierarchy, isOrExtends } from './hierarchy.ts';
import { addLiveIndexes, SPAN } from './indexes.ts';
import { findMarked, type MarkedEntity } from './marks.ts';
import { aliasOf, isPolymorphicToMany, toOneProperty, type FormulaColumns } from './properties.ts';
import { inSchema, isOpen, isWildcard, qualified } from './schemas.ts';
import { resolved } from './toOneRelations.ts';
import { RelationshipBuilder } from './RelationshipBuilder.ts';
import { noteVersioned, versionInfos, type VersionInfo } from './versionClass.ts';

/**
 * Derives version and link entities from the resolved metadata of the marked entities and adds them to the storage:
 * one way for decorators, `EntitySchema`, `defineEntity`, globs and caches alike. Synchronous, since MikroORM's
 * constructor does not wait for its discovery hooks.
 */
export function deriveModel(
  storage: MetadataStorage,
  platform: Platform,
  options: ResolvedOptions,
  dialect: Dialect,
): VersioningModel {
  const transaction = storage.get(VersionTransaction) as unknown as EntityMetadata;
  const marked = findMarked(storage, options);
  if (marked.some(({ meta }) => isWildcard(meta, platform))) {
    prepareWildcards(transaction, platform);
  }
  const context: DeriveContext = { options, dialect, platform, transaction };
  const { byClass, hierarchies } = deriveVersions(marked, storage, context);
  const derived = [...byClass.values()];
  const roots = derived.filter(({ meta }) => meta.root === meta);
  const links = deriveLinks(storage, byClass, context);
  for (const each of derived) {
    addNeighbours(each, context);
  }
  const builder = new RelationshipBuilder(storage, byClass, links, context);
  for (const each of derived) {
    builder.build(each);
    // after the properties of the key, which say that its columns are never null
    addLive(each, context);
  }
  for (const each of roots) {
    addIndexes(each, hierarchies, context);
  }
  const own = links.filter(link => link.table.kind === 'link');
  const linkVersions = [...new Set(own.map(link => link.version))];
  refuseSharedTables(storage, [...roots.map(each => each.version), ...linkVersions]);
  for (const version of [...derived.map(each => each.version), ...linkVersions]) {
    finish(version, storage, platform);
  }
  for (const each of derived) {
    addVersions(each);
  }
  const rows = new Map(
    roots.map(each => [each.meta.class, rowHistory(each, hierarchies.get(each.meta.class), links)] as const),
  );
  for (const each of derived) {
    leaveInfo(each, links);
  }
  return {
    metadata: storage,
    columns: options.columns,
    openEnd: dialect.openEnd,
    unindexed: dialect.unindexed,
    transaction,
    rows,
    links,
    dependents: findDependents(storage, rows, links),
    historyClasses: new Set<object>([
      transaction.class,
      ...derived.map(each => each.version.class),
      ...linkVersions.map(version => version.class),
    ]),
  };
}

/** For rows in the schema of their manager: each has its history next to it. */
function prepareWildcards(transaction: EntityMetadata, platform: Platform): void {
  completeQueries({ isOpen, fillIn: inSchema });
  // one table of transactions, whichever schema a manager is of
  transaction.schema ??= platform.getConfig().get('schema') ?? platform.getDefaultSchemaName()!;
}

/** Version entities by live class, roots first, and the hierarchies by the class of their root. */
function deriveVersions(
  all: readonly MarkedEntity[],
  storage: MetadataStorage,
  context: DeriveContext,
): { byClass: Map<object, DerivedVersion>; hierarchies: Map<object, Hierarchy> } {
  const byClass = new Map<object, DerivedVersion>();
  const hierarchies = new Map<object, Hierarchy>();
  for (const marked of all) {
    const { meta } = marked;
    if (meta.root === meta && meta.inheritanceType) {
      hierarchies.set(meta.class, flattenHierarchy(meta, storage));
    }
    const root = meta.root === meta ? undefined : byClass.get(meta.root.class);
    byClass.set(meta.class, deriveVersion(marked, context, hierarchies.get(meta.root.class), root));
  }
  for (const { classes } of hierarchies.values()) {
    const versions = classes.map(meta => byClass.get(meta.class)!.version);
    for (const version of versions) {
      const below = versions.filter(each => each.prototype instanceof version.class);
      distinguish(version, below);
    }
  }
  return { byClass, hierarchies };
}

function rowHistory(
  { meta: live, version, table: own }: DerivedVersion,
  hierarchy: Hierarchy | undefined,
  links: readonly LinkHistory[],
): RowHistory {
  // a versioned pivot entity's table knows the ends of its links as well
  const table = links.find(link => link.version === version)?.table ?? own;
  const metas = hierarchy && isJoined(live) ? hierarchy.classes : [live];
  const sources = metas.map(meta => ({ meta, prefix: columnPrefix(meta) }));
  return { table, sources, live, version };
}

/** Tells the reading rooms what they need to know about an entity. */
function leaveInfo(derived: DerivedVersion, links: readonly LinkHistory[]): void {
  const info = versionInfo(derived, links);
  versionInfos.set(derived.version, info);
  versionInfos.set(derived.meta, info);
  noteVersioned(derived.meta.class);
}

function versionInfo(derived: DerivedVersion, links: readonly LinkHistory[]): VersionInfo {
  const { meta: live, options, versionsProperty } = derived;
  const order = Object.values(derived.shape).map(prop => prop.name);
  const properties = derived.properties.toSorted((a, b) => order.indexOf(a.live) - order.indexOf(b.live));
  const versionedLinks = Object.values(derived.shape).flatMap(prop => {
    const link = links.find(
      each =>
        each.property.pivotEntity === prop.pivotEntity &&
        (isPolymorphicToMany(prop) || (each.ownerType ?? each.targetType) === prop.discriminatorValue),
    );
    const name = options.rename?.[prop.name] ?? prop.name;
    return link &&
      prop.kind === ReferenceKind.MANY_TO_MANY &&
      prop.hydrate !== false &&
      derived.version.properties[name]
      ? [{ name, live: prop.name, link, end: prop.owner ? ('owner' as const) : ('target' as const) }]
      : [];
  });
  return { live, version: derived.version, properties, versionsProperty, links: versionedLinks };
}

/** That of the key answers both "the open version of this row" and "this row as of T". */
function addIndexes(
  derived: DerivedVersion,
  hierarchies: ReadonlyMap<object, Hierarchy>,
  context: DeriveContext,
): void {
  const { meta: live, version, properties } = derived;
  const key = live.primaryKeys.map(name => properties.find(property => property.live === name)!.value);
  version.indexes.unshift({ properties: [...key, ...SPAN] });
  addLiveIndexes(derived, hierarchies.get(live.class), context);
}

/** `version.entity`: the live row of the same key, `null` where there is none. */
function addLive({ meta: live, version, table }: DerivedVersion, { options, platform }: DeriveContext): void {
  const columns = table.key.map(column => column.name);
  if (columns.length > 1) {
    // MikroORM has formulas for single columns only: here it is a reference, which turns out to be null when populated
    const columnTypes = table.key.map(column => column.type);
    const targetMeta = wholeHierarchy(live);
    add(version, toOneProperty('entity', live, columns, { columnTypes, targetMeta }));
    return;
  }
  const key = platform.quoteIdentifier(columns[0]!);
  const isOfClass = sameClass(live, platform);
  const formula = (cols: FormulaColumns) => {
    const alias = aliasOf(cols, options.columns);
    return (
      `(select __l.${key} from ${isJoined(live) ? qualified(live, platform) : table.live} __l where __l.${key} = ` +
      `${platform.quoteIdentifier(`${alias}.${columns[0]!}`)}${isOfClass('__l', alias)})`
    );
  };
  add(
    version,
    toOneProperty('entity', live, columns, {
      persist: false,
      fieldNames: ['entity__key'],
      formula,
      targetMeta: wholeHierarchy(live),
      // what siblings declare differently comes back whole only where it is not joined
      ...(live.root.inheritanceType ? { strategy: LoadStrategy.SELECT_IN } : {}),
    } as never),
  );
}

/**
 * A condition that a live row of a single-table hierarchy is of the class that it was, or of one below. The key may be that
 * of a row of another class now, and MikroORM would make that one what it takes its reference for.
 */
function sameClass(live: EntityMetadata, platform: Platform): (live: string, version: string) => string {
  const { root } = live;
  if (root.inheritanceType !== 'sti') {
    return () => '';
  }
  const prop = root.properties[root.discriminatorColumn as never] as EntityProperty;
  const column = platform.quoteIdentifier(prop.fieldNames[0]!);
  const classes = Object.entries(root.discriminatorMap!) as unknown as [string, EntityMetadata['class']][];
  const valuesOf = (meta: EntityMetadata['class']) =>
    classes.filter(([, each]) => isOrExtends(each, meta)).map(([value]) => platform.quoteValue(value));
  return (row, version) => {
    const [is, was] = [`${row}.${column}`, `${platform.quoteIdentifier(version)}.${column}`];
    const cases = classes.map(
      ([value, meta]) => `(${was} = ${platform.quoteValue(value)} and ${is} in (${valuesOf(meta).join(', ')}))`,
    );
    return ` and (${cases.join(' or ')})`;
  };
}

/**
 * `version.previous` and `version.next`: spans of one row have no gaps, so the previous version is the one that ended
 * where this one begins.
 */
function addNeighbours({ version, table }: DerivedVersion, { options, platform }: DeriveContext): void {
  const { versionId, transactionId, endTransactionId } = options.columns;
  const quote = (identifier: string) => platform.quoteIdentifier(identifier);
  const neighbour = (name: string, condition: (alias: string) => string) => {
    const formula = (cols: FormulaColumns) => {
      const alias = aliasOf(cols, options.columns);
      const same = table.key.map(({ name: column }) => `__n.${quote(column)} = ${quote(`${alias}.${column}`)}`);
      return (
        `(select __n.${quote(versionId)} from ${table.history} __n where ${same.join(' and ')} and ${condition(alias)} ` +
        `order by __n.${quote(endTransactionId)} limit 1)`
      );
    };
    add(version, toOneProperty(name, version.root, [`${name}__key`], { persist: false, formula } as never));
  };
  neighbour('previous', alias => `__n.${quote(endTransactionId)} = ${quote(`${alias}.${transactionId}`)}`);
  neighbour('next', alias => `__n.${quote(endTransactionId)} > ${quote(`${alias}.${endTransactionId}`)}`);
}

/** `article.versions`: never cascades, never written, loaded like any other collection. */
function addVersions({ meta: live, version, table, versionsProperty }: DerivedVersion): void {
  live.addProperty({
    name: versionsProperty,
    kind: ReferenceKind.ONE_TO_MANY,
    type: version.className,
    target: version.class,
    entity: () => version.class,
    targetMeta: version,
    mappedBy: 'entity',
    cascade: [],
    hidden: true,
    persist: false,
    orderBy: { transaction: 'asc' },
    joinColumns: table.key.map(column => column.name),
    referencedColumnNames: table.key.map(column => column.name),
    referencedPKs: ['versionId'],
    columnTypes: [],
    runtimeType: 'unknown',
  } as unknown as EntityProperty);
}

function finish(meta: EntityMetadata, storage: MetadataStorage, platform: Platform): void {
  for (const prop of isWildcard(meta, platform) ? Object.values<EntityProperty>(meta.properties) : []) {
    if (prop.formula) {
      prop.formula = resolved(prop.formula as never, platform) as never;
    }
  }
  meta.sync(true);
  storage.set(meta.class, meta);
}

/** Two histories, or a history and a live table, must not share a table. */
function refuseSharedTables(storage: MetadataStorage, added: readonly EntityMetadata[]): void {
  const owners = new Map<string, EntityMetadata>();
  const tables = [...storage].filter(
    meta => (meta.root === meta || isJoined(meta)) && meta.tableName && !meta.embeddable && !meta.virtual,
  );
  for (const meta of [...tables, ...added]) {
    const table = [meta.schema, meta.tableName].filter(Boolean).join('.');
    const owner = owners.get(table);
    if (owner && added.includes(meta)) {
      throw VersioningError.tableCollision(table, owner.className, meta.className);
    }
    owners.set(table, meta);
  }
}
