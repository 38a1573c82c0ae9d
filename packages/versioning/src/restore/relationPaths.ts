import type { EntityManager, EntityMetadata } from '@mikro-orm/core';
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
    let at = meta;
    for (const name of path.split('.')) {
      const prop = at.relations.find(each => each.name === name && !isVersionsProperty(at, each.name));
      if (!prop) {
        const known = at.relations.filter(each => each.hydrate !== false && !isVersionsProperty(at, each.name));
        throw VersioningError.unknownRelation(
          at.className,
          name,
          known.map(each => each.name),
        );
      }
      branch = (branch[name] ??= {}) as Record<string, RelationTree>;
      at = em.getMetadata(prop.targetMeta!.class) as unknown as EntityMetadata;
    }
  }
  return tree;
}

function isVersionsProperty(meta: EntityMetadata, name: string): boolean {
  return versionInfos.get(meta)?.versionsProperty === name;
}
