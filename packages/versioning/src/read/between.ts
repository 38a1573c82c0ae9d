import type { EntityManager, EntityName, InferEntity, Primary } from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import { isOrExtends } from '../metadata/hierarchy.ts';
import { classOf } from '../metadata/marks.ts';
import { Operation } from '../model/Operation.ts';
import type { Changeset, VersionOf } from '../model/Version.ts';
import type { EntityReference } from '../options.ts';
import { compareStates } from './changesets.ts';
import { historyOf } from './histories.ts';
import { transactionAt, type Moment } from './moments.ts';
import { RowChanges, type RowChange } from './RowChanges.ts';
import { shownKeyOf } from './shownValue.ts';
import { versionOf } from './versions.ts';

/** What became of one row between two moments. */
export interface Change<Entity = object> {
  /** The row's class. */
  readonly entity: abstract new (...args: never[]) => Entity;
  /** The row's key; of a composite one an array in the order of the primary key. */
  readonly key: Primary<Entity>;
  /**
   * What it comes to: `INSERT` of a row that is there now, `DELETE` of one that is not any more, `UPDATE` of one that
   * differs, be it by its links alone. `null` where all is as it was: the row came and went, or was changed back.
   */
  readonly operation: Operation | null;
  /** `[at the first moment, at the second]` of what differs, links included: `{ name: ['a', 'b'], tags: [[1], [1, 2]] }`. */
  readonly changeset: Changeset<Entity>;
  /** The row's versions of that time, in transaction order. None where only links changed. */
  readonly versions: readonly VersionOf<Entity>[];
}

/** Which classes to ask about. */
export interface BetweenOptions<Entity> {
  /** Classes or schemas; a class stands for its subclasses too. Default: all that have history. */
  readonly entities?: readonly Entity[];
}

/**
 * What changed after the moment `from`, up to and including the moment `to`: each row once, by class, then by key. A row that
 * became one of another class of its hierarchy is listed as deleted and as inserted.
 *
 *     await between(em, new Date('2024-01-01'), 'latest');
 *     await between(em, version, 'latest', { entities: [Article] });
 *
 * Takes a few queries for each class that changed, and reads every version of the span. A moment may lie before the first
 * transaction. Throws a `VersioningError` for a transaction that does not exist, for moments in the wrong order, and for a
 * class that is not versioned.
 */
export async function between<Entity extends EntityName = EntityName<object>>(
  em: EntityManager,
  from: Moment,
  to: Moment,
  options: BetweenOptions<Entity> = {},
): Promise<Change<InferEntity<Entity>>[]> {
  const { model } = historyOf(em, 'between()');
  const unknown = Object.keys(options).find(option => option !== 'entities');
  if (unknown !== undefined) {
    throw VersioningError.unknownOption('between()', unknown, ['entities']);
  }
  const classes = options.entities?.map(entity => {
    versionOf(entity);
    return classOf(entity as unknown as EntityReference);
  });
  const manager = em.getContext();
  const start = await transactionAt(manager, from, model.transaction);
  const end = await transactionAt(manager, to, model.transaction);
  if (start > end) {
    throw VersioningError.wrongOrder(start, end);
  }
  const rows = await new RowChanges(manager, model, start, end).read(
    root => classes?.some(each => isOrExtends(each, root.class)) ?? true,
  );
  return rows
    .filter(({ info }) => classes?.some(each => isOrExtends(info.live.class, each)) ?? true)
    .map(row => changeOf(row) as Change<InferEntity<Entity>>);
}

/** What a row's change comes to. */
export function changeOf(row: RowChange): Change {
  const { info, key, versions, before, after, links } = row;
  const changeset = {
    ...compareStates(before, after),
    ...Object.fromEntries(links.map(link => [link.linked.name, [link.before, link.after] as const])),
  };
  return {
    entity: info.live.class,
    key: shownKeyOf(key) as never,
    operation: operationOf(row, Object.keys(changeset).length > 0),
    changeset,
    versions: versions as never,
  };
}

function operationOf({ before, after, isOlder, versions }: RowChange, differs: boolean): Operation | null {
  if (after === null && (before !== null || versions.length > 0)) {
    return before === null ? null : Operation.DELETE;
  }
  if (after !== null && before === null && !isOlder) {
    return Operation.INSERT;
  }
  return differs ? Operation.UPDATE : null;
}
