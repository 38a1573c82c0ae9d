import { isPolymorphicToMany } from '../metadata/properties.ts';
import type { VersionedLink } from '../metadata/versionClass.ts';

/** A condition on the spans of one row's links by a relation. */
export function linksOf({ link, end }: VersionedLink, key: unknown): Record<string, unknown> {
  const condition: Record<string, unknown> = { [end]: key };
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
  const other = end === 'owner' ? 'target' : 'owner';
  return end === 'owner' && isPolymorphicToMany(link.property) ? [span['targetType'], span[other]] : span[other];
}
