import { parseArgs } from 'node:util';

import { openPair, type DatabaseName } from './databases.ts';
import { measure, type Rounds, type Times } from './measure.ts';
import { HUNDRED_THOUSAND, MILLION, runPast } from './past/run.ts';
import { table } from './report.ts';
import { brokenPromises, countStatements, type Counts } from './statements.ts';
import { workloadGroups, type Workload, type WorkloadGroup } from './workloads.ts';

/** Rounds of the large workloads; the small ones run `SMALL` times as often. */
const ROUNDS = 12;
const QUICK_ROUNDS = 3;
const SMALL = 20;

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    past: { type: 'boolean', default: false },
    plans: { type: 'boolean', default: false },
    analyze: { type: 'boolean', default: false },
    sqlite: { type: 'boolean', default: false },
    postgres: { type: 'boolean', default: false },
  },
});

for (const database of selectedDatabases()) {
  const start = performance.now();
  const broken = options.past ? await runOfPast(database) : await run(database);

  for (const sentence of broken) {
    console.error(`BROKEN on ${database}: ${sentence}`);
    process.exitCode = 1;
  }

  console.log(`(${Math.round((performance.now() - start) / 1000)} s)\n`);
}

/** Prints the table of one database and returns the structural promises that it breaks. */
async function run(database: DatabaseName): Promise<string[]> {
  const pair = await openPair(database);

  try {
    const times = new Map<Workload, Times>();
    const counts = new Map<Workload, Counts>();

    for (const group of workloadGroups) {
      for (const [workload, count] of await countStatements(pair, group)) {
        counts.set(workload, count);
      }
      for (const [workload, each] of await measure(pair, group, roundsOf(database, group))) {
        times.set(workload, each);
      }
    }

    console.log(`${database}\n\n${table(times, counts)}\n`);
    return brokenPromises(counts);
  } finally {
    await pair.close();
  }
}

/** Of a history of a million versions, or of a tenth of that. */
async function runOfPast(database: DatabaseName): Promise<string[]> {
  const size = options.quick ? HUNDRED_THOUSAND : MILLION;
  return runPast(database, size, roundsOf(database, { size: 'small', workloads: [] }), options.plans);
}

function roundsOf(database: DatabaseName, { size }: WorkloadGroup): Rounds {
  const rounds = options.rounds === undefined ? (options.quick ? QUICK_ROUNDS : ROUNDS) : Number(options.rounds);

  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`--rounds takes a positive whole number, got ${options.rounds}.`);
  }

  const measured = size === 'small' ? rounds * SMALL : rounds;
  const analyze = database === 'postgresql' || options.analyze;
  return { measured, warmUp: Math.max(2, Math.round(measured / 5)), analyze };
}

function selectedDatabases(): DatabaseName[] {
  const isAll = options.sqlite === options.postgres;
  return [
    ...(isAll || options.sqlite ? ['sqlite' as const] : []),
    ...(isAll || options.postgres ? ['postgresql' as const] : []),
  ];
}
