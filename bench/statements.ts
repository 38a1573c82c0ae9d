import type { Pair, Side } from './databases.ts';
import { ADD_LINKS, EDIT_LINKED, IDLE, READ, rowWorkloadName, type Workload, type WorkloadGroup } from './workloads.ts';

/** Statements that one run of a workload sends, `begin` and `commit` included, and the link versions that it leaves. */
export interface Counts {
  readonly plain: number;
  readonly versioned: number;
  readonly links: number;
}

/** Runs each workload of a group once on both sides, with MikroORM's logging on, and counts. */
export async function countStatements(pair: Pair, { workloads }: WorkloadGroup): Promise<Map<Workload, Counts>> {
  const counts = new Map<Workload, Counts>();

  for (const workload of workloads) {
    const before = await countLinkVersions(pair.versioned);
    const plain = await countOn(pair.plain, workload);
    const versioned = await countOn(pair.versioned, workload);
    counts.set(workload, { plain, versioned, links: (await countLinkVersions(pair.versioned)) - before });
  }

  return counts;
}

/** What the counts break of the promises that hold on any machine, in whole sentences. */
export function brokenPromises(counts: ReadonlyMap<Workload, Counts>): string[] {
  const byName = new Map([...counts].map(([{ name }, count]) => [name, count]));
  const extra = (name: string) => byName.get(name)!.versioned - byName.get(name)!.plain;
  const broken: string[] = [];
  const expect = (claim: string, actual: number, expected: number) => {
    if (actual !== expected) {
      broken.push(`${claim}: ${actual}, expected ${expected}.`);
    }
  };

  for (const verb of ['insert', 'update', 'delete'] as const) {
    const [one, many] = [rowWorkloadName(verb, 1), rowWorkloadName(verb, 1000)];
    expect(`"${many}" sends as many extra statements as "${one}"`, extra(many), extra(one));
  }

  expect(`"${IDLE}" sends no extra statement`, extra(IDLE), 0);
  expect(`"${READ}" sends no extra statement`, extra(READ), 0);
  expect(`"${ADD_LINKS}" leaves one link version a link`, byName.get(ADD_LINKS)!.links, 50);
  expect(`"${EDIT_LINKED}" leaves no link version`, byName.get(EDIT_LINKED)!.links, 0);

  return broken;
}

async function countOn(side: Side, workload: Workload): Promise<number> {
  const { orm, statements } = side;
  const work = await workload.prepare(side);
  const logger = orm.config.getLogger();
  statements.length = 0;
  logger.setDebugMode(['query']);
  await work();
  logger.setDebugMode(false);
  return statements.length;
}

async function countLinkVersions({ orm }: Side): Promise<number> {
  const [row] = await orm.em.getConnection().execute('select count(*) as n from article_tags_version');
  return Number((row as { n: unknown }).n);
}
