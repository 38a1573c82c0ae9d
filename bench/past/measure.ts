import { asOf } from 'mikro-orm-versioning';
import type { EntityManager } from '@mikro-orm/sql';

import { collectGarbage, type Rounds } from '../measure.ts';
import { MOMENTS, type MomentName, type PastDatabase } from './database.ts';
import { keysIn, type PastWorkload } from './workloads.ts';

/** Milliseconds of one workload, one entry a round, now and as of each moment. */
export type PastTimes = Readonly<Record<'live' | MomentName, number[]>>;

/** What a workload took, and how many rows it gave. */
export interface PastResult {
  readonly times: PastTimes;
  readonly rows: number;
  /** What is wrong with the answers, in whole sentences. */
  readonly broken: readonly string[];
}

/** In each round, a workload is asked now and as of each moment, one right after the other and in another order each time. */
export async function measurePast(
  database: PastDatabase,
  workload: PastWorkload,
  rounds: Omit<Rounds, 'analyze'>,
): Promise<PastResult> {
  const managers = managersOf(database);
  const names = ['live', ...MOMENTS] as const;
  const times: PastTimes = { live: [], start: [], middle: [], latest: [] };
  const keys = new Map<string, readonly string[]>();

  for (let round = -rounds.warmUp; round < rounds.measured; round++) {
    collectGarbage();

    for (let i = 0; i < names.length; i++) {
      const name = names[(i + rounds.warmUp + round) % names.length]!;
      // the identity map of a fork is empty; a manager of its own has its moment to look up as well
      const em =
        workload.isFirst && name !== 'live'
          ? asOf(database.orm.em.fork(), database.moments[name])
          : managers[name].fork();
      const start = performance.now();
      const answer = await workload.ask(em);
      const elapsed = performance.now() - start;
      keys.set(name, keysIn(answer));

      if (round >= 0) {
        times[name].push(elapsed);
      }
    }
  }

  return { times, rows: keys.get('live')!.length, broken: differences(workload, keys) };
}

function managersOf({ orm, moments }: PastDatabase): Record<'live' | MomentName, EntityManager> {
  const past = MOMENTS.map(name => [name, asOf(orm.em.fork(), moments[name])] as const);
  return { live: orm.em.fork(), ...(Object.fromEntries(past) as Record<MomentName, EntityManager>) };
}

/** Like is compared with like: as many rows at each moment, and at the last one the very rows of the present. */
function differences({ name }: PastWorkload, keys: ReadonlyMap<string, readonly string[]>): string[] {
  const live = keys.get('live')!;
  const counts = MOMENTS.filter(moment => keys.get(moment)!.length !== live.length);
  const sentences = counts.map(
    moment => `"${name}" gives ${keys.get(moment)!.length} rows as of ${moment}, and ${live.length} now.`,
  );

  return live.length > 0 && String(keys.get('latest')) === String(live)
    ? sentences
    : [...sentences, `"${name}" gives other rows as of latest than now.`];
}
