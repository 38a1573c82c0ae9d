import {
  EventManager,
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
  type EventSubscriber,
  type FlushEventArgs,
} from '@mikro-orm/core';
import { makePastManager, type AskLive, type Past } from '../internals/pastManagers.ts';
import { VersioningError } from '../errors.ts';
import { findExcluded } from '../metadata/shadows.ts';
import { historyOf } from './histories.ts';
import { readMoment, type Moment } from './moments.ts';
import type { Shadows } from './Shadows.ts';
import { viewsOf } from './views.ts';

/**
 * A read-only manager of the past: every query of it, of any kind and at any depth, sees the database as of one moment, and
 * returns real entities. What has no history is read live.
 *
 *     const past = asOf(em, new Date('2024-01-01'));
 *     await past.find(Article, { category: { name: 'News' } }, { populate: ['tags'] });
 *
 * Its identity map is its own, its forks keep the moment, and what it loaded is initialized later as of the same moment. It
 * has the filters of `em` and their parameters, and in an open transaction of `em` it reads in that transaction. A moment is
 * looked up with the first query, and then holds.
 *
 * Flushing and writing through it throws a `VersioningError` before anything reaches the database, and so do conditions on
 * excluded properties; a query throws one for a transaction that does not exist.
 */
export function asOf<Manager extends EntityManager>(em: Manager, moment: Moment): Manager {
  const { model, shadows, isOurs } = historyOf(em, 'asOf()');
  const resolved = readMoment(moment, model.transaction, em.getPlatform());
  const excluded = new WeakMap<EntityMetadata, EntityProperty[]>();
  const past: Past = {
    name: resolved.name,
    transaction: resolved.transaction,
    async rewrite(sql: string, ask: AskLive) {
      const { write, at } = shadows.cast(sql, viewsOf(em));
      if (write !== undefined) {
        throw VersioningError.pastIsReadOnly(`A query with '${write}'`);
      }
      return at(await resolved.transaction(ask));
    },
    explain: error => explained(error, shadows),
    excluded(meta) {
      const known = excluded.get(meta) ?? findExcluded(shadows.all, meta);
      excluded.set(meta, known);
      return known;
    },
    guard(events) {
      const subscribers = [...events.getSubscribers()];
      return subscribers.some(subscriber => subscriber instanceof ReadOnly)
        ? events
        : new EventManager([new ReadOnly(), ...subscribers.filter(subscriber => !isOurs(subscriber))]);
    },
    refuse(what) {
      throw VersioningError.goesByThePast(what);
    },
  };
  return makePastManager(em, past);
}

/** Refuses a flush that would write. */
class ReadOnly implements EventSubscriber {
  onFlush({ uow }: FlushEventArgs): void {
    const changed = uow.getChangeSets()[0];
    const collection = uow.getCollectionUpdates()[0];
    const [extra] = [...uow.getExtraUpdates()];
    if (changed || collection || extra) {
      throw VersioningError.pastIsReadOnly(
        changed
          ? `${changed.meta.className}, which was ${ACTIONS[changed.type] ?? 'removed'},`
          : 'A changed collection',
      );
    }
  }
}

const ACTIONS: Readonly<Record<string, string>> = { create: 'created', update: 'changed', update_early: 'changed' };

/** A column that is missing because it has no history gets a sentence of its own. */
export function explained(error: unknown, { all }: Shadows): unknown {
  const { message, code } = error as { message?: string; code?: string };
  const missing =
    /no such column: (?:\w+\.)?(\w+)|column (?:"?\w+"?\.)?"?(\w+)"? does not exist/.exec(message ?? '') ?? undefined;
  const column = missing?.[1] ?? missing?.[2];
  if (column === undefined || (code !== undefined && code !== '42703' && code !== 'SQLITE_ERROR')) {
    return error;
  }
  for (const shadow of all) {
    const prop = findExcluded(all, shadow.meta).find(each => each.fieldNames.includes(column));
    if (prop) {
      return VersioningError.notInThePast(shadow.meta.className, prop.name, error);
    }
  }
  return error;
}
