import { asOf } from 'mikro-orm-versioning';

import { MOMENTS, type MomentName, type PastDatabase } from './database.ts';
import type { PastWorkload } from './workloads.ts';

/** How the database means to answer one query of the past. */
export interface Plan {
  readonly workload: PastWorkload;
  readonly moment: MomentName;
  /** As the past's manager sent it. */
  readonly sql: string;
  readonly steps: readonly Step[];
}

/** One access to a table, or a part of a query that is worked out as a whole. */
interface Step {
  /** As the database puts it. */
  readonly text: string;
  /** The table that is read; `undefined` where it is none. */
  readonly table?: string;
  /** What bounds the part of an index that is read: `id = 7 AND end_transaction_id > 3`; empty where all of it is. */
  readonly range?: string;
  /** Whether an index is read. */
  readonly byIndex?: boolean;
  readonly isWhole?: boolean;
}

/** The plans of all queries that a workload sends, as of each moment. */
export async function plansOf(database: PastDatabase, workload: PastWorkload): Promise<Plan[]> {
  const plans: Plan[] = [];

  for (const moment of MOMENTS) {
    for (const sql of await queriesOf(database, workload, moment)) {
      plans.push({ workload, moment, sql, steps: await explain(database, sql) });
    }
  }

  return plans;
}

/** Shorter histories may be read as a whole: where a query needs some hundreds of their rows, that is cheaper. */
const LONG = 50_000;

/** The names of the long history tables. */
export async function longHistories({ orm }: PastDatabase): Promise<Set<string>> {
  const long = new Set<string>();

  for (const table of ['author_version', 'tag_version', 'article_version', 'article_tags_version']) {
    const [row] = await orm.em.getConnection().execute<{ n: unknown }[]>(`select count(*) as n from ${table}`);
    if (Number(row!.n) >= LONG) {
      long.add(table);
    }
  }

  return long;
}

/** Whole sentences about what a plan must not do with long histories. */
export function brokenBy({ workload, moment, steps }: Plan, long: ReadonlySet<string>): string[] {
  const question = `"${workload.name}" as of ${moment}`;

  return steps.flatMap(({ text, table, range = '', byIndex, isWhole }) => {
    if (isWhole) {
      return [`${question} works out a table before it looks into it: ${text}.`];
    }
    if (table === undefined || !long.has(table) || (byIndex && workload.inOrder)) {
      return [];
    }
    // the span alone bounds nothing: an index begins with what a query asks for
    const bounds = range.split(/ and /i).filter(bound => !/^\W*(?:end_)?transaction_id\b/.test(bound));
    return bounds.join('') === '' ? [`${question} looks through ${table}: ${text}.`] : [];
  });
}

async function queriesOf(
  { orm, model, moments, statements }: PastDatabase,
  workload: PastWorkload,
  moment: MomentName,
): Promise<string[]> {
  const past = asOf(orm.em.fork(), moments[moment]);
  await past.count(model.Tag); // looks up the moment
  const em = past.fork();
  const logger = orm.config.getLogger();
  statements.length = 0;
  // after the fork, which sets it back
  logger.setDebugMode(['query', 'query-params']);
  await workload.ask(em);
  logger.setDebugMode(false);

  return statements.map(line => /^\[query\] (.*) \[took .*\]$/s.exec(line)![1]!);
}

async function explain({ orm, name }: PastDatabase, sql: string): Promise<Step[]> {
  const connection = orm.em.getConnection();
  if (name === 'sqlite') {
    const rows = await connection.execute<{ detail: string }[]>(`explain query plan ${sql}`);
    return rows.map(({ detail }) => sqliteStep(detail));
  }
  const [row] = await connection.execute<{ 'QUERY PLAN': { Plan: PostgresNode }[] }[]>(`explain (format json) ${sql}`);
  return postgresSteps(row!['QUERY PLAN'][0]!.Plan);
}

/** `SEARCH article_version USING INDEX article_version_id_… (id=? AND end_transaction_id>?)` */
function sqliteStep(text: string): Step {
  const access = /^(?:SCAN|SEARCH) (\w+)(?: USING (.*?)(?: \((.*)\))?(?: LEFT-JOIN)?)?$/.exec(text);
  if (!access) {
    return { text, isWhole: /^(?:MATERIALIZE|CO-ROUTINE)\b/.test(text) };
  }
  const [, table, index, range] = access;
  return { text, table: table!, byIndex: index !== undefined, ...(range === undefined ? {} : { range }) };
}

interface PostgresNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly PostgresNode[];
}

function postgresSteps(node: PostgresNode, table?: string): Step[] {
  const type = node['Node Type'];
  const relation = node['Relation Name'] ?? table;
  // the table of a bitmap stands above the index that it is made from
  const below = (node.Plans ?? []).flatMap(each =>
    postgresSteps(each, type === 'Bitmap Heap Scan' ? relation : undefined),
  );
  if (type === 'Bitmap Heap Scan' || (!type.endsWith('Scan') && !type.startsWith('CTE'))) {
    return below;
  }
  const range = node['Index Cond']?.replaceAll(/[()"]/g, '');
  const step: Step = {
    text: [type, node['Index Name'] ?? relation, range && `(${range})`].filter(Boolean).join(' '),
    ...(relation === undefined ? {} : { table: relation }),
    ...(range === undefined ? {} : { range }),
    byIndex: node['Index Name'] !== undefined,
    isWhole: type.startsWith('CTE'),
  };
  return [step, ...below];
}
