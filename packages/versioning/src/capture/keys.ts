import { Reference, type EntityMetadata, type EntityProperty, type Platform } from '@mikro-orm/core';
import { isEntity, metaOf } from '../internals/entityState.ts';
import { discriminatorValueOf, isPolymorphicToOne } from '../metadata/properties.ts';
import { SqlitePlatform } from '@mikro-orm/sql';
import { spell } from '../model/spelling.ts';
import type { KeyValues } from '../model/Touched.ts';

/**
 * The primary key of an entity in the database's own representation, flat, in the order of the key's columns; `undefined`
 * while the database has not given it one.
 */
export function keyOf(entity: object, meta: EntityMetadata, platform: Platform): KeyValues | undefined {
  const values: unknown[] = [];
  for (const prop of meta.getPrimaryProps()) {
    const value = (entity as Record<string, unknown>)[prop.name];
    const part = databaseValues(prop, value, platform);
    if (part === undefined) {
      return undefined;
    }
    values.push(...part);
  }
  return values;
}

/** A property's value, an entity or a key for relations, as its columns hold it; `undefined` where it is not complete. */
export function databaseValues(prop: EntityProperty, value: unknown, platform: Platform): KeyValues | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (isPolymorphicToOne(prop)) {
    const target = Reference.unwrapReference(value as object);
    const type = discriminatorValueOf(prop, target.constructor);
    const key = isEntity(target) ? keyOf(target, metaOf(target), platform) : undefined;
    return type !== undefined && key ? [type, ...key] : undefined;
  }
  if (prop.targetMeta && prop.kind !== 'embedded') {
    return targetKey(prop.targetMeta, Reference.unwrapReference(value as object), platform);
  }
  const stored = prop.customType ? prop.customType.convertToDatabaseValue(value, platform) : value;
  return [spell(portable(stored, platform), prop.columnTypes[0] ?? '')];
}

function targetKey(target: EntityMetadata, value: unknown, platform: Platform): KeyValues | undefined {
  if (isEntity(value)) {
    return keyOf(value, target, platform);
  }
  const parts = target.compositePK && Array.isArray(value) ? (value as unknown[]) : [value];
  const values = target.getPrimaryProps().map((prop, i) => databaseValues(prop, parts[i], platform));
  return values.every(each => each !== undefined) ? values.flat() : undefined;
}

/** A key taken from a snapshot, where values have the database's representation already. */
export function snapshotKey(
  snapshot: Readonly<Record<string, unknown>>,
  props: readonly EntityProperty[],
  platform: Platform,
): KeyValues | undefined {
  const values = props.map(prop =>
    flattenSnapshot(snapshot[prop.name], platform)?.map((value, i) => spell(value, prop.columnTypes[i] ?? '')),
  );
  return values.every(each => each !== undefined) ? values.flat() : undefined;
}

function flattenSnapshot(value: unknown, platform: Platform): unknown[] | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (Array.isArray(value)) {
    const parts = value.map(each => flattenSnapshot(each, platform));
    return parts.every(each => each !== undefined) ? parts.flat() : undefined;
  }
  return [portable(value, platform)];
}

/** A value that survives JSON: what the stores send keys in. */
function portable(value: unknown, platform: Platform): unknown {
  if (typeof value === 'bigint') {
    return value.toString();
  }
  if (value instanceof Date) {
    return isSqlite(platform) ? value.getTime() : value.toISOString();
  }
  if (value instanceof Uint8Array) {
    const hex = Buffer.from(value).toString('hex');
    return isSqlite(platform) ? hex : `\\x${hex}`;
  }
  return value;
}

/** SQLite keeps dates as milliseconds and takes blobs as hexadecimal text. */
function isSqlite(platform: Platform): boolean {
  return platform instanceof SqlitePlatform;
}
