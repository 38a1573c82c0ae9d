import { AsyncLocalStorage } from 'node:async_hooks';
import type { EntityManager } from '@mikro-orm/core';
import type { VersioningContext } from './model/VersioningContext.ts';

const storage = new AsyncLocalStorage<VersioningContext>();

/** Name under which a manager's own context travels with MikroORM's filter parameters, which every fork inherits. */
const PARAMS = 'mikro-orm-versioning';

/** Who and why: for everything that a function does, or for one EntityManager. */
export const versioning = {
  /**
   * Runs a function whose flushes record this context, across awaits and in every EntityManager. Nested contexts merge;
   * the inner one wins, key by key.
   *
   *     await versioning.run({ actor: user.id, reason: 'import' }, () => importArticles(em));
   */
  run<Result>(context: VersioningContext, fn: () => Result): Result {
    return storage.run({ ...storage.getStore(), ...context }, fn);
  },

  /** Sets the context of one EntityManager and of the forks it makes later. It wins over `run`, key by key. */
  set(em: EntityManager, context: VersioningContext): void {
    em.setFilterParams(PARAMS, { ...em.getFilterParams(PARAMS), ...context });
  },

  /** What a flush of this manager would record now. */
  current(em: EntityManager): VersioningContext {
    return mergeContexts(ambientContext(), ownContext(em));
  },
} as const;

/** The context that `versioning.run` set for the calling function. */
export function ambientContext(): VersioningContext {
  return storage.getStore() ?? {};
}

/** The context that `versioning.set` gave the manager. */
export function ownContext(em: EntityManager): VersioningContext {
  return em.getFilterParams<VersioningContext>(PARAMS) ?? {};
}

/** Merges contexts, later ones winning key by key; a key that is `undefined` does not count as given. */
export function mergeContexts(...contexts: readonly (VersioningContext | undefined)[]): VersioningContext {
  const given = contexts.flatMap(context => Object.entries(context ?? {}).filter(([, value]) => value !== undefined));
  return Object.fromEntries(given);
}
