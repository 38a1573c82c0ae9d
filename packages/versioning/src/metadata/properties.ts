import { ReferenceKind, type EntityMetadata, type EntityProperty, type Platform, type Type } from '@mikro-orm/core';
import type { Column, HistoryColumns } from '../model/HistoryTable.ts';

/** Whether a resolved property has columns of its own in the entity's table. */
export function hasColumns(prop: EntityProperty): boolean {
  if (prop.persist === false || prop.formula || !prop.fieldNames?.length) {
    return false;
  }
  switch (prop.kind) {
    case ReferenceKind.SCALAR:
    case ReferenceKind.MANY_TO_ONE:
      return true;
    case ReferenceKind.ONE_TO_ONE:
      return prop.owner;
    case ReferenceKind.EMBEDDED:
      // an inlined embeddable lives in the columns of its parts
      return prop.object === true || prop.array === true;
    default:
      return false;
  }
}

/** Whether a foreign key shares columns with others. MikroORM leaves it `undefined` where only those have a value. */
export function sharesColumns(prop: EntityProperty): boolean {
  return isToOne(prop) && prop.ownColumns !== undefined && prop.ownColumns.length < prop.fieldNames.length;
}

export function isToOne(prop: EntityProperty): boolean {
  return prop.kind === ReferenceKind.MANY_TO_ONE || prop.kind === ReferenceKind.ONE_TO_ONE;
}

export function isToMany(prop: EntityProperty): boolean {
  return prop.kind === ReferenceKind.ONE_TO_MANY || prop.kind === ReferenceKind.MANY_TO_MANY;
}

/** A relation whose first column says which class the others are the key of. */
export function isPolymorphicToOne(prop: EntityProperty): boolean {
  return isToOne(prop) && prop.polymorphic === true;
}

/** A many-to-many with targets of several classes. */
export function isPolymorphicToMany(prop: EntityProperty): boolean {
  return (
    prop.kind === ReferenceKind.MANY_TO_MANY && prop.polymorphic === true && (prop.polymorphTargets?.length ?? 0) > 1
  );
}

/** What a polymorphic relation calls a class, or the nearest one above it that it knows. */
export function discriminatorValueOf(prop: EntityProperty, target: object): string | undefined {
  for (let at: unknown = target; typeof at === 'function'; at = Object.getPrototypeOf(at)) {
    const found = Object.entries(prop.discriminatorMap ?? {}).find(([, each]) => (each as unknown) === at);
    if (found) {
      return found[0];
    }
  }
  return undefined;
}

/** Columns of a property with the types they have in a history table. */
export function columnsOf(prop: EntityProperty, platform: Platform): Column[] {
  const types = historyColumnTypes(prop, platform);
  return prop.fieldNames.map((name, i) => ({ name, type: types[i]! }));
}

/** A history table numbers nothing itself: `serial` becomes `int`. */
function historyColumnTypes(prop: EntityProperty, platform: Platform): string[] {
  if (!prop.autoincrement) {
    return prop.columnTypes;
  }
  const type = prop.customType ?? platform.getMappedType(prop.type);
  return [type.getColumnType({ ...prop, autoincrement: false }, platform)];
}

/**
 * A resolved property as it stands on the version entity: same name, columns and type, without anything that would
 * constrain history (keys, uniques, checks, defaults) or act on it (cascades, hooks, generated values).
 */
export function copyProperty(
  prop: EntityProperty,
  name: string,
  meta: EntityMetadata,
  platform: Platform,
): EntityProperty {
  const copy = { ...prop, name } as EntityProperty;
  copy.columnTypes = hasColumns(prop) ? historyColumnTypes(prop, platform) : prop.columnTypes;
  copy.nullable = !prop.primary;
  copy.primary = false;
  copy.autoincrement = false;
  copy.cascade = [];
  copy.createForeignKeyConstraint = false;
  for (const key of DROPPED) {
    delete copy[key];
  }
  if (!prop.customType && prop.runtimeType === 'Date') {
    // on SQLite, MikroORM takes every loaded value of type 'datetime' for a changed one
    copy.type = 'Date';
  }
  if (!prop.nativeEnumName) {
    // an enum's check constraint would refuse history when an item is removed
    delete copy.enum;
    delete copy.items;
  }
  if (prop.customType) {
    copy.customType = copyType(prop.customType, copy, meta);
  }
  return copy;
}

const DROPPED = [
  'unique',
  'index',
  'default',
  'defaultRaw',
  'onCreate',
  'onUpdate',
  'generated',
  'version',
  'concurrencyCheck',
  'orphanRemoval',
  'deleteRule',
  'updateRule',
  'deferMode',
  'inversedBy',
  'mappedBy',
  // a changeset needs every property
  'lazy',
  'accessor',
  'getter',
  'setter',
] as const satisfies readonly (keyof EntityProperty)[];

/**
 * Discovery writes `prop` and `meta` into a type; sharing it would re-point the live one. In the history every property
 * may be null, which a type that was made for keys or required properties need not know.
 */
function copyType(type: Type<unknown>, prop: EntityProperty, meta: EntityMetadata): Type<unknown> {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(type) as object) as Type<unknown>, type);
  copy.prop = prop;
  copy.meta = meta;
  copy.convertToDatabaseValue = (value, ...rest) =>
    value === null ? null : type.convertToDatabaseValue(value, ...rest);
  copy.convertToJSValue = (value, ...rest) => (value === null ? null : type.convertToJSValue(value, ...rest));
  return copy;
}

/** A scalar column that the history tables add. */
export function scalarProperty(
  name: string,
  column: string,
  type: string,
  more: Partial<EntityProperty> = {},
): EntityProperty {
  return {
    name,
    kind: ReferenceKind.SCALAR,
    type: 'number',
    runtimeType: 'number',
    fieldNames: [column],
    columnTypes: [type],
    ...more,
  } as EntityProperty;
}

/** A to-one relation of a history entity: never a constraint, never a cascade. */
export function toOneProperty(
  name: string,
  target: EntityMetadata,
  columns: readonly string[],
  more: Partial<EntityProperty> = {},
): EntityProperty {
  const keys = target.getPrimaryProps();
  const single = keys.length === 1 ? keys[0]! : undefined;
  return {
    name,
    kind: ReferenceKind.MANY_TO_ONE,
    type: target.className,
    target: target.class,
    entity: () => target.class,
    targetMeta: target,
    referencedPKs: target.primaryKeys,
    referencedTableName: target.tableName,
    referencedColumnNames: keys.flatMap(key => key.fieldNames),
    fieldNames: [...columns],
    joinColumns: [...columns],
    ownColumns: [...columns],
    columnTypes: keys.flatMap(key => key.columnTypes),
    runtimeType: single?.runtimeType ?? 'unknown',
    customType: single?.customType,
    owner: true,
    nullable: true,
    cascade: [],
    createForeignKeyConstraint: false,
    ...more,
  } as unknown as EntityProperty;
}

/** Property of a version that holds the key of a relation to a versioned target. */
export function keyName(name: string): string {
  return `${name}__key`;
}

/** What MikroORM hands to a formula besides: the schema of its query. */
export interface FormulaTable {
  readonly schema?: string | undefined;
}

/** What MikroORM hands to a formula: `alias.column` by property, unquoted. */
export type FormulaColumns = Readonly<Record<string, string>>;

/** The alias of the history table in a formula, for columns that no property maps alone. */
export function aliasOf(columns: FormulaColumns, names: HistoryColumns): string {
  return columns['versionId']!.slice(0, -names.versionId.length - 1);
}
