import { Collection, helper, type EntityManager } from '@mikro-orm/core';
import { versionInfos } from '../metadata/versionClass.ts';
import type { VersioningModel } from '../model/VersioningModel.ts';

/**
 * After a commit, what was loaded of the changed rows' history is out of date: `versions` counts as not loaded again,
 * and the managed versions of those rows are let go, so that the next load gives new ones.
 */
export function forgetLoadedVersions(em: EntityManager, entities: ReadonlySet<object>, model: VersioningModel): void {
  const keys = new Map<object, Set<string>>();
  for (const entity of entities) {
    const { __meta: meta } = helper(entity);
    const history = model.rows.get(meta.root.class);
    const info = history && versionInfos.get(history.version);
    if (!history || !info) {
      continue;
    }
    if (helper(entity).__managed) {
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
  const info = versionInfos.get(helper(version).__meta)!;
  const values = info.live.primaryKeys.map(
    name => (version as Record<string, unknown>)[info.properties.find(property => property.live === name)!.value],
  );
  return values.flat(Infinity).map(String).join('~~~');
}
