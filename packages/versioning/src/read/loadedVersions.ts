import { Collection, type EntityManager, type EntityMetadata } from '@mikro-orm/core';
import { isManaged, keyOrValue, markStale, metaOf, primaryKeyOf } from '../internals/entityState.ts';
import { versionInfos } from '../metadata/versionClass.ts';
import { serializeKey } from '../model/Touched.ts';
import type { VersioningModel } from '../model/VersioningModel.ts';

/**
 * After a commit, what was loaded of the changed rows' history is out of date: `versions` counts as not loaded again,
 * and the loaded versions of those rows as references, which the next query that finds them loads anew.
 */
export function forgetLoadedVersions(em: EntityManager, entities: ReadonlySet<object>, model: VersioningModel): void {
  const loaded = loadedVersionClasses(em, model);
  const ids = new Set<string>();
  for (const entity of entities) {
    const meta = metaOf(entity);
    const history = model.rows.get(meta.root.class);
    if (!history) {
      continue;
    }
    const { versionsProperty } = versionInfos.get(history.version)!;
    const collection = (entity as Record<string, Collection<object> | undefined>)[versionsProperty];
    if (collection?.isInitialized() && isManaged(entity)) {
      Collection.create(entity, versionsProperty as never, undefined, false);
    }
    if (loaded.has(history.version)) {
      ids.add(identify(history.version, primaryKeyOf(entity)));
    }
  }
  const uow = em.getUnitOfWork(false);
  for (const version of loaded) {
    for (const instance of uow.getIdentityMap().getStore(version).values()) {
      // of the others nothing changes any more
      const isOpen = (instance as { endTransaction?: unknown }).endTransaction === null;
      if (isOpen && ids.has(identify(version, liveKeyOf(instance)))) {
        markStale(instance, em);
      }
    }
  }
}

/** Version entities of which the manager has loaded something. */
function loadedVersionClasses(em: EntityManager, model: VersioningModel): Set<EntityMetadata> {
  const identityMap = em.getUnitOfWork(false).getIdentityMap();
  const versions = [...model.rows.values()].map(({ version }) => version.root);
  return new Set(versions.filter(version => identityMap.getStore(version).size > 0));
}

function identify(version: EntityMetadata, key: unknown): string {
  return `${version.className}:${serializeKey([key].flat(Infinity))}`;
}

/** Key of the live row that a version belongs to. */
function liveKeyOf(version: object): unknown {
  const { live, properties } = versionInfos.get(metaOf(version))!;
  return live.primaryKeys.map(name => {
    const { value } = properties.find(property => property.live === name)!;
    return keyOrValue((version as Record<string, unknown>)[value]);
  });
}
