import type { EntityManager, EntityMetadata, EntityProperty } from '@mikro-orm/core';
import {
  currentManagerOf,
  isLoaded,
  loadedProperties,
  managerOf,
  ownMetaOf,
  ownSchemaOf,
  primaryKeyOf,
  schemaOption,
} from '../internals/entityState.ts';
import { VersioningError } from '../errors.ts';
import { sharesColumns } from '../metadata/properties.ts';
import { versionInfos, type VersionedProperty, type VersionInfo } from '../metadata/versionClass.ts';
import type { Changeset } from '../model/Version.ts';
import { Operation } from '../model/Operation.ts';
import { linksOf, orderOfLinks, otherEnd } from './links.ts';
import { keyAsOnEntity, rootProperty, shownValue } from './shownValue.ts';

/** A version, as far as its accessors need to know it. */
export interface AnyVersion {
  readonly operationType: Operation;
  readonly previous: AnyVersion | null;
  readonly transaction: { readonly id: number };
}

/** What changed from the previous version to this one; see `Version.changeset`. */
export function changesetOf(version: AnyVersion): Changeset {
  const meta = ownMetaOf(version);
  const info = versionInfos.get(meta)!;
  requireLoaded(version, info);
  const { previous } = version;
  if (previous !== null) {
    requireLoaded(previous, info);
  }
  return version.operationType === Operation.DELETE
    ? compareStates(version, null)
    : compareStates(previous?.operationType === Operation.DELETE ? null : previous, version);
}

/**
 * What differs between two states of rows of one class, `null` where there is none: then every non-null property of the
 * other one is listed.
 */
export function compareStates(before: object | null, after: object | null): Changeset {
  if (before === null || after === null) {
    const pair = (value: unknown) => (before === null ? ([null, value] as const) : ([value, null] as const));
    const one = before ?? after;
    return one === null ? {} : listNonNull(one, pair);
  }
  const meta = ownMetaOf(after);
  return Object.fromEntries(
    findDiffering(before, after).map(property => [
      property.name,
      [shown(before, property, meta), shown(after, property, meta)] as const,
    ]),
  );
}

/** The properties by which two states of rows of one class differ. */
export function findDiffering(before: object, after: object): VersionedProperty[] {
  const meta = ownMetaOf(after);
  const differing = differingProperties(before, after, meta, managerOf(after) as EntityManager);
  return versionInfos
    .get(meta)!
    .properties.filter(property => (property.parts ?? [property.value]).some(part => differing.has(part)))
    .filter(property => {
      // a polymorphic relation that leads nowhere may keep a key, which says nothing without a class
      return !property.parts || [before, after].some(state => shown(state, property, meta) !== null);
    });
}

/** The changeset and, for each many-to-many relation that changed, the keys before and after. */
export async function changesetWithLinksOf(version: AnyVersion): Promise<Changeset> {
  const meta = ownMetaOf(version);
  const info = versionInfos.get(meta)!;
  const em = currentManagerOf(version)!;
  const changes: Record<string, Changeset[string]> = { ...changesetOf(version) };
  const key = info.live.primaryKeys.map(name =>
    shown(
      version,
      info.properties.find(each => each.live === name)!,
      meta,
    ),
  );
  const tx = version.transaction.id;
  for (const linked of info.links) {
    const spans = (await em.fork({ keepTransactionContext: true }).find(
      linked.link.version.class,
      {
        ...linksOf(linked, key.length === 1 ? key[0] : [key]),
        transaction: { $lte: tx },
        endTransactionId: { $gte: tx },
      } as never,
      { orderBy: orderOfLinks(linked) as never, ...schemaOption(linked.link.version, ownSchemaOf(version)) },
    )) as (Record<string, unknown> & { transaction: { id: number }; endTransactionId: number })[];
    const before = spans.filter(span => span.transaction.id < tx).map(span => otherEnd(linked, span));
    const after = spans.filter(span => span.endTransactionId > tx).map(span => otherEnd(linked, span));
    if (spans.some(span => span.transaction.id === tx || span.endTransactionId === tx)) {
      changes[linked.name] = [before, after];
    }
  }
  return changes;
}

/** Whether every versioned property was loaded; a partial load must not show up as a change to `null`. */
export function requireLoaded(version: object, info: VersionInfo): void {
  const meta = ownMetaOf(version);
  const name = meta.className;
  const key = String(primaryKeyOf(version));
  if (!isLoaded(version)) {
    throw VersioningError.notLoaded(
      `${name}#${key}`,
      `await loadHistory(version), or populate 'previous' along with the version`,
    );
  }
  const isMissing = (property: string) =>
    !loadedProperties(version).has(property) &&
    (version as unknown as Record<string, unknown>)[property] === undefined &&
    !sharesColumns(meta.properties[property as never]!);
  const missing = info.properties.find(({ value, parts }) => (parts ?? [value]).some(isMissing));
  if (missing) {
    throw VersioningError.notLoaded(`${name}#${key}.${missing.name}`, `find the version without 'fields'`);
  }
}

function listNonNull(version: object, pair: (value: unknown) => readonly [unknown, unknown]): Changeset {
  const meta = ownMetaOf(version);
  const entries = versionInfos
    .get(meta)!
    .properties.map(property => [property.name, shown(version, property, meta)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== null).map(([name, value]) => [name, pair(value)]));
}

/** Names of the properties whose database representation differs; an embeddable's part counts as its root property. */
function differingProperties(a: object, b: object, meta: EntityMetadata, em: EntityManager): Set<string> {
  const comparator = em.getComparator();
  const diff = comparator.diffEntities(
    meta.class,
    comparator.prepareEntity(a as never),
    comparator.prepareEntity(b as never),
  );
  return new Set(Object.keys(diff).map(name => rootProperty(meta.properties[name as never]!, meta).name));
}

function shown(version: object, { value: name, parts }: VersionedProperty, meta: EntityMetadata): unknown {
  if (parts) {
    const values = parts.map(part => (version as Record<string, unknown>)[part] ?? null);
    return values.includes(null) ? null : values;
  }
  const prop = meta.properties[name as never] as EntityProperty;
  const value = shownValue((version as Record<string, unknown>)[name], prop);
  // a relation's key comes as the database has it
  return prop.mapToPk && prop.hidden ? keyAsOnEntity(value, prop.targetMeta!, managerOf(version)!) : value;
}
