import { ChangeSetType, type UnitOfWork } from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import type { VersioningModel } from '../model/VersioningModel.ts';

const ACTIONS: Readonly<Record<string, string>> = {
  [ChangeSetType.CREATE]: 'created',
  [ChangeSetType.UPDATE]: 'changed',
  [ChangeSetType.UPDATE_EARLY]: 'changed',
};

/** Throws a `VersioningError` when a flush would write to versions, links or transaction rows. */
export function refuseHistoryWrites(uow: UnitOfWork, model: VersioningModel): void {
  for (const { meta, type } of uow.getChangeSets()) {
    if (model.historyClasses.has(meta.class)) {
      throw VersioningError.readOnly(meta.className, ACTIONS[type] ?? 'removed');
    }
  }
  for (const { property } of uow.getCollectionUpdates()) {
    if (model.historyClasses.has(property.targetMeta!.class)) {
      throw VersioningError.readOnly(property.targetMeta!.className, `changed through the collection ${property.name}`);
    }
  }
}
