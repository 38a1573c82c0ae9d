import { AsyncLocalStorage } from 'node:async_hooks';
import type { EntityManager } from '@mikro-orm/core';
import { VersioningError } from './errors.ts';
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
    return storage.run(mergeContexts(storage.getStore(), checkContext(context)), fn);
  },

  /** Sets the context of one EntityManager and of the forks it makes later. It wins over `run`, key by key. */
  set(em: EntityManager, context: VersioningContext): void {
    em.setFilterParams(PARAMS, { ...mergeContexts(ownContext(em), checkContext(context)) });
  },

  /** What a flush of this manager would record now. */
  current(em: EntityManager): VersioningContext {
    return mergeContexts(ambientContext(), ownContext(em));
  },
} as const;

/**
 * The context as it is stored: text for actor and reason, whose numbers become text, and what JSON can hold for meta.
 * Throws a `VersioningError` for anything else, before it could fail a commit.
 */
export function checkContext(context: VersioningContext | undefined): VersioningContext {
  for (const key of Object.keys(context ?? {})) {
    if (!['actor', 'reason', 'meta'].includes(key)) {
      throw VersioningError.invalidContext(key, 'anything', 'It has actor, reason and meta.');
    }
  }
  const { actor, reason, meta } = context ?? {};
  return { actor: asText('actor', actor), reason: asText('reason', reason), meta: asJson(meta) };
}

function asText(key: string, value: unknown): string | null | undefined {
  if (typeof value === 'string' && value.includes('\0')) {
    throw VersioningError.invalidContext(key, 'a text with a NUL character', 'Remove it.');
  }
  if (value === undefined || value === null || typeof value === 'string') {
    return value;
  }
  if (typeof value === 'number' || typeof value === 'bigint') {
    return String(value);
  }
  throw VersioningError.invalidContext(key, `a value of type ${typeof value}`, 'Give it a text or a number.');
}

function asJson(meta: VersioningContext['meta']): VersioningContext['meta'] {
  if (meta === undefined || meta === null) {
    return meta;
  }
  try {
    // a copy, which later changes don't reach
    return JSON.parse(JSON.stringify(meta)) as Record<string, unknown>;
  } catch (error) {
    throw VersioningError.invalidContext(
      'meta',
      `what JSON can't hold (${(error as Error).message})`,
      'Give it plain data.',
    );
  }
}

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
