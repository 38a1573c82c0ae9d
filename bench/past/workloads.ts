import type { EntityManager } from '@mikro-orm/sql';

import type { PastModel, Size } from './model.ts';

/** A question that is asked of the present and of the past. */
export interface PastWorkload {
  readonly name: string;
  /** Highest ratio of design 2.6; `null` where it names none. */
  readonly budget: number | null;
  /** Whether it reads rows in the order of their keys until it has enough, and so may begin at an end of an index. */
  readonly inOrder?: boolean;
  /** Whether a past is asked that has its moment to look up first. */
  readonly isFirst?: boolean;
  ask(em: EntityManager): Promise<unknown>;
}

const BUDGET = 1.3;

/** The questions, about rows that every moment has; each answer has as many rows at every moment. */
export function pastWorkloads({ Article, Author }: PastModel, size: Size): PastWorkload[] {
  const id = Math.floor(size.articles / 2);
  const author = Math.floor(size.authors / 2);
  const orderBy = { id: 'asc' } as const;
  const words = Math.floor(size.articles / 40);
  const article = (name: string, options: object): PastWorkload => ({
    name,
    budget: BUDGET,
    ask: em => em.findOneOrFail(Article, id, options),
  });
  const articles = (name: string, where: object, options: object = {}): PastWorkload => ({
    name,
    budget: BUDGET,
    ask: em => em.find(Article, where, { orderBy, ...options }),
  });

  return [
    article('find 1 by key', {}),
    { ...article('find 1 by key, the first of a manager', {}), budget: null, isFirst: true },
    {
      name: 'find 1 by unique property',
      budget: BUDGET,
      ask: em => em.findOneOrFail(Article, { slug: `article-${id}` }),
    },
    articles('find 50 by indexed property', { shelf: 'Shelf 7' }),
    articles('find 50 by index over two', { published: true, words: { $gte: words, $lt: words + 5 } }),
    articles('find 10 by foreign key', { author }),
    articles('find 10 by property of relation', { author: { name: `Author ${author}` } }),
    articles('find 50 by keys', { id: { $in: Array.from({ length: 50 }, (_, i) => 1 + i * 97) } }),
    { ...articles('page of 20 by key', {}, { limit: 20, offset: 100 }), inOrder: true },
    { name: 'count 50 by indexed property', budget: BUDGET, ask: em => em.count(Article, { shelf: 'Shelf 7' }) },
    article('1 and to-one, joined', { populate: ['author'], strategy: 'joined' }),
    article('1 and to-one, select-in', { populate: ['author'], strategy: 'select-in' }),
    articles('50 and to-one, joined', { shelf: 'Shelf 7' }, { populate: ['author'], strategy: 'joined' }),
    ...(['joined', 'select-in'] as const).map((strategy): PastWorkload => ({
      name: `1 and 10 of one-to-many, ${strategy}`,
      budget: BUDGET,
      ask: em => em.findOneOrFail(Author, author, { populate: ['articles'], strategy }),
    })),
    articles('50 and many-to-many, joined', { shelf: 'Shelf 7' }, { populate: ['tags'], strategy: 'joined' }),
    articles('50 and many-to-many, select-in', { shelf: 'Shelf 7' }, { populate: ['tags'], strategy: 'select-in' }),
  ];
}

/** The keys of all rows of an answer, in an order that does not depend on the database; a number stands for itself. */
export function keysIn(answer: unknown): string[] {
  return typeof answer === 'number'
    ? [String(answer)]
    : [...JSON.stringify(answer).matchAll(/"id":\d+/g)].map(([key]) => key).toSorted();
}
