import { asOf, VersionTransaction } from 'mikro-orm-versioning';
import { expect } from 'vitest';

import type { Orm } from './orm.ts';

/** What is asked of a manager, live or of the past. The answer is plain data, in an order of its own. */
export type Question = (em: ReturnType<Orm['em']['fork']>) => Promise<unknown>;

/** The answers of live managers after each transaction, and those of managers of the past to the same. */
export interface Answers {
  readonly live: readonly unknown[];
  readonly past: readonly unknown[];
}

/** Makes a history, asks each question of the live database after each transaction of it, and in the end of the past. */
export async function askThenAndNow<Name extends string>(
  orm: Orm,
  history: readonly ((orm: Orm) => Promise<void>)[],
  questions: Readonly<Record<Name, Question>>,
): Promise<ReadonlyMap<Name, Answers>> {
  const names = Object.keys(questions) as Name[];
  const answers = new Map(names.map(name => [name, { live: [] as unknown[], past: [] as unknown[] }]));
  const ask = async (em: ReturnType<Orm['em']['fork']>, side: 'live' | 'past') => {
    for (const name of names) {
      const failed = (error: unknown) => ({ failed: String(error) });
      answers.get(name)![side].push(await questions[name](em.fork()).catch(failed));
    }
  };
  const ids: number[] = [];
  for (const transact of history) {
    await transact(orm);
    const [last] = await orm.em.fork().find(VersionTransaction, {}, { orderBy: { id: 'desc' }, limit: 1 });
    ids.push(last!.id);
    await ask(orm.em.fork(), 'live');
  }
  for (const id of ids) {
    await ask(asOf(orm.em.fork(), id), 'past');
  }
  return answers;
}

/** None failed, and they are not always the same, so that to be equal to them says something. */
export function expectTelling(answers: readonly unknown[]): void {
  expect(answers).not.toContainEqual({ failed: expect.anything() as unknown });
  expect(new Set(answers.map(answer => JSON.stringify(answer))).size).toBeGreaterThan(1);
}
