import {
  raw,
  Utils,
  type EntityManager,
  type EntityMetadata,
  type EntityName,
  type FilterQuery,
  type FindOptions,
  type InferEntity,
  type Loaded,
} from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import { schemaOption } from '../internals/entityState.ts';
import { versionInfos } from '../metadata/versionClass.ts';
import type { VersionOf } from '../model/Version.ts';
import { explained } from './asOf.ts';
import { historyOf } from './histories.ts';
import { HistoryQuery } from './HistoryQuery.ts';
import { transactionAt, type Moment } from './moments.ts';
import { keyFrom, versionOf } from './versions.ts';
import { viewsOf } from './views.ts';

/** Options of `em.find`, for the versions, and the time in which the condition was met. */
export type HistoryOptions<Version extends object, Hint extends string = never> = FindOptions<Version, Hint> & {
  /** The first moment that counts. Default: the beginning. */
  readonly from?: Moment;
  /** The last one. Default: now. */
  readonly to?: Moment;
};

/**
 * Every version of a row that met a condition at some moment: what `asOf(em, moment).find(Article, where)` finds, for all
 * moments together, as versions in the order of their transactions.
 *
 *     await history(em, Article, { status: 'published' });
 *     await history(em, Article, { category: { name: 'News' } }, { from: new Date('2024-01-01'), populate: ['transaction'] });
 *
 * A condition over relations is met by a version if at one moment of its span the whole condition holds, also where only
 * the related rows changed. Such a condition is asked as of each transaction that changed one of its tables; `from` and `to`
 * limit them. Throws a `VersioningError` for a class that is not versioned, and for a condition on an excluded property.
 */
export async function history<Entity extends EntityName, Hint extends string = never>(
  em: EntityManager,
  entity: Entity,
  where: FilterQuery<InferEntity<Entity>> = {} as never,
  options: HistoryOptions<VersionOf<InferEntity<Entity>>, Hint> = {} as never,
): Promise<Loaded<VersionOf<InferEntity<Entity>>, Hint>[]> {
  const { model, shadows } = historyOf(em, 'history()');
  const info = versionInfos.get(em.getMetadata().find(versionOf(entity) as never) as never)!;
  const { from, to, ...rest } = options;
  const manager = em.getContext() as SqlEntityManager;
  const at = (moment: Moment | undefined) =>
    moment === undefined ? undefined : transactionAt(manager, moment, model.transaction);
  const { schema } = schemaOption(info.live, options.schema ?? manager.schema);
  const span = { from: await at(from), to: await at(to) };
  const query = new HistoryQuery(manager, shadows, model, span, schema);
  const ask = async (fields: readonly unknown[]) => {
    const builder = manager.createQueryBuilder(info.live.class, 'e').select(fields as never);
    builder.where(conditionOf(where, info.live) as never).withSchema(schema);
    await builder.applyFilters(options.filters);
    return builder.toQuery();
  };
  const { sql, params } = await query.write(info.live, ask, viewsOf(manager));
  const id = info.version.getPrimaryProp().fieldNames[0]!;
  const isMeant = raw(alias => `${alias}.${manager.getPlatform().quoteIdentifier(id)} in (${sql})`, [...params]);
  try {
    return await manager.find(
      info.version.class as never,
      { [isMeant as never]: [] } as never,
      {
        orderBy: { transaction: 'asc', versionId: 'asc' },
        ...rest,
      } as never,
    );
  } catch (error) {
    throw explained(error, shadows);
  }
}

/** A condition by property, where a key was given. */
function conditionOf(where: unknown, meta: EntityMetadata): unknown {
  return Utils.isPlainObject(where) ? where : keyFrom(where, meta);
}
