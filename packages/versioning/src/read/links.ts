import type { EntityProperty } from '@mikro-orm/core';
import { keyOrValue } from '../internals/entityState.ts';
import { isPolymorphicToMany } from '../metadata/properties.ts';
import type { VersionedLink } from '../metadata/versionClass.ts';
import { Operation } from '../model/Operation.ts';
import { serializeKey } from '../model/Touched.ts';

/** A condition on the spans of one row's links by a relation; without a key on those of all rows. */
export function linksOf({ link, end }: VersionedLink, key?: unknown): Record<string, unknown> {
  const condition: Record<string, unknown> = key === undefined ? {} : { [link.ends[end]]: key };
  if (link.table.kind === 'row') {
    // the versions of a pivot entity
    condition['operationType'] = { $ne: Operation.DELETE };
  }
  const isOfAny = isPolymorphicToMany(link.property);
  for (const each of ['owner', 'target'] as const) {
    const type = link[`${each}Type`];
    if (type !== undefined && !(isOfAny && each === 'target' && end === 'owner')) {
      condition[`${each}Type`] = type;
    }
  }
  return condition;
}

/** The key at the other end of a link; `[type, key]` where the relation leads to several classes. */
export function otherEnd({ link, end }: VersionedLink, span: Record<string, unknown>): unknown {
  const key = keyOrValue(span[link.ends[end === 'owner' ? 'target' : 'owner']]);
  return end === 'owner' && isPolymorphicToMany(link.property) ? [span['targetType'], key] : key;
}

/** The key of the row whose links they are. */
export function ownEnd({ link, end }: VersionedLink, span: Record<string, unknown>): unknown {
  return keyOrValue(span[link.ends[end]]);
}

/** The order of spans: that of the relation where it has a fixed one. */
export function orderOfLinks({ link }: VersionedLink): Record<string, 'asc'>[] {
  const { property, pivot, version } = link;
  const position = property.fixedOrder && pivot.properties[property.fixedOrderColumn as never];
  const column = position && (position as EntityProperty).fieldNames[0]!;
  const kept = column && version.props.find(prop => prop.fieldNames?.[0] === column)?.name;
  return [...(kept ? [{ [kept]: 'asc' as const }] : []), { versionId: 'asc' }];
}

/** One text for each key at an end of a link. */
export function keyText(key: unknown): string {
  return serializeKey([key].flat(Infinity));
}

/** Whether links lead to the same rows; without an order of their own they are a set. */
export function areSameKeys(a: readonly unknown[], b: readonly unknown[], isOrdered: boolean): boolean {
  const [x, y] = [a, b].map(keys => {
    const texts = keys.map(keyText);
    return JSON.stringify(isOrdered ? texts : texts.toSorted());
  });
  return x === y;
}
