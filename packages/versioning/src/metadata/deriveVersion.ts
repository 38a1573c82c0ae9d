import { EntityMetadata, JsonType, ReferenceKind, type EntityProperty, type Platform } from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import type { HistoryTable } from '../model/HistoryTable.ts';
import type { EntityReference, ResolvedOptions } from '../options.ts';
import type { Dialect } from './dialect.ts';
import { classOf, type MarkedEntity } from './marks.ts';
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
import { versionClassOf, type VersionedProperty } from './versionClass.ts';

/** What deriving needs to know besides the entity. */
export interface DeriveContext {
  readonly options: ResolvedOptions;
  readonly dialect: Dialect;
  readonly platform: Platform;
  readonly transaction: EntityMetadata;
}

/** A version entity under construction: its columns are there, its relations to other versions are not yet. */
export interface DerivedVersion extends MarkedEntity {
  readonly version: EntityMetadata;
  readonly table: HistoryTable;
  readonly properties: VersionedProperty[];
  readonly versionsProperty: string;
}

/** Members that every version has; a property of the entity with such a name must be renamed. */
const MEMBERS = [
  'versionId',
  'operationType',
  'transaction',
  'endTransaction',
  'validFrom',
  'validUntil',
  'entity',
  'isCurrent',
  'isDeleted',
  'index',
  'number',
  'previous',
  'next',
  'changeset',
  'changesetWithLinks',
  'endTransactionId',
];

/**
 * Derives the version entity of a marked entity: its table, its columns, and a version's own members. In a single-table
 * hierarchy every class has a version entity, mirrored, and all share the root's table.
 */
export function deriveVersion(marked: MarkedEntity, context: DeriveContext, root?: DerivedVersion): DerivedVersion {
  const { meta: live, options } = marked;
  refuseUnsupported(live, options.tableName ?? live.tableName + context.options.tableSuffix, context.platform);
  checkNames(marked);
  const versionsProperty = options.versionsProperty ?? 'versions';
  const version = emptyVersion(marked, context, root);
  const properties: VersionedProperty[] = [];
  addOwnMembers(version, context);
  const excluded = new Set<string>(options.exclude ?? []);
  const copied = Object.entries(live.properties).filter(
    ([, prop]) => !excluded.has(prop.name) && !isExcludedPart(prop, excluded) && !isLock(prop),
  );
  for (const [key, prop] of copied) {
    if (key === prop.name && !prop.embedded && (isToOne(prop) || isToMany(prop))) {
      // the RelationshipBuilder's part
      continue;
    }
    if (hasColumns(prop) || prop.kind === ReferenceKind.EMBEDDED || prop.embedded) {
      const name = options.rename?.[prop.name] ?? prop.name;
      // a root keeps columns that its subclasses declare differently under keys of their own
      const own = key === prop.name;
      add(version, copyProperty(prop, name, version, context.platform), own ? name : key);
      if (!prop.embedded && own && !prop.inherited) {
        properties.push({ live: prop.name, name, value: name });
      }
    }
  }
  relinkEmbedded(version);
  if (root) {
    return { ...marked, version, table: root.table, properties, versionsProperty };
  }
  const columns = copied.map(([, prop]) => prop).filter(hasColumns);
  checkColumns(live, columns, context);
  const key = live.getPrimaryProps().flatMap(prop => columnsOf(prop, context.platform));
  const names = new Set(key.map(column => column.name));
  const state = columns
    .flatMap(prop => columnsOf(prop, context.platform))
    .filter(column => {
      const fresh = !names.has(column.name);
      names.add(column.name);
      return fresh;
    });
  const table: HistoryTable = {
    name: live.className,
    kind: 'row',
    live: qualified(live, context.platform),
    history: qualified(version, context.platform),
    key,
    state,
  };
  return { ...marked, version, table, properties, versionsProperty };
}

export function add(meta: EntityMetadata, prop: EntityProperty, key: string = prop.name): void {
  if (meta.properties[key]) {
    throw VersioningError.nameTaken(meta.className, prop.name);
  }
  meta.properties[key] = prop;
  meta.propertyOrder.set(prop.name, Object.keys(meta.properties).length);
}

export function qualified(meta: EntityMetadata, platform: Platform): string {
  const configured = meta.schema ?? platform.getConfig().get('schema');
  const schema = configured !== platform.getDefaultSchemaName() ? configured : undefined;
  return platform.quoteIdentifier(schema ? `${schema}.${meta.tableName}` : meta.tableName);
}

