import type { DatabaseName } from '../databases.ts';
import type { Rounds } from '../measure.ts';
import { inconsistencies } from './consistency.ts';
import { openPastDatabase } from './database.ts';
import { measurePast, type PastResult } from './measure.ts';
import type { Size } from './model.ts';
import { brokenBy, longHistories, plansOf, type Plan } from './plans.ts';
import { pastTable } from './report.ts';
import { pastWorkloads, type PastWorkload } from './workloads.ts';

/** A million versions of articles. */
export const MILLION: Size = { authors: 10_000, tags: 20_000, articles: 100_000, deleted: 500, versions: 10 };
export const HUNDRED_THOUSAND: Size = { authors: 1000, tags: 2000, articles: 10_000, deleted: 50, versions: 10 };

/** Prints the table of one database, and its plans where asked; returns what must not be, in whole sentences. */
export async function runPast(name: DatabaseName, size: Size, rounds: Rounds, showsPlans: boolean): Promise<string[]> {
  const database = await openPastDatabase(name, size, rounds.analyze);

  try {
    const results = new Map<PastWorkload, PastResult>();
    const plans: Plan[] = [];
    const long = await longHistories(database);

    for (const workload of pastWorkloads(database.model, size)) {
      results.set(workload, await measurePast(database, workload, rounds));
      plans.push(...(await plansOf(database, workload)));
    }

    console.log(`${name}\n\n${pastTable(results)}\n`);
    if (showsPlans) {
      console.log(`${plans.map(write).join('\n\n')}\n`);
    }
    return [
      ...[...results.values()].flatMap(({ broken }) => broken),
      ...new Set(plans.flatMap(plan => brokenBy(plan, long))),
      ...(await inconsistencies(database)),
    ];
  } finally {
    await database.close();
  }
}

function write({ workload, moment, sql, steps }: Plan): string {
  return [`${workload.name}, ${moment}: ${sql}`, ...steps.map(({ text }) => `  ${text}`)].join('\n');
}
