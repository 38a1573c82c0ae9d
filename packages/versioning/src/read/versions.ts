import type { EntityManager, EntityMetadata, EntityName, FilterQuery } from '@mikro-orm/core';
import {
  currentManagerOf,
  describe,
  isEntity,
  keyOrValue,
  metaOf,
  ownMetaOf,
  ownSchemaOf,
  schemaOption,
} from '../internals/entityState.ts';
import { VersioningError } from '../errors.ts';
import { classOf, isMarked } from '../metadata/marks.ts';
import { mayBeVersioned, versionClassOf, versionInfos, type VersionInfo } from '../metadata/versionClass.ts';
import { Operation } from '../model/Operation.ts';
import { serializeKey } from '../model/Touched.ts';
import { VersionBase } from '../model/VersionBase.ts';
import type { AnyVersion, VersionClass } from '../model/Version.ts';
import type { EntityReference } from '../options.ts';

/**
 * The class of an entity's versions, for any of MikroORM's own queries:
 *
 *     await em.find(versionOf(Article), { category: { name: 'News' } }, { orderBy: { transaction: 'desc' } });
 *
 * Throws a `VersioningError` for a class that is not versioned.
 */
export function versionOf<Entity extends EntityName>(entity: Entity): VersionClass<Entity> {
  const target = classOf(entity as unknown as EntityReference);
  if (!mayBeVersioned(target) && !isMarked(target)) {
    throw VersioningError.notVersioned((target as { name: string }).name);
  }
  return versionClassOf(target) as unknown as VersionClass<Entity>;
}

/**
 * How many versions a row has, DELETE versions included. One query.
 *
 * Throws a `VersioningError` for an entity that is not versioned or not managed.
 */
export async function countVersions(entity: object): Promise<number> {
  const info = requireVersioned(entity);
  const em = requireManaged(entity);
  const schema = schemaOption(info.version, ownSchemaOf(entity));
  return em.count(info.version.class, keyCondition(info, liveKey(entity, info)) as never, schema);
}

/**
 * Loads the whole history of the rows that these versions belong to, into the same EntityManager, in one query for each
 * class, so that `previous`, `next`, `index` and `changeset` answer. Returns the versions that it was given.
 */
export async function loadHistory<Given extends AnyVersion | readonly AnyVersion[]>(versions: Given): Promise<Given> {
  const list = (Array.isArray(versions) ? versions : [versions]) as object[];
  const other = list.find(version => !(version instanceof VersionBase));
  if (other !== undefined) {
    throw VersioningError.notAVersion(describe(other), 'loadHistory');
  }
  const bySchema = Map.groupBy(list, version => ownSchemaOf(version));
  const groups = [...bySchema].flatMap(([schema, some]) =>
    [...Map.groupBy(some, version => ownMetaOf(version))].map(([meta, group]) => ({ schema, meta, group })),
  );
  for (const { schema, meta, group } of groups) {
    const info = versionInfos.get(meta)!;
    const em = currentManagerOf(group[0]!)!;
    const keys = new Map(
      group.map(version => [
        serializeKey([Object.values(versionKey(version, info))].flat(Infinity)),
        versionKey(version, info),
      ]),
    );
    const conditions = [...keys.values()].map(key => keyCondition(info, key));
    await em.find(meta.class, { $or: conditions } as FilterQuery<object>, {
      orderBy: { versionId: 'asc' } as never,
      ...schemaOption(meta, schema),
    });
  }
  return versions;
}

/** What is known of the versions of an entity. Throws a `VersioningError` where there are none. */
export function requireVersioned(entity: object): VersionInfo {
  const meta = isEntity(entity) ? ownMetaOf(entity) : undefined;
  const info = meta && versionInfos.get(meta);
  if (!info || entity instanceof VersionBase) {
    throw VersioningError.notVersioned(describe(entity));
  }
  return info;
}

export function requireManaged(entity: object): EntityManager {
  const em = currentManagerOf(entity);
  if (!em) {
    throw VersioningError.notManaged(metaOf(entity).className);
  }
  return em;
}

/** The key of the live row that a version belongs to, by the names of the live key properties. */
export function versionKey(version: object, info: VersionInfo): Record<string, unknown> {
  return Object.fromEntries(
    info.live.primaryKeys.map(name => {
      const property = info.properties.find(each => each.live === name)!;
      return [name, keyValue((version as Record<string, unknown>)[property.value])];
    }),
  );
}

/** One text for each row, from an entity or a key by property. */
export function identify(meta: EntityMetadata, row: object): string {
  const key = meta.primaryKeys.map(name => keyOrValue((row as Record<string, unknown>)[name]));
  return `${meta.root.className}:${serializeKey(key.flat(Infinity))}`;
}

/** `Article#1`, from an entity or a key by property. */
export function rowName(meta: EntityMetadata, row: object): string {
  const key = meta.primaryKeys.map(name => keyOrValue((row as Record<string, unknown>)[name]));
  return `${meta.className}#${key.flat(Infinity).join('-')}`;
}

/** The key of a live entity, by property; relations as their keys. */
export function liveKey(entity: object, info: VersionInfo): Record<string, unknown> {
  return Object.fromEntries(
    info.live.primaryKeys.map(name => [name, keyValue((entity as Record<string, unknown>)[name])]),
  );
}

/** A key as a condition, from an entity, a plain value, or an array in the order of the primary key, or an object. */
export function keyFrom(raw: unknown, meta: EntityMetadata): Record<string, unknown> {
  const value = keyOrValue(raw);
  if (!meta.compositePK) {
    return { [meta.primaryKeys[0]!]: value };
  }
  const named = !Array.isArray(value);
  return Object.fromEntries(
    meta.primaryKeys.map((name, i) => [name, keyOrValue((value as Record<string, unknown>)[named ? name : i])]),
  );
}

/** A condition on a version's own key properties, from the key of the live row. */
export function keyCondition(info: VersionInfo, key: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(key).map(([name, value]) => [info.properties.find(each => each.live === name)!.value, value]),
  );
}

function keyValue(value: unknown): unknown {
  return keyOrValue(value);
}

/** What is known of the class of a version. */
export function infoOf(version: object): VersionInfo {
  return versionInfos.get(ownMetaOf(version))!;
}

/** Whether a version records a deletion. */
export function isDeletion(version: object): boolean {
  return (version as AnyVersion).operationType === Operation.DELETE;
}

/** As many at a time as one query may name, each with the parts of its key. */
export function* chunksOf<Item>(items: readonly Item[]): Generator<Item[]> {
  for (let i = 0; i < items.length; i += CHUNK) {
    yield items.slice(i, i + CHUNK);
  }
}

const CHUNK = 1000;

/** Whether an entity is a version. */
export function isVersion(entity: object): entity is AnyVersion {
  return entity instanceof VersionBase;
}
