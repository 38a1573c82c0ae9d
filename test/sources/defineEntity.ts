import { defineEntity, p } from '@mikro-orm/core';
import { versioned } from 'mikro-orm-versioning';

import { MoneyType, type Meta } from './model.ts';

export const Category = versioned(
  defineEntity({
    name: 'Category',
    properties: {
      id: p.integer().primary(),
      name: p.string(),
      articles: () => p.oneToMany(Article).mappedBy('category'),
    },
  }),
);

export const Tag = versioned(
  defineEntity({ name: 'Tag', properties: { id: p.integer().primary(), name: p.string() } }),
);

const Origin = defineEntity({
  name: 'Origin',
  embeddable: true,
  properties: { author: p.string(), place: p.string().nullable() },
});

const Entry = defineEntity({
  name: 'Entry',
  abstract: true,
  properties: { id: p.integer().primary(), createdAt: p.datetime() },
});

export const Article = versioned(
  defineEntity({
    name: 'Article',
    extends: Entry,
    properties: {
      title: p.string(),
      status: p.enum(['draft', 'public']),
      publishedOn: p.date().nullable(),
      meta: p.json<Meta>(),
      price: p.type(MoneyType),
      origin: () => p.embedded(Origin),
      category: () => p.manyToOne(Category),
      tags: () => p.manyToMany(Tag),
      comments: () => p.oneToMany(Comment).mappedBy('article'),
    },
  }),
);

export const Comment = versioned(
  defineEntity({
    name: 'Comment',
    discriminatorColumn: 'kind',
    discriminatorValue: 'comment',
    properties: {
      id: p.integer().primary(),
      text: p.string(),
      article: () => p.manyToOne(Article).deleteRule('cascade'),
    },
  }),
);

/** Versioned with its root. */
export const Review = defineEntity({
  name: 'Review',
  extends: Comment,
  discriminatorValue: 'review',
  properties: { stars: p.integer() },
});
