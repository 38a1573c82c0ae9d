import type { EntityManager } from '@mikro-orm/core';

import type { Orm } from '../support/databases.ts';
import { apply } from './changes.ts';
import { furnish } from './furnish.ts';
import type { State } from './history.ts';
import type { Block, Program, Step } from './program.ts';
import { isPostgres, readState } from './tables.ts';

/** What a program did: the errors it met, and the states it committed one after the other, the empty one first. */
export interface Outcome {
  readonly errors: readonly string[];
  readonly states: readonly State[];
}

/** Thrown to roll an `em.transactional()` back. */
class Rollback extends Error {
  override readonly name = 'Rollback';
}

interface Run {
  readonly errors: string[];
  /** PostgreSQL refuses everything in a transaction after an error; SQLite goes on, with what the flush wrote before. */
  readonly canForgive: boolean;
}

/** Runs a program and flushes at its end. Each of its steps commits at most once. */
export async function interpret(orm: Orm, { flushMode, furnished, steps }: Program): Promise<Outcome> {
  const run: Run = { errors: [], canForgive: !isPostgres(orm) };
  const states = [await readState(orm)];
  const em = orm.em.fork({ flushMode });

  if (furnished) {
    await furnish(orm.em.fork());
    states.push(await readState(orm));
  }

  for (const step of [...steps, { do: 'flush', forgiving: true } as const]) {
    await attempt(em, step, run);
    states.push(await readState(orm));
  }

  return { errors: run.errors, states };
}

/** Runs a step whose error ends here. It rolled the step back; memory, which nobody rolls back, is forgotten. */
async function attempt(em: EntityManager, step: Step, run: Run): Promise<void> {
  try {
    await perform(em, step, run);
  } catch (error) {
    // the first line: the others print the entity, which has `versions` on one of the two ORMs
    const [message] = (error as Error).message.split('\n');
    run.errors.push(`${step.do}: ${(error as Error).name}: ${message}`);
    em.clear();
  }
}

async function perform(em: EntityManager, step: Step, run: Run): Promise<void> {
  switch (step.do) {
    case 'transaction':
      return transaction(em, step, run);
    case 'transactional':
      return em.transactional(inner => performAll(inner, step, run));
    case 'flush':
      return em.flush();
    case 'clear':
      return em.clear();
    default:
      return apply(em, step);
  }
}

async function transaction(em: EntityManager, block: Block, run: Run): Promise<void> {
  await em.begin();

  try {
    await performAll(em, block, run);
    await em.commit();
  } catch (error) {
    await em.rollback();
    throw error;
  }
}

/** An error leaves the block, unless it is of a savepoint or of a forgiving flush. */
async function performAll(em: EntityManager, { steps, rollback }: Block, run: Run): Promise<void> {
  for (const step of steps) {
    const keepsError = step.do === 'transactional' || (step.do === 'flush' && step.forgiving && run.canForgive);
    await (keepsError ? attempt(em, step, run) : perform(em, step, run));
  }

  if (rollback) {
    throw new Rollback();
  }
}
