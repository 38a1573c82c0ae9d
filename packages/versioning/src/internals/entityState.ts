import {
  helper,
  TransactionContext,
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
} from '@mikro-orm/core';

/*
 * Internals of MikroORM leaned on: what `helper(entity)`, exported and marked `@internal`, knows of an entity.
 * `test/internals.test.ts` fails when MikroORM changes it.
 */

/** Whether the value is an entity, loaded or a reference. */
export function isEntity(value: unknown): value is object {
  return typeof value === 'object' && value !== null && (helper(value) as object | undefined) !== undefined;
}

/** What a value is called in an error. */
export function describe(value: unknown): string {
  if (isEntity(value)) {
    return metaOf(value).className;
  }
  return typeof value === 'object' && value !== null ? (value.constructor?.name ?? 'an object') : String(value);
}

/** Metadata of the entity's class. */
export function metaOf(entity: object): EntityMetadata {
  return helper(entity).__meta as unknown as EntityMetadata;
}

/**
 * The manager to ask about the entity: inside of `em.transactional()` that of the transaction, where it holds the
 * entity, since another one would wait for it, or not be part of it. `undefined` for a new entity that was never flushed.
 */
export function currentManagerOf(entity: object): EntityManager | undefined {
  const own = managerOf(entity);
  const ambient = own && TransactionContext.getEntityManager(own.name);
  const holds =
    ambient !== undefined &&
    ambient.getDriver() === own!.getDriver() &&
    ambient.getUnitOfWork(false).getIdentityMap().getByEntity(entity) === entity;
  return holds ? ambient : own;
}

/** Metadata of the entity's class in its own MikroORM instance: another one may share the class. */
export function ownMetaOf(entity: object): EntityMetadata {
  const meta = metaOf(entity);
  return (managerOf(entity)?.getMetadata().find(meta.class) as EntityMetadata | undefined) ?? meta;
}

/** The manager that the entity belongs to; `undefined` for a new one that was never flushed. */
export function managerOf(entity: object): EntityManager | undefined {
  return helper(entity).__em as EntityManager | undefined;
}

/** The schema that the entity is of; `undefined` where it says nothing else than its manager. */
export function ownSchemaOf(entity: object): string | undefined {
  const { __schema: schema } = helper(entity);
  return schema === '*' ? undefined : schema;
}

/** The option by which a query goes to the schema; nothing for a class that has one of its own, or the manager's alone. */
export function schemaOption(meta: EntityMetadata, schema: string | undefined): { readonly schema?: string } {
  return schema !== undefined && meta.root.schema === '*' ? { schema } : {};
}

/** The state that was last loaded or flushed, by property, as the database represents it; `undefined` for a new entity. */
export function snapshotOf(entity: object): Record<string, unknown> | undefined {
  return helper(entity).__originalEntityData as Record<string, unknown> | undefined;
}

/** Whether the entity is more than a reference. */
export function isLoaded(entity: object): boolean {
  return helper(entity).__initialized;
}

/** Names of the properties that were loaded; a partial load leaves some out. */
export function loadedProperties(entity: object): ReadonlySet<string> {
  return helper(entity).__loadedProperties;
}

/** Makes a loaded entity a reference again, in every manager that holds it: the next query that finds it loads it anew. */
export function markStale(entity: object, em: EntityManager): void {
  const wrapped = helper(entity);
  wrapped.__initialized = false;
  // MikroORM writes what a reference holds, unless it equals the snapshot in this very form
  const snapshot: Record<string, unknown> = em.getComparator().prepareEntity(entity as never);
  // which leaves out what says the class of a row
  delete snapshot[wrapped.__meta.root.discriminatorColumn as string];
  wrapped.__originalEntityData = snapshot;
}

/**
 * Makes a to-one relation of a loaded entity lead nowhere, without telling the other side. Where it has a column, the
 * entity becomes a reference again, since the column keeps its value.
 */
export function forgetTarget(entity: object, prop: EntityProperty, em: EntityManager): void {
  const data = helper(entity).__data;
  if (prop.persist === false) {
    Object.assign(prop.name in data ? data : entity, { [prop.name]: null });
  } else {
    delete data[prop.name];
    markStale(entity, em);
  }
}

/** Whether the entity is in an identity map. */
export function isManaged(entity: object): boolean {
  return helper(entity).__managed ?? false;
}

/** The entity's key: a value, or an array in the order of the primary key where it is composite, nested where it has keys of others in it. */
export function primaryKeyOf(entity: object): unknown {
  const keys = metaOf(entity).primaryKeys.map(name => keyOrValue((entity as Record<string, unknown>)[name]));
  return keys.length === 1 ? keys[0] : keys;
}

/** The key of an entity, and any other value as it is. */
export function keyOrValue(value: unknown): unknown {
  return isEntity(value) ? primaryKeyOf(value) : value;
}
