import { defineEntity, p, type InferEntity } from '@mikro-orm/core';

/**
 * The entities of one side of the comparison. MikroORM keeps what it discovers on the classes, and so each ORM gets
 * classes of its own.
 */
export function defineModel() {
  const Author = defineEntity({
    name: 'Author',
    properties: {
      id: p.integer().primary().autoincrement(),
      name: p.string(),
    },
  });
  const Tag = defineEntity({
    name: 'Tag',
    properties: {
      id: p.integer().primary().autoincrement(),
      name: p.string(),
    },
  });
  const Article = defineEntity({
    name: 'Article',
    properties: {
      id: p.integer().primary().autoincrement(),
      title: p.string(),
      body: p.text(),
      words: p.integer(),
      rating: p.double().nullable(),
      published: p.boolean(),
      publishedAt: p.datetime(3),
      settings: p.json<Settings>(),
      author: () => p.manyToOne(Author),
      tags: () => p.manyToMany(Tag),
    },
  });

  return { Author, Tag, Article } as const;
}

export type Model = ReturnType<typeof defineModel>;
export type Article = InferEntity<Model['Article']>;

export interface Settings {
  readonly layout: string;
  readonly columns: readonly number[];
}

/** Values of the `n`th article, about 400 bytes. */
export function articleValues(n: number) {
  return {
    title: `Article ${n}`,
    body: `This is what article ${n} has to say. `.repeat(8),
    words: n,
    rating: (n % 50) / 10,
    published: n % 2 === 0,
    publishedAt: new Date(Date.UTC(2026, 0, 1) + n * 60_000),
    settings: { layout: n % 3 === 0 ? 'wide' : 'narrow', columns: [n % 7, n % 5] },
  };
}
