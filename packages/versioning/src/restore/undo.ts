import type { EntityManager } from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import { changeOf, type Change } from '../read/between.ts';
import { historyOf } from '../read/histories.ts';
import { transactionAt, type Moment } from '../read/moments.ts';
import { RowChanges } from '../read/RowChanges.ts';
import { Undoer } from './Undoer.ts';

export interface UndoOptions {
  /**
   * Whether to go on where later changes conflict: they are overwritten, rows that were deleted since come back, and
   * relations to and from rows that are not there become `null`.
   */
  readonly force?: boolean;
}

/**
 * Takes back everything that one transaction did: what it inserted is removed, what it deleted comes back with its key, and
 * properties and links that it changed are as they were before. What other transactions did to other properties and links
 * of the same rows stays. Nothing is written until `em.flush()`, and then it is a new transaction, which can be undone too.
 *
 *     await undo(em, transaction);   // or its id, or a version of it, or 'latest'
 *     await em.flush();
 *
 * Returns what the transaction had changed. Throws a `VersioningError` with the code `CONFLICT`, and `conflicts`, where a
 * later change stands in the way, and changes nothing then; with `force` it throws only where a required relation would lead
 * to nothing. What a transaction did to rows of other schemas than the manager's is left alone.
 */
export async function undo(
  em: EntityManager,
  transaction: Exclude<Moment, Date>,
  options: UndoOptions = {},
): Promise<Change[]> {
  const { model } = historyOf(em, 'undo()');
  const unknown = Object.keys(options).find(option => option !== 'force');
  if (unknown !== undefined) {
    throw VersioningError.unknownOption('undo()', unknown, ['force']);
  }
  const manager = em.getContext();
  const id = await transactionAt(manager, transaction, model.transaction);
  const changes = await new RowChanges(manager, model, id - 1, id).read(() => true);
  const undoer = new Undoer(manager, model, id);
  const conflicts = await undoer.plan(changes);
  if (conflicts.length > 0 && !options.force) {
    throw VersioningError.conflict(id, conflicts);
  }
  await undoer.apply();
  return changes.map(changeOf);
}
