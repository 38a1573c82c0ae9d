import { Collection, helper, type EntityManager } from '@mikro-orm/core';
import { isManaged, metaOf } from '../internals/entityState.ts';
import { versionInfos } from '../metadata/versionClass.ts';
import type { VersioningModel } from '../model/VersioningModel.ts';

/**
 * After a commit, what was loaded of the changed rows' history is out of date: `versions` counts as not loaded again,
 * and the managed versions of those rows are let go, so that the next load gives new ones.
 */
export function forgetLoadedVersions(em: EntityManager, entities: ReadonlySet<object>, model: VersioningModel): void {
  const keys = new Map<object, Set<string>>();
  for (const entity of entities) {
    const meta = metaOf(entity);
    const history = model.rows.get(meta.root.class);
    const info = history && versionInfos.get(history.version);
    if (!history || !info) {
      continue;
    }
    if (isManaged(entity)) {
      Collection.create(entity, info.versionsProperty as never, undefined, false);
    }
    const ids = keys.get(history.version.class) ?? new Set();
    keys.set(history.version.class, ids.add(helper(entity).getSerializedPrimaryKey()));
  }
  const uow = em.getUnitOfWork(false);
  for (const [versionClass, ids] of keys) {
    for (const version of uow
      .getIdentityMap()
      .getStore(em.getMetadata(versionClass as never).root)
      .values()) {
      if (ids.has(liveKey(version))) {
        uow.unsetIdentity(version);
      }
    }
  }
}

/** Serialized key of the live row that a version belongs to. */
function liveKey(version: object): string {
  const info = versionInfos.get(metaOf(version))!;
  const values = info.live.primaryKeys.map(
    name => (version as Record<string, unknown>)[info.properties.find(property => property.live === name)!.value],
  );
  return values.flat(Infinity).map(String).join('~~~');
}