function emptyVersion(
  { meta: live, options }: MarkedEntity,
  context: DeriveContext,
  root: DerivedVersion | undefined,
): EntityMetadata {
  const versionClass = versionClassOf(live.class) as new () => object;
  const tableName = options.tableName ?? live.root.tableName + context.options.tableSuffix;
  const version = historyEntity(versionClass, tableName, live.root.schema);
  version.abstract = live.abstract ?? false;
  if (live.discriminatorValue !== undefined) {
    version.discriminatorValue = live.discriminatorValue;
  }
  if (root) {
    version.root = root.version;
    // not the prototype: between two entity classes there may be one that `defineEntity` made up
    version.extends = versionClassOf(classOf(live.extends as EntityReference)) as never;
  } else if (live.discriminatorColumn) {
    version.inheritanceType = 'sti';
    version.discriminatorColumn = live.discriminatorColumn;
    version.discriminator = live.discriminatorColumn as never;
    version.discriminatorMap = Object.fromEntries(
      Object.entries(live.discriminatorMap!).map(([value, subclass]) => [value, versionClassOf(subclass as object)]),
    ) as never;
  }
  return version;
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

/** An embedded property's parts are copies too. */
function relinkEmbedded(version: EntityMetadata): void {
  for (const prop of Object.values(version.properties)) {
    if (prop.embeddedProps) {
      prop.embeddedProps = Object.fromEntries(
        Object.entries(prop.embeddedProps).map(([part, child]) => [part, version.properties[child.name] ?? child]),
      );
    }
  }
}

function isExcludedPart(prop: EntityProperty, excluded: ReadonlySet<string>): boolean {
  return prop.embedded !== undefined && excluded.has(prop.embedded[0]);
}

/** The optimistic lock counts writes, not states. */
function isLock(prop: EntityProperty): boolean {
  return prop.version === true;
}

function refuseUnsupported(live: EntityMetadata, version: string, platform: Platform): void {
  if (live.schema === '*') {
    throw VersioningError.unsupported(
      live.className,
      "has the wildcard schema '*', which is not supported yet",
      'Give it a schema, or leave it out.',
    );
  }
  if (version.length > platform.getMaxIdentifierLength()) {
    throw VersioningError.unsupported(
      live.className,
      `would have the version table ${version}, a name of ${version.length} characters where the database has ${platform.getMaxIdentifierLength()}`,
      "Give it a shorter one: @Versioned({ tableName: '…' }).",
    );
  }
  for (const prop of live.getPrimaryProps()) {
    const { customType } = prop;
    if (customType instanceof JsonType || customType?.convertToDatabaseValueSQL) {
      throw VersioningError.unsupported(
        `${live.className}.${prop.name}`,
        customType instanceof JsonType ? 'is a key of type JSON' : 'is a key that its type converts in SQL',
        'Use a key whose value is the one in the database.',
      );
    }
  }
  if (live.root.inheritanceType === 'tpt') {
    throw VersioningError.unsupported(
      live.className,
      'is part of a table-per-type hierarchy, which is not supported yet',
      'Mark only entities with a table of their own; abstract base classes, mixins and single-table hierarchies are fine.',
    );
  }
  const polymorphic = live.relations.find(prop => prop.polymorphic);
  if (polymorphic) {
    throw VersioningError.unsupported(
      `${live.className}.${polymorphic.name}`,
      'is a polymorphic relation, which is not supported yet',
      `Exclude it: @Versioned({ exclude: ['${polymorphic.name}'] }).`,
    );
  }
}

function checkNames({ meta: live, options }: MarkedEntity): void {
  const known = Object.keys(live.properties);
  for (const [option, names] of [
    ['exclude', options.exclude ?? []],
    ['rename', Object.keys(options.rename ?? {})],
  ] as const) {
    for (const name of names) {
      const prop = live.properties[name] ?? live.root.properties[name];
      if (!prop) {
        throw VersioningError.unknownProperty(live.className, name, known, option);
      }
      if (option === 'exclude' && prop.primary) {
        throw VersioningError.primaryKeyExcluded(live.className, name);
      }
    }
  }
  for (const prop of live.props) {
    const name = options.rename?.[prop.name] ?? prop.name;
    if (MEMBERS.includes(name) && !options.exclude?.includes(prop.name) && prop.persist !== false) {
      throw VersioningError.nameCollision(live.className, prop.name);
    }
  }
  const versionsProperty = options.versionsProperty ?? 'versions';
  if (live.properties[versionsProperty]) {
    throw VersioningError.versionsCollision(live.className, versionsProperty);
  }
}

function checkColumns(live: EntityMetadata, copied: readonly EntityProperty[], context: DeriveContext): void {
  const taken = new Set(copied.flatMap(prop => prop.fieldNames));
  for (const [option, column] of Object.entries(context.options.columns)) {
    if (taken.has(column)) {
      throw VersioningError.columnCollision(live.className, column, option);
    }
  }
}
