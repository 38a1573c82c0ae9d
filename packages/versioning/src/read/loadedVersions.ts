import {
  ChangeSetType,
  Collection,
  Reference,
  type EntityManager,
  type EntityMetadata,
  type UnitOfWork,
} from '@mikro-orm/core';
import { forgetTarget, isManaged, keyOrValue, markStale, metaOf, primaryKeyOf } from '../internals/entityState.ts';
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

/**
 * After a flush, loaded versions must not lead to the entities that it removed: MikroORM would take them for new ones, and
 * the next flush would insert them again. It looks after the entities that it discovered itself, which versions are not.
 */
export function forgetRemoved(em: EntityManager, uow: UnitOfWork, model: VersioningModel): void {
  const deletions = uow.getChangeSets().filter(({ type }) => type === ChangeSetType.DELETE);
  const removed = new Set(deletions.map(({ entity }) => entity as object));
  if (removed.size === 0) {
    return;
  }
  for (const version of loadedVersionClasses(em, model)) {
    for (const instance of uow.getIdentityMap().getStore(version).values()) {
      for (const prop of metaOf(instance).relations) {
        const value = (instance as Record<string, object | null | undefined>)[prop.name];
        if (value && removed.has(Reference.unwrapReference(value))) {
          forgetTarget(instance, prop, em);
        }
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
