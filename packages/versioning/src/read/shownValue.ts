import { Reference, ReferenceKind, ScalarReference, type EntityMetadata, type EntityProperty } from '@mikro-orm/core';

import { isEntity, primaryKeyOf } from '../internals/entityState.ts';

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
  return target && isEntity(target) ? (primaryKeyOf(target) ?? null) : value;
}

/** The property itself, or for a part of an embeddable the property that it is a part of. */
export function rootProperty(prop: EntityProperty, meta: EntityMetadata): EntityProperty {
  return prop.embedded ? rootProperty(meta.properties[prop.embedded[0] as never]!, meta) : prop;
}

function isToOne(prop: EntityProperty): boolean {
  return prop.kind === ReferenceKind.MANY_TO_ONE || prop.kind === ReferenceKind.ONE_TO_ONE;
}
