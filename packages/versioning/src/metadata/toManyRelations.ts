import {
  ReferenceKind,
  type EntityMetadata,
  type EntityProperty,
  type FilterQuery,
  type MetadataStorage,
  type Platform,
} from '@mikro-orm/core';
import { joinPivotBySql } from '../internals/asOfJoins.ts';
import { wholeHierarchy } from './hierarchy.ts';
import { add, resolvedEntity, type DerivedVersion } from './deriveVersion.ts';
import { scalarProperty, toOneProperty } from './properties.ts';
import { inSchema } from './schemas.ts';

/** A to-many relation of a version, and the SQL of its pairs: `select owner_id, item_0, … [, position]`. */
export interface ToMany {
  readonly name: string;
  /** The relation of the live entity. */
  readonly live: EntityProperty;
  readonly sql: string;
}

/** Where entities are kept, and how their database calls them. */
export interface Storage {
  readonly storage: MetadataStorage;
  readonly platform: Platform;
}

/** Adds a relation to `item`: versions, or live rows. */
export function addToMany(
  { version }: DerivedVersion,
  { name, live, sql }: ToMany,
  item: EntityMetadata,
  storage: Storage,
): void {
  const keys = keyColumns(item).map((_, i) => `item_${i}`);
  const pivot = virtualPivot(version, name, sql, ['owner', 'item'], storage);
  addOwner(pivot, version);
  add(pivot, toOneProperty('item', wholeHierarchy(item), keys, { primary: true, nullable: false }));
  finishPivot(pivot, live, sql);
  const inverse = `${version.className}_${name}__inverse`;
  add(version, {
    ...relation(pivot, live),
    ...targetOf(item),
    name,
    owner: true,
    inversedBy: inverse,
    joinColumns: ['owner_id'],
    inverseJoinColumns: keys,
    referencedColumnNames: keyColumns(version),
    fieldNames: [name],
    ...(live.orderBy ? { orderBy: live.orderBy } : {}),
    ...(live.where ? { where: live.where } : {}),
    ...(live.hidden ? { hidden: true } : {}),
    ...(live.inherited ? { inherited: true } : {}),
  } as unknown as EntityProperty);
  // like the inverse side that MikroORM makes up for a unidirectional relation: never hydrated, for its own queries
  add(item, {
    ...relation(pivot, live),
    ...targetOf(version),
    name: inverse,
    owner: false,
    hydrate: false,
    hidden: true,
    mappedBy: name,
    joinColumns: keys,
    inverseJoinColumns: ['owner_id'],
    referencedColumnNames: keyColumns(item),
    fieldNames: [inverse],
  } as unknown as EntityProperty);
  item.sync();
}

/** Adds a relation to items of several classes; `sql` selects which one as `item_type`. */
export function addPolymorphicToMany(
  { version }: DerivedVersion,
  { name, live, sql }: ToMany,
  items: Readonly<Record<string, EntityMetadata>>,
  storage: Storage,
): void {
  const targets = Object.values(items);
  const pivot = virtualPivot(version, name, sql, ['owner', 'item_type', 'item'], storage);
  addOwner(pivot, version);
  const key = { primary: true, nullable: false } as const;
  add(pivot, scalarProperty('item_type', 'item_type', 'varchar', { ...key, type: 'string', runtimeType: 'string' }));
  const { customType, type, runtimeType } = targets[0]!.getPrimaryProp();
  const id = { ...key, type, runtimeType, ...(customType ? { customType } : {}) };
  add(pivot, scalarProperty('item', 'item_0', targets[0]!.getPrimaryProp().columnTypes[0]!, id));
  finishPivot(pivot, live, sql);
  add(version, {
    ...relation(pivot, live),
    ...targetOf(targets[0]!),
    type: targets.map(each => each.className).join(' | '),
    name,
    owner: true,
    polymorphic: true,
    polymorphTargets: targets,
    discriminator: 'item',
    discriminatorColumn: 'item_type',
    discriminatorMap: Object.fromEntries(Object.entries(items).map(([value, each]) => [value, each.class])),
    joinColumns: ['owner_id'],
    inverseJoinColumns: ['item_0'],
    referencedColumnNames: keyColumns(version),
    fieldNames: [name],
    ...(live.hidden ? { hidden: true } : {}),
    ...(live.inherited ? { inherited: true } : {}),
  } as unknown as EntityProperty);
}

/** A pivot entity without a table: MikroORM reads it from its expression. */
function virtualPivot(
  version: EntityMetadata,
  name: string,
  sql: string,
  primaryKeys: readonly string[],
  { storage, platform }: Storage,
): EntityMetadata {
  const className = `${version.className}_${name}`;
  const pivotClass = { [className]: class {} }[className]!;
  const pivot: EntityMetadata = resolvedEntity(pivotClass, {
    tableName: `${version.tableName}_${name}_as_of`,
    compositePK: true,
    simplePK: false,
    pivotTable: true,
    primaryKeys: [...primaryKeys] as never,
    ...(version.schema === undefined ? {} : { schema: version.schema }),
    expression: virtualExpression(() => pivot, sql, platform) as never,
  });
  storage.set(pivot.class, pivot);
  return pivot;
}

function addOwner(pivot: EntityMetadata, version: EntityMetadata): void {
  add(pivot, toOneProperty('owner', version, ['owner_id'], { primary: true, nullable: false }));
}

function finishPivot(pivot: EntityMetadata, live: EntityProperty, sql: string): void {
  if (live.fixedOrder) {
    add(pivot, scalarProperty('position', 'position', 'integer'));
  }
  pivot.sync();
  joinPivotBySql(pivot, sql);
}

function relation(pivot: EntityMetadata, { fixedOrder }: EntityProperty): object {
  return {
    kind: ReferenceKind.MANY_TO_MANY,
    persist: false,
    cascade: [],
    nullable: true,
    pivotEntity: pivot.class,
    pivotTable: pivot.tableName,
    columnTypes: [],
    runtimeType: 'unknown',
    fixedOrder,
    ...(fixedOrder ? { fixedOrderColumn: 'position' } : {}),
  };
}

function targetOf(meta: EntityMetadata): object {
  return {
    type: meta.className,
    target: meta.class,
    entity: () => meta.class,
    targetMeta: wholeHierarchy(meta),
    referencedPKs: meta.primaryKeys,
  };
}

function keyColumns(meta: EntityMetadata): string[] {
  return meta.getPrimaryProps().flatMap(prop => prop.fieldNames);
}

/** The pivot's rows with a joined `item` where MikroORM populates, and the bare SQL where it asks for a FROM clause. */
function virtualExpression(pivot: () => EntityMetadata, sql: string, platform: Platform): unknown {
  interface QueryDriver {
    createQueryBuilderFromOptions(
      meta: EntityMetadata,
      where: FilterQuery<unknown>,
      options: object,
    ): Promise<{ execute(method: 'all'): Promise<unknown> }>;
  }
  interface Manager {
    schema?: string;
    getDriver(): unknown;
  }
  return (
    em: Manager | undefined,
    where: FilterQuery<unknown>,
    options: { populate?: unknown; schema?: string } = {},
  ): unknown => {
    const schema = options.schema ?? em?.schema;
    if (!options.populate || !em) {
      return inSchema(sql, schema, platform);
    }
    if (schema !== undefined) {
      // the query asks for the expression once more, with the manager alone
      em.schema = schema;
    }
    return (em.getDriver() as QueryDriver)
      .createQueryBuilderFromOptions(pivot(), where, { ...options, em })
      .then(builder => builder.execute('all'));
  };
}
