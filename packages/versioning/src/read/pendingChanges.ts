import {
  JsonType,
  type Collection,
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
  type FromEntityType,
} from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import { loadedProperties, managerOf, snapshotOf } from '../internals/entityState.ts';
import { hasColumns } from '../metadata/properties.ts';
import type { VersionInfo } from '../metadata/versionClass.ts';
import type { Changeset } from '../model/Version.ts';
import { rootProperty, shownKey, shownValue } from './shownValue.ts';
import { requireVersioned } from './versions.ts';

/**
 * What the next flush would change, synchronously and without a query: `{ name: ['New article', 'Updated article'] }`,
 * always `[old, new]`. For a new entity old is `null`; for a removed one new is `null` and collections are not listed.
 * Relations appear with their keys (`null` while the database has not given one), many-to-many collections with the
 * keys before and after; what a collection held before is `null` where it was never loaded.
 *
 * Throws a `VersioningError` for an entity that is not versioned, and for a property that was changed without having been
 * loaded.
 */
export function changeset<Entity extends object>(entity: Entity): Changeset<FromEntityType<Entity>> {
  const info = requireVersioned(entity);
  return { ...changedColumns(entity, info), ...changedCollections(entity, info) } as Changeset<FromEntityType<Entity>>;
}

/** Whether the next flush would record a version of this entity. A changed collection alone makes none. */
export function isModified(entity: object): boolean {
  const info = requireVersioned(entity);
  const em = managerOf(entity);
  if (!em || !snapshotOf(entity) || isRemoved(entity)) {
    return true;
  }
  const names = info.properties.map(property => property.live);
  return changedNames(entity, em, info.live).some(name => names.includes(name));
}

function changedColumns(entity: object, info: VersionInfo): Pairs {
  const { live: meta } = info;
  const em = managerOf(entity);
  const snapshot = snapshotOf(entity);
  const names = info.properties.map(property => property.live);
  const values = entity as Record<string, unknown>;
  if (!snapshot || !em) {
    return listNonNull(names, values, meta, value => [null, value]);
  }
  const before = restoreSnapshot(em, meta, snapshot);
  if (isRemoved(entity)) {
    names.forEach(name => requireKnown(entity, name, meta));
    return listNonNull(names, before, meta, value => [value, null]);
  }
  return Object.fromEntries(
    changedNames(entity, em, meta)
      .filter(name => names.includes(name))
      .map(name => [name, [oldValue(entity, name, before, meta), shown(values[name], name, meta)]]),
  );
}

/** Names of the properties that differ from what was loaded, in the entity's order. */
function changedNames(entity: object, em: EntityManager, meta: EntityMetadata): string[] {
  const comparator = em.getComparator();
  const current = comparator.prepareEntity(entity as never);
  const diff = comparator.diffEntities(meta.class, snapshotOf(entity) as never, current);
  const changed = new Set(Object.keys(diff).map(name => rootProperty(meta.properties[name as never]!, meta).name));
  return meta.props.map(prop => prop.name).filter(name => changed.has(name));
}

/** What the property was. Throws a `VersioningError` where it was changed without having been loaded. */
function oldValue(entity: object, name: string, before: Record<string, unknown>, meta: EntityMetadata): unknown {
  requireKnown(entity, name, meta);
  return shown(before[name], name, meta);
}

/** Whether it is known what the property was: it was loaded, or the snapshot has it, with all parts of an embeddable. */
function requireKnown(entity: object, name: string, meta: EntityMetadata): void {
  const snapshot = snapshotOf(entity)!;
  const parts = meta.comparableProps.filter(prop => rootProperty(prop, meta).name === name && hasColumns(prop));
  const isKnown = parts.every(prop => prop.name in snapshot || loadedProperties(entity).has(prop.name));
  if (!isKnown && !loadedProperties(entity).has(name)) {
    throw VersioningError.unloadedChange(meta.className, name);
  }
}

function listNonNull(
  names: readonly string[],
  values: Record<string, unknown>,
  meta: EntityMetadata,
  pair: (value: unknown) => readonly [unknown, unknown],
): Pairs {
  const entries = names.map(name => [name, shown(values[name], name, meta)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== null).map(([name, value]) => [name, pair(value)]));
}

type Pairs = Record<string, readonly [old: unknown, new: unknown]>;

function isRemoved(entity: object): boolean {
  const em = managerOf(entity);
  return (
    em
      ?.getUnitOfWork(false)
      .getRemoveStack()
      .has(entity as never) ?? false
  );
}

/** The snapshot as an entity would show it: custom types, embeddables and dates in their own form. */
function restoreSnapshot(em: EntityManager, meta: EntityMetadata, snapshot: object): Record<string, unknown> {
  const data = Object.entries(snapshot).map(([name, value]) => {
    const prop = meta.properties[name as never] as EntityProperty | undefined;
    // snapshots keep JSON as text, whatever the driver returns
    return [name, prop?.customType instanceof JsonType && typeof value === 'string' ? parseJson(value) : value];
  });
  return em.fork().map(meta.class, Object.fromEntries(data) as never, { mapped: true }) as Record<string, unknown>;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function shown(value: unknown, name: string, meta: EntityMetadata): unknown {
  return shownValue(value, meta.properties[name as never]!);
}

function changedCollections(entity: object, info: VersionInfo): Pairs {
  const changes: Pairs = {};
  if (isRemoved(entity)) {
    return changes;
  }
  for (const { live } of info.links) {
    const collection = (entity as Record<string, unknown>)[live] as Collection<object> | undefined;
    if (!collection?.isDirty()) {
      continue;
    }
    const keys = (items: readonly object[]) => items.map(item => shownKey(item, collection.property));
    const snapshot = collection.getSnapshot();
    changes[live] = [snapshot ? keys(snapshot) : null, keys(collection.getItems(false))];
  }
  return changes;
}
