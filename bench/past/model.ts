import { defineEntity, p } from '@mikro-orm/core';
import { versioned } from 'mikro-orm-versioning';

/** How many rows of each entity are there, and how many versions each of them has. */
export interface Size {
  readonly authors: number;
  readonly tags: number;
  readonly articles: number;
  /** Articles that were there once, and are deleted by now. */
  readonly deleted: number;
  readonly versions: number;
}

/**
 * What the past is asked about: articles with a unique slug, an indexed property, and an index over two, by authors, with
 * tags. All of them have history.
 */
export function definePastModel() {
  const Author = versioned(
    defineEntity({
      name: 'Author',
      properties: {
        id: p.integer().primary().autoincrement(),
        name: p.string().unique(),
        score: p.integer(),
        articles: () => p.oneToMany(Article).mappedBy('author'),
      },
    }),
  );
  const Tag = versioned(
    defineEntity({
      name: 'Tag',
      properties: {
        id: p.integer().primary().autoincrement(),
        name: p.string(),
        uses: p.integer(),
        articles: () => p.manyToMany(Article).mappedBy('tags'),
      },
    }),
  );
  const Article = versioned(
    defineEntity({
      name: 'Article',
      indexes: [{ properties: ['published', 'words'] }],
      properties: {
        id: p.integer().primary().autoincrement(),
        slug: p.string().unique(),
        shelf: p.string().index(),
        title: p.string(),
        body: p.text(),
        words: p.integer(),
        rating: p.double().nullable(),
        published: p.boolean(),
        settings: p.json<{ readonly layout: string }>(),
        author: () => p.manyToOne(Author).index(),
        tags: () => p.manyToMany(Tag),
      },
    }),
  );

  return { Author, Tag, Article } as const;
}

export type PastModel = ReturnType<typeof definePastModel>;
