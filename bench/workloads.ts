import type { EntityManager } from '@mikro-orm/sql';

import { numbers, SEEDED, type Side } from './databases.ts';
import { articleValues, type Article } from './model.ts';

/** One thing that is measured on both sides. */
export interface Workload {
  readonly name: string;
  /** Highest ratio of design 2.6; `null` where it names none. */
  readonly budget: number | null;
  /** How far above its budget a ratio may lie by chance. */
  readonly noise?: number;
  /** Does what is not measured, and returns what is. */
  prepare(side: Side): Promise<() => Promise<unknown>>;
}

/** Workloads that build on one another, in this order in each round: what the first inserts, the last deletes. */
export interface WorkloadGroup {
  readonly size: 'small' | 'large';
  readonly workloads: readonly Workload[];
}

/** Names of the workloads whose rows of link history are counted. */
export const ADD_LINKS = 'add 50 links';
export const EDIT_LINKED = 'update 1 that has 50 links';

/** Names of the workloads that have to be free. */
export const IDLE = 'flush 100 unchanged';
export const READ = 'find 100';

/** Budgets of design 2.6 by number of rows. */
const BUDGETS = {
  1: { insert: 1.3, update: 1.3, delete: 1.3 },
  1000: { insert: 1.15, update: 1.3, delete: 1.4 },
} as const;

export const workloadGroups: readonly WorkloadGroup[] = [
  { size: 'small', workloads: [...rowWorkloads(1), ...linkWorkloads(), idleFlush(), read()] },
  { size: 'large', workloads: rowWorkloads(1000) },
];

/** Name of the workload that inserts, updates or deletes so many rows in one flush. */
export function rowWorkloadName(verb: 'insert' | 'update' | 'delete', count: number): string {
  return `${verb} ${count.toLocaleString('en')}`;
}

function rowWorkloads(count: 1 | 1000): Workload[] {
  const idsOf = new Map<Side, number[]>();
  const load = async (side: Side): Promise<[EntityManager, Article[]]> => {
    const em = side.orm.em.fork();
    return [em, await em.find(side.model.Article, { id: { $in: idsOf.get(side)! } })];
  };

  return [
    {
      name: rowWorkloadName('insert', count),
      budget: BUDGETS[count].insert,
      prepare: async side => {
        const em = side.orm.em.fork();
        const articles = numbers(count).map(n => createArticle(side, em, n));
        return async () => {
          await em.flush();
          idsOf.set(
            side,
            articles.map(({ id }) => id),
          );
        };
      },
    },
    {
      name: rowWorkloadName('update', count),
      budget: BUDGETS[count].update,
      prepare: async side => {
        const [em, articles] = await load(side);
        articles.forEach(edit);
        return () => em.flush();
      },
    },
    {
      name: rowWorkloadName('delete', count),
      budget: BUDGETS[count].delete,
      prepare: async side => {
        const [em, articles] = await load(side);
        articles.forEach(article => em.remove(article));
        return () => em.flush();
      },
    },
  ];
}

function linkWorkloads(): Workload[] {
  const idOf = new Map<Side, number>();
  const load = async (side: Side): Promise<[EntityManager, Article]> => {
    const em = side.orm.em.fork();
    return [em, await em.findOneOrFail(side.model.Article, idOf.get(side)!, { populate: ['tags'] })];
  };

  return [
    {
      name: ADD_LINKS,
      budget: null,
      prepare: async side => {
        const creator = side.orm.em.fork();
        const created = createArticle(side, creator, 1);
        await creator.flush();
        idOf.set(side, created.id);
        const [em, article] = await load(side);
        article.tags.add(await em.findAll(side.model.Tag));
        return () => em.flush();
      },
    },
    {
      name: EDIT_LINKED,
      budget: BUDGETS[1].update,
      prepare: async side => {
        const [em, article] = await load(side);
        edit(article);
        return () => em.flush();
      },
    },
  ];
}

function idleFlush(): Workload {
  return {
    name: IDLE,
    budget: 1,
    noise: 0.05,
    prepare: async side => {
      const em = side.orm.em.fork();
      await em.find(side.model.Article, { id: { $lte: 100 } });
      return () => em.flush();
    },
  };
}

function read(): Workload {
  return {
    name: READ,
    budget: 1,
    noise: 0.05,
    prepare: async side => {
      const em = side.orm.em.fork();
      return () => em.find(side.model.Article, { id: { $lte: 100 } });
    },
  };
}

function createArticle({ model }: Side, em: EntityManager, n: number): Article {
  const author = em.getReference(model.Author, 1 + (n % SEEDED.authors));
  return em.create(model.Article, { ...articleValues(n), author });
}

function edit(article: Article): void {
  article.title += ', edited';
  article.words += 1;
  article.published = !article.published;
}
