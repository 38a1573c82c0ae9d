import { EntityMetadata, ReferenceKind, type EntityProperty } from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import type { HistoryTable } from '../model/HistoryTable.ts';
import type { DeriveContext } from './DeriveContext.ts';
import { checkColumns, checkJoinedColumns, checkNames, refuseUnsupported } from './checks.ts';
import { discriminatorOf, isJoined, type Hierarchy, type Shape } from './hierarchy.ts';
import { joinedRows } from './joinedTables.ts';
import type { MarkedEntity } from './marks.ts';
import {
  type FormulaColumns,
  columnsOf,
  copyProperty,
  hasColumns,
  isToMany,
  isToOne,
  scalarProperty,
  toOneProperty,
} from './properties.ts';
import { qualified } from './schemas.ts';
import { versionClassOf, type VersionedProperty } from './versionClass.ts';

/** A version entity under construction: its columns are there, its relations to other versions are not yet. */
export interface DerivedVersion extends MarkedEntity {
  readonly shape: Shape;
  readonly version: EntityMetadata;
  readonly table: HistoryTable;
  readonly properties: VersionedProperty[];
  readonly versionsProperty: string;
}

/**
 * Derives the version entity of a marked entity: its table, its columns, and a version's own members. In a single-table
 * hierarchy every class has a version entity, mirrored, and all share the root's table; so they do in a joined one, whose
 * history is a single table.
 */
export function deriveVersion(
  marked: MarkedEntity,
  context: DeriveContext,
  hierarchy?: Hierarchy,
  root?: DerivedVersion,
): DerivedVersion {
  const { meta: live, options } = marked;
  const shape = hierarchy?.shapes.get(live.class) ?? live.properties;
  refuseUnsupported(live, options.tableName ?? historyName(live.root.tableName, context), context);
  checkNames(marked, shape, hierarchy?.shapes.get(live.root.class) ?? shape, context);
  const versionsProperty = options.versionsProperty ?? 'versions';
  const version = emptyVersion(marked, context, root);
  const properties: VersionedProperty[] = [];
  addOwnMembers(version, context);
  const excluded = new Set<string>(options.exclude ?? []);
  const copied = Object.entries(shape).filter(
    ([, prop]) => !excluded.has(prop.name) && !isExcludedPart(shape, prop, excluded) && !isLock(prop),
  );
  for (const [key, prop] of copied) {
    if (key === prop.name && !prop.embedded && (isToOne(prop) || isToMany(prop))) {
      // the RelationshipBuilder's part
      continue;
    }
    if (hasColumns(prop) || prop.kind === ReferenceKind.EMBEDDED || prop.embedded) {
      const name = options.rename?.[prop.name] ?? prop.name;
      // a class keeps the columns that its subclasses declare differently under keys of their own
      const own = key === prop.name;
      const copy = copyProperty(prop, own ? name : key, version, context.platform);
      if (own) {
        // what a getter of the entity finds out anew, the version only has from its table
        delete copy.hydrate;
      }
      const isHidden = isMadeUp(prop, live);
      // MikroORM merges only a declared one into a version that it knows already, and else takes that for a changed one
      add(version, isHidden ? { ...copy, userDefined: true, hidden: true } : copy);
      if (!prop.embedded && own && !prop.inherited && !isHidden) {
        properties.push({ live: prop.name, name, value: name });
      }
    }
  }
  relinkEmbedded(version, options.rename ?? {});
  if (isJoined(live)) {
    addEntityType(version, context);
  }
  if (root) {
    return { ...marked, shape, version, table: root.table, properties, versionsProperty };
  }
  const columns = copied.map(([, prop]) => prop).filter(hasColumns);
  checkColumns(live, columns, context);
  const table = historyTable(live, version, columns, context, hierarchy);
  return { ...marked, shape, version, table, properties, versionsProperty };
}

