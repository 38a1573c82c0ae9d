import type { EntityManager, EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import { versionInfos } from '../metadata/versionClass.ts';

/** Relations to follow, by name: `['tags', 'category.parent']` -> `{ tags: {}, category: { parent: {} } }`. */
export interface RelationTree {
  readonly [relation: string]: RelationTree;
}

/**
 * Reads dotted paths, each of which includes its prefixes. Throws a `VersioningError` for a relation that does not
 * exist, before anything is changed.
 */
export function readRelationPaths(paths: readonly string[], meta: EntityMetadata, em: EntityManager): RelationTree {
  const tree: Record<string, RelationTree> = {};
  for (const path of paths) {
    let branch = tree;
    let at: readonly EntityMetadata[] = [meta];
    for (const name of path.split('.')) {
      const known = at.flatMap(each => relationsOf(each));
      const prop = known.find(each => each.name === name);
      if (!prop) {
        throw VersioningError.unknownRelation(
          at.map(each => each.className).join(' | '),
          name,
          known.filter(each => each.hydrate !== false).map(each => each.name),
        );
      }
      branch = (branch[name] ??= {}) as Record<string, RelationTree>;
      const targets = prop.polymorphTargets ?? [prop.targetMeta!];
      at = targets.map(target => em.getMetadata(target.class) as unknown as EntityMetadata);
    }
  }
  return tree;
}

function relationsOf(meta: EntityMetadata): EntityProperty[] {
  return meta.relations.filter(each => each.name !== versionInfos.get(meta)?.versionsProperty);
}
