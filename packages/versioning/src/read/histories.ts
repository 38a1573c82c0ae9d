import type { Configuration, EntityManager, EventSubscriber } from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import type { VersioningModel } from '../model/VersioningModel.ts';
import { Shadows } from './Shadows.ts';

/** What the reading functions know of a MikroORM instance. */
export interface History {
  readonly model: VersioningModel;
  readonly shadows: Shadows;
  /** Whether a subscriber records history. */
  readonly isOurs: (subscriber: EventSubscriber) => boolean;
}

const histories = new WeakMap<Configuration, History>();

/** Makes the history of a MikroORM instance known to the functions that are given a manager of it. */
export function openHistory(config: Configuration, model: VersioningModel, isOurs: History['isOurs']): void {
  histories.set(config, { model, shadows: new Shadows(model, config.getPlatform()), isOurs });
}

/** Throws a `VersioningError` for a manager whose MikroORM instance has no history. */
export function historyOf(em: EntityManager, method: string): History {
  const history = histories.get(em.config);
  if (!history) {
    throw VersioningError.noHistory(method);
  }
  return history;
}