function historyTable(
  live: EntityMetadata,
  version: EntityMetadata,
  copied: readonly EntityProperty[],
  { options, platform }: DeriveContext,
  hierarchy: Hierarchy | undefined,
): HistoryTable {
  const { entityType } = options.columns;
  const joined = hierarchy && isJoined(live) ? hierarchy : undefined;
  if (joined) {
    checkJoinedColumns(joined);
  }
  const key = live.getPrimaryProps().flatMap(prop => columnsOf(prop, platform));
  const state = new Map(
    copied.flatMap(prop => columnsOf(prop, platform)).map(column => [column.name, column] as const),
  );
  for (const { name } of key) {
    state.delete(name);
  }
  return {
    name: live.className,
    kind: 'row',
    live: joined ? joinedRows(joined, platform, entityType) : qualified(live, platform),
    history: qualified(version, platform),
    key,
    state: [
      ...state.values(),
      ...(joined ? [{ name: entityType, type: version.properties[entityType]!.columnTypes[0]! }] : []),
    ],
  };
}

export function add(meta: EntityMetadata, prop: EntityProperty, key: string = prop.name): void {
  if (meta.properties[key]) {
    throw VersioningError.nameTaken(meta.className, prop.name);
  }
  meta.properties[key] = prop;
  meta.propertyOrder.set(prop.name, Object.keys(meta.properties).length);
}

function emptyVersion(
  { meta: live, options }: MarkedEntity,
  context: DeriveContext,
  root: DerivedVersion | undefined,
): EntityMetadata {
  const versionClass = versionClassOf(live.class) as new () => object;
  const tableName = options.tableName ?? historyName(live.root.tableName, context);
  const version = historyEntity(versionClass, tableName, context.options.schema ?? live.root.schema);
  version.abstract = live.abstract ?? false;
  const ownValue = isJoined(live) ? discriminatorOf(live) : live.discriminatorValue;
  if (ownValue !== undefined) {
    version.discriminatorValue = ownValue;
  }
  if (root) {
    version.root = root.version;
  } else if (live.discriminatorColumn || isJoined(live)) {
    version.inheritanceType = 'sti';
    const declared = live.discriminatorColumn as string | undefined;
    version.discriminatorColumn = declared
      ? (options.rename?.[declared] ?? declared)
      : context.options.columns.entityType;
    version.discriminator = version.discriminatorColumn as never;
    version.discriminatorMap = Object.fromEntries(
      Object.entries(live.discriminatorMap!).map(([value, subclass]) => [value, versionClassOf(subclass as object)]),
    ) as never;
  }
  return version;
}

/**
 * Which class of a joined hierarchy a version is of. Its property has the name of its column, since MikroORM looks for both
 * under one name.
 */
function addEntityType(version: EntityMetadata, { options, platform }: DeriveContext): void {
  const type = platform.getVarcharTypeDeclarationSQL({ length: 255 });
  add(
    version,
    scalarProperty(options.columns.entityType, options.columns.entityType, type, {
      type: 'string',
      runtimeType: 'string',
      nullable: true,
      hidden: true,
    }),
  );
}

/** What the history of a table is called: `article` -> `article_version`. */
export function historyName(table: string, { options }: DeriveContext): string {
  return `${options.tablePrefix}${table}${options.tableSuffix}`;
}

/** An entity of the history with its surrogate key. */
export function historyEntity(target: new () => object, tableName: string, schema: string | undefined): EntityMetadata {
  return resolvedEntity(target, {
    tableName,
    ...(schema === undefined ? {} : { schema }),
    primaryKeys: ['versionId'],
    compositePK: false,
    simplePK: true,
  });
}

/** Metadata as MikroORM's discovery would leave it, without properties yet. */
export function resolvedEntity(target: new () => object, more: Partial<EntityMetadata>): EntityMetadata {
  const meta = new EntityMetadata({
    className: target.name,
    name: target.name,
    class: target,
    prototype: target.prototype as object,
    abstract: false,
    forceConstructor: false,
    ...more,
  } as never) as unknown as EntityMetadata;
  meta.root = meta;
  return meta;
}

function addOwnMembers(version: EntityMetadata, context: DeriveContext): void {
  const { columns } = context.options;
  addSpan(version, context);
  add(
    version,
    scalarProperty('operationType', columns.operationType, context.dialect.name === 'sqlite' ? 'integer' : 'smallint'),
  );
  add(version, issuedAt('validFrom', 'transaction', columns.transactionId, version, context));
  add(version, issuedAt('validUntil', 'endTransaction', columns.endTransactionId, version, context));
}

