import {
  Reference,
  ReferenceKind,
  ScalarReference,
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
} from '@mikro-orm/core';

import { isEntity, metaOf, primaryKeyOf } from '../internals/entityState.ts';
import { discriminatorValueOf, isPolymorphicToMany, isPolymorphicToOne } from '../metadata/properties.ts';

/**
 * A property's value as a changeset lists it: keys instead of entities, the inner value of a scalar reference, `null`
 * instead of `undefined`. A target that has no key yet is `null` too.
 */
export function shownValue(value: unknown, prop: EntityProperty): unknown {
  if (value === undefined || value === null) {
    return null;
  }
  if (ScalarReference.isScalarReference(value)) {
    return value.unwrap() ?? null;
  }
  const target = isToOne(prop) && !prop.mapToPk ? Reference.unwrapReference(value as object) : undefined;
  return target && isEntity(target) ? shownKey(target, prop) : value;
}

/** An entity's key, `null` while it has none; where the relation is polymorphic with its class before it, `['post', 1]`. */
export function shownKey(target: object, prop: EntityProperty): unknown {
  const key = primaryKeyOf(target);
  const isOfSeveral = isPolymorphicToOne(prop) || isPolymorphicToMany(prop);
  return key === undefined || key === null || !isOfSeveral
    ? (key ?? null)
    : [discriminatorValueOf(prop, metaOf(target).class), key].flat();
}

/** A key by property as a changeset lists it: a value, or an array in the order of the primary key. */
export function shownKeyOf(key: Readonly<Record<string, unknown>>): unknown {
  const parts = Object.values(key);
  return parts.length === 1 ? parts[0] : parts;
}

/** A key in the form that the target's own key properties have: dates as dates, whatever the driver gave. */
export function keyAsOnEntity(key: unknown, target: EntityMetadata, em: EntityManager): unknown {
  if (key === null) {
    return null;
  }
  const parts = target.compositePK ? (key as unknown[]) : [key];
  const converted = target.getPrimaryProps().map((prop, i) => {
    const part = parts[i];
    if (isToOne(prop)) {
      return keyAsOnEntity(part, prop.targetMeta!, em);
    }
    const isText = typeof part === 'string' || typeof part === 'number';
    return prop.runtimeType === 'Date' && isText ? em.getPlatform().parseDate(part) : part;
  });
  return target.compositePK ? converted : converted[0];
}

/** The property itself, or for a part of an embeddable the property that it is a part of. */
export function rootProperty(prop: EntityProperty, meta: EntityMetadata): EntityProperty {
  return prop.embedded ? rootProperty(meta.properties[prop.embedded[0] as never]!, meta) : prop;
}

function isToOne(prop: EntityProperty): boolean {
  return prop.kind === ReferenceKind.MANY_TO_ONE || prop.kind === ReferenceKind.ONE_TO_ONE;
}
