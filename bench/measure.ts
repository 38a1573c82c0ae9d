import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import type { Pair, Side } from './databases.ts';
import type { Workload, WorkloadGroup } from './workloads.ts';

/** Milliseconds of one workload, one entry a round. */
export interface Times {
  readonly plain: number[];
  readonly versioned: number[];
}

/** How often a group runs; the first rounds are thrown away. */
export interface Rounds {
  readonly warmUp: number;
  readonly measured: number;
  /** Whether the planner's statistics are gathered in between. */
  readonly analyze: boolean;
}

/** A run of the garbage collector, so that it does not run while something is timed. */
export const collectGarbage = exposeGarbageCollection();

/**
 * Times the workloads of a group. In each round every workload runs on both sides, one right after the other and the
 * other way round in the next round, so that whatever else happens on the machine happens to both.
 */
export async function measure(
  pair: Pair,
  { workloads, size }: WorkloadGroup,
  rounds: Rounds,
): Promise<Map<Workload, Times>> {
  const times = new Map<Workload, Times>(workloads.map(workload => [workload, { plain: [], versioned: [] }]));

  for (let round = -rounds.warmUp; round < rounds.measured; round++) {
    if (round === 0 && rounds.analyze) {
      await pair.analyze();
    }

    collectGarbage();

    for (const workload of workloads) {
      const order = round % 2 === 0 ? [pair.plain, pair.versioned] : [pair.versioned, pair.plain];

      for (const side of order) {
        const elapsed = await time(workload, side, size === 'large');

        if (round >= 0) {
          times.get(workload)![side.name].push(elapsed);
        }
      }
    }
  }

  return times;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

async function time(workload: Workload, side: Side, isLarge: boolean): Promise<number> {
  const work = await workload.prepare(side);

  if (isLarge) {
    collectGarbage(); // what the preparation left is not the work's
  }

  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** The engine's `gc()`, without a flag on the command line. */
function exposeGarbageCollection(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
