import { EntitySchema } from '@mikro-orm/core';

import { MoneyType, type Article as IArticle, type Entry as IEntry, type Origin as IOrigin } from './model.ts';
import type { Category as ICategory, Comment as IComment, Review as IReview, Tag as ITag } from './model.ts';

/** Without marks: they are listed in the configuration. */
export const Category = new EntitySchema<ICategory>({
  name: 'Category',
  properties: {
    id: { type: 'integer', primary: true },
    name: { type: 'string' },
    articles: { kind: '1:m', entity: () => Article, mappedBy: 'category' },
  },
});

export const Tag = new EntitySchema<ITag>({
  name: 'Tag',
  properties: { id: { type: 'integer', primary: true }, name: { type: 'string' } },
});

const Origin = new EntitySchema<IOrigin>({
  name: 'Origin',
  embeddable: true,
  properties: { author: { type: 'string' }, place: { type: 'string', nullable: true } },
});

const Entry = new EntitySchema<IEntry>({
  name: 'Entry',
  abstract: true,
  properties: { id: { type: 'integer', primary: true }, createdAt: { type: 'datetime' } },
});

export const Article: EntitySchema<IArticle, IEntry> = new EntitySchema<IArticle, IEntry>({
  name: 'Article',
  extends: Entry,
  properties: {
    title: { type: 'string' },
    status: { enum: true, items: ['draft', 'public'] },
    publishedOn: { type: 'date', nullable: true },
    meta: { type: 'json' },
    price: { type: MoneyType },
    origin: { kind: 'embedded', entity: () => Origin },
    category: { kind: 'm:1', entity: () => Category },
    tags: { kind: 'm:n', entity: () => Tag },
    comments: { kind: '1:m', entity: () => Comment, mappedBy: 'article' },
  },
});

export const Comment: EntitySchema<IComment> = new EntitySchema<IComment>({
  name: 'Comment',
  discriminatorColumn: 'kind',
  discriminatorValue: 'comment',
  properties: {
    id: { type: 'integer', primary: true },
    text: { type: 'string' },
    article: { kind: 'm:1', entity: () => Article, deleteRule: 'cascade' },
  },
});

export const Review = new EntitySchema<IReview, IComment>({
  name: 'Review',
  extends: Comment,
  discriminatorValue: 'review',
  properties: { stars: { type: 'integer' } },
});
