import type { EntityMetadata, FromEntityType } from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import { currentManagerOf, describe, isEntity, ownMetaOf, ownSchemaOf } from '../internals/entityState.ts';
import type { VersionedLink } from '../metadata/versionClass.ts';
import type { AnyVersion, Changeset } from '../model/Version.ts';
import { compareStates, requireLoaded } from './changesets.ts';
import { diffGraphs, type Difference } from './graphs.ts';
import { HistoryAt } from './HistoryAt.ts';
import { historyOf } from './histories.ts';
import { areSameKeys } from './links.ts';
import { transactionAt, type Moment } from './moments.ts';
import { shownKeyOf } from './shownValue.ts';
import { infoOf, isDeletion, isVersion, liveKey, requireManaged, requireVersioned, versionKey } from './versions.ts';

type VersionWithEntity<Entity extends object> = AnyVersion & { readonly entity: Entity | null };

/**
 * What differs, `[in the first, in the second]`, links included:
 *
 *     await diff(article.versions[0], article.versions[4]);            // { name: ['a', 'b'], tags: [[1], [1, 2]] }
 *     await diff(article, new Date('2024-01-01'), 'latest');           // between two moments, whatever its versions
 *     await diff(await past.findOne(…), await em.findOne(…));          // of two graphs, one Difference for each entity
 *
 * Versions and moments: where the row is not there, the other state's non-null properties are listed, as in `changeset`.
 * Graphs of entities, or arrays of them, from any managers: every entity that is loaded in either, with the properties
 * and relations that are loaded in both; `null` for a side that has nothing.
 *
 * Throws a `VersioningError` for versions of different classes, for what has no history, and for a partly loaded version.
 */
export function diff<Entity extends object>(
  before: VersionWithEntity<Entity>,
  after: VersionWithEntity<Entity>,
): Promise<Changeset<FromEntityType<Entity>>>;
export function diff<Entity extends object>(
  row: Entity | VersionWithEntity<Entity>,
  from: Moment,
  to: Moment,
): Promise<Changeset<FromEntityType<Entity>>>;
export function diff(
  before: object | readonly object[] | null,
  after: object | readonly object[] | null,
): Promise<Difference[]>;
export async function diff(
  before: object | readonly object[] | null,
  after: Moment | object | readonly object[] | null,
  to?: Moment,
): Promise<Changeset | Difference[]> {
  if (to !== undefined) {
    return diffMoments(before as object, after as Moment, to);
  }
  const [first, second] = [before, after].map(side => (side === null ? [] : [side as object].flat())) as object[][];
  const [a, b] = [first![0], second![0]];
  if (a && b && !Array.isArray(before) && !Array.isArray(after) && (isVersion(a) || isVersion(b))) {
    return diffVersions(a, b);
  }
  const other = [...first!, ...second!].find(each => !isEntity(each));
  if (other !== undefined) {
    throw VersioningError.notComparable(describe(other));
  }
  return diffGraphs(first!, second!);
}

async function diffVersions(before: object, after: object): Promise<Changeset> {
  const sides = [before, after].map(version => {
    if (!isVersion(version)) {
      throw VersioningError.notAVersion(describe(version), 'diff');
    }
    requireLoaded(version, infoOf(version));
    const { transaction } = version as unknown as { transaction: { id: number } };
    return { state: isDeletion(version) ? null : version, at: transaction.id };
  });
  const [a, b] = [before, after].map(ownMetaOf) as [EntityMetadata, EntityMetadata];
  if (a.root.class !== b.root.class) {
    throw VersioningError.notComparable(`a ${a.className} and a ${b.className}`);
  }
  return diffStates(sides as [Side, Side]);
}

async function diffMoments(row: object, from: Moment, to: Moment): Promise<Changeset> {
  const isPast = isEntity(row) && isVersion(row);
  const info = isPast ? infoOf(row) : requireVersioned(row);
  const em = requireManaged(row);
  const key = isPast ? versionKey(row, info) : liveKey(row, info);
  const { model } = historyOf(em, 'diff()');
  const sides: Side[] = [];
  for (const moment of [from, to]) {
    const at = await transactionAt(em, moment, model.transaction);
    const [state = null] = await new HistoryAt(em, at, ownSchemaOf(row)).versions(info, [key]);
    sides.push({ state, at });
  }
  return diffStates(sides as [Side, Side]);
}

/** The state of a row at a transaction; `null` where there is none. */
interface Side {
  readonly state: object | null;
  readonly at: number;
}

async function diffStates(sides: readonly [Side, Side]): Promise<Changeset> {
  const [before, after] = sides;
  const changes: Record<string, Changeset[string]> = { ...compareStates(before.state, after.state) };
  const known = after.state ?? before.state;
  for (const linked of known ? infoOf(known).links : []) {
    const [had, has] = [await linkedAt(before, linked), await linkedAt(after, linked)];
    if (!areSameKeys(had, has, linked.link.property.fixedOrder ?? false)) {
      changes[linked.name] = [had, has];
    }
  }
  return changes;
}

async function linkedAt({ state, at }: Side, linked: VersionedLink): Promise<unknown[]> {
  if (state === null) {
    return [];
  }
  const key = versionKey(state, infoOf(state));
  return new HistoryAt(currentManagerOf(state)!, at, ownSchemaOf(state)).linked(linked, shownKeyOf(key));
}
