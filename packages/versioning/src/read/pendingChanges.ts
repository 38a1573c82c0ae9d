import {
  JsonType,
  type Collection,
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
  type FromEntityType,
} from '@mikro-orm/core';
import { managerOf, primaryKeyOf, snapshotOf } from '../internals/entityState.ts';
import type { VersionInfo } from '../metadata/versionClass.ts';
import type { Changeset } from '../model/Version.ts';
import { rootProperty, shownValue } from './shownValue.ts';
import { requireVersioned } from './versions.ts';

/**
 * What the next flush would change, synchronously and without a query: `{ name: ['New article', 'Updated article'] }`,
 * always `[old, new]`. For a new entity old is `null`; for a removed one new is `null` and collections are not listed.
 * Relations appear with their keys (`null` while the database has not given one), many-to-many collections with the
 * keys before and after; what a collection held before is `null` where it was never loaded.
 *
 * Throws a `VersioningError` for an entity that is not versioned.
 */
export function changeset<Entity extends object>(entity: Entity): Changeset<FromEntityType<Entity>> {
  const info = requireVersioned(entity);
  return { ...changedColumns(entity, info), ...changedCollections(entity, info) } as Changeset<FromEntityType<Entity>>;
}

/** Whether the next flush would record a version of this entity. A changed collection alone makes none. */
export function isModified(entity: object): boolean {
  return Object.keys(changedColumns(entity, requireVersioned(entity))).length > 0;
}

function changedColumns(entity: object, info: VersionInfo): Pairs {
  const { live: meta } = info;
  const em = managerOf(entity);
  const snapshot = snapshotOf(entity);
  const names = info.properties.map(property => property.live);
  const values = entity as Record<string, unknown>;
  const removed = isRemoved(entity);
  if (removed || !snapshot || !em) {
    const entries = names
      .map(name => [name, shown(values[name], name, meta)] as const)
      .filter(([, value]) => value !== null);
    return Object.fromEntries(entries.map(([name, value]) => [name, removed ? [value, null] : [null, value]]));
  }
  const comparator = em.getComparator();
  const diff = comparator.diffEntities(meta.class, snapshot as never, comparator.prepareEntity(entity as never));
  const changed = new Set(Object.keys(diff).map(name => rootProperty(meta.properties[name as never]!, meta).name));
  const before = restoreSnapshot(em, meta, snapshot);
  return Object.fromEntries(
    names
      .filter(name => changed.has(name))
      .map(name => [name, [shown(before[name], name, meta), shown(values[name], name, meta)]]),
  );
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
  return em.fork().map(meta.class, Object.fromEntries(data) as never) as Record<string, unknown>;
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
    const keys = (items: readonly object[]) => items.map(item => primaryKeyOf(item) ?? null);
    const snapshot = collection.getSnapshot();
    changes[live] = [snapshot ? keys(snapshot) : null, keys(collection.getItems(false))];
  }
  return changes;
}