/** The surrogate key, and the span `[transaction, endTransaction)` in which a version or a link holds. */
export function addSpan(version: EntityMetadata, context: DeriveContext): void {
  const { options, dialect, transaction } = context;
  const { columns } = options;
  const key = scalarProperty('versionId', columns.versionId, dialect.serialColumnType, {
    primary: true,
    autoincrement: true,
  });
  const id = transaction.getPrimaryProp();
  add(version, dialect.serialColumnType === 'integer' ? key : withType(key, context));
  add(
    version,
    toOneProperty('transaction', transaction, [columns.transactionId], {
      columnTypes: [dialect.idColumnType],
      nullable: false,
    }),
  );
  add(version, openEndProperty(context));
  const quote = (column: string) => context.platform.quoteIdentifier(column);
  add(
    version,
    toOneProperty('endTransaction', transaction, [`${columns.endTransactionId}__null`], {
      columnTypes: [dialect.idColumnType],
      customType: id.customType!,
      persist: false,
      // an open end is stored as the largest id and shown as null
      formula: (cols: FormulaColumns) => `nullif(${quote(cols['endTransactionId']!)}, ${dialect.openEnd})`,
    } as never),
  );
  version.indexes.push({ properties: ['transaction'] });
}

function withType(prop: EntityProperty, context: DeriveContext): EntityProperty {
  const type = context.transaction.getPrimaryProp().customType;
  return type ? { ...prop, customType: type, type: 'bigint' } : prop;
}

function openEndProperty(context: DeriveContext): EntityProperty {
  const { options, dialect } = context;
  return withType(
    scalarProperty('endTransactionId', options.columns.endTransactionId, dialect.idColumnType, { hidden: true }),
    context,
  );
}

/** The time of one end of the span, looked up by the transaction's primary key. */
function issuedAt(
  name: string,
  end: string,
  column: string,
  version: EntityMetadata,
  context: DeriveContext,
): EntityProperty {
  const { transaction, platform } = context;
  const source = transaction.properties['issuedAt']!;
  const quote = (identifier: string) => platform.quoteIdentifier(identifier);
  const scalar = end === 'transaction' ? 'transaction' : 'endTransactionId';
  return {
    ...copyProperty(source, name, version, platform),
    fieldNames: [`${column}__issued_at`],
    persist: false,
    nullable: true,
    formula: (cols: FormulaColumns) =>
      `(select __t.${quote(source.fieldNames[0]!)} from ${qualified(transaction, platform)} __t ` +
      `where __t.${quote(transaction.getPrimaryProp().fieldNames[0]!)} = ${quote(cols[scalar]!)})`,
  } as unknown as EntityProperty;
}

/** An embedded property's parts are copies too, and know it by its name. */
function relinkEmbedded(version: EntityMetadata, rename: Readonly<Record<string, string>>): void {
  for (const prop of Object.values(version.properties)) {
    if (prop.embedded) {
      const [whole, part] = prop.embedded;
      prop.embedded = [rename[whole] ?? whole, part];
    }
    if (prop.embeddedProps) {
      prop.embeddedProps = Object.fromEntries(
        Object.entries(prop.embeddedProps).map(([part, child]) => [part, version.properties[child.name] ?? child]),
      );
    }
  }
}

/** Whether the property is part of an excluded embeddable, however deep. */
function isExcludedPart(shape: Shape, prop: EntityProperty, excluded: ReadonlySet<string>): boolean {
  const whole = prop.embedded && shape[prop.embedded[0]];
  return whole !== undefined && (excluded.has(whole.name) || isExcludedPart(shape, whole, excluded));
}

/** Whether MikroORM itself made up the property, for the column that says which class of a hierarchy a row is of. */
function isMadeUp(prop: EntityProperty, live: EntityMetadata): boolean {
  return prop.name === live.root.discriminatorColumn && prop.userDefined === false;
}

/** The optimistic lock counts writes, not states. */
function isLock(prop: EntityProperty): boolean {
  return prop.version === true;
}
