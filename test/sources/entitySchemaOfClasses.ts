import { Collection, EntitySchema } from '@mikro-orm/core';
import { versioned } from 'mikro-orm-versioning';

import { Money, MoneyType, type Meta, type Status } from './model.ts';

export class Category {
  id!: number;
  name!: string;
  articles = new Collection<Article>(this);
}

export class Tag {
  id!: number;
  name!: string;
}

class Origin {
  author!: string;
  place?: string | null;
}

abstract class Entry {
  id!: number;
  createdAt!: Date;
}

export class Article extends Entry {
  title!: string;
  status!: Status;
  publishedOn?: string | null;
  meta!: Meta;
  price!: Money;
  origin!: Origin;
  category!: Category;
  tags = new Collection<Tag>(this);
  comments = new Collection<Comment>(this);
}

export class Comment {
  id!: number;
  text!: string;
  article!: Article;
}

export class Review extends Comment {
  stars!: number;
}

versioned(
  new EntitySchema<Category>({
    class: Category,
    properties: {
      id: { type: 'integer', primary: true },
      name: { type: 'string' },
      articles: { kind: '1:m', entity: () => Article, mappedBy: 'category' },
    },
  }),
);

versioned(
  new EntitySchema<Tag>({
    class: Tag,
    properties: { id: { type: 'integer', primary: true }, name: { type: 'string' } },
  }),
);

const OriginSchema = new EntitySchema<Origin>({
  class: Origin,
  embeddable: true,
  properties: { author: { type: 'string' }, place: { type: 'string', nullable: true } },
});

const EntrySchema = new EntitySchema<Entry>({
  class: Entry,
  abstract: true,
  properties: { id: { type: 'integer', primary: true }, createdAt: { type: 'datetime' } },
});

versioned(
  new EntitySchema<Article, Entry>({
    class: Article,
    extends: EntrySchema,
    properties: {
      title: { type: 'string' },
      status: { enum: true, items: ['draft', 'public'] },
      publishedOn: { type: 'date', nullable: true },
      meta: { type: 'json' },
      price: { type: MoneyType },
      origin: { kind: 'embedded', entity: () => OriginSchema },
      category: { kind: 'm:1', entity: () => Category },
      tags: { kind: 'm:n', entity: () => Tag },
      comments: { kind: '1:m', entity: () => Comment, mappedBy: 'article' },
    },
  }),
);

versioned(
  new EntitySchema<Comment>({
    class: Comment,
    discriminatorColumn: 'kind',
    discriminatorValue: 'comment',
    properties: {
      id: { type: 'integer', primary: true },
      text: { type: 'string' },
      article: { kind: 'm:1', entity: () => Article, deleteRule: 'cascade' },
    },
  }),
);

versioned(
  new EntitySchema<Review, Comment>({
    class: Review,
    extends: Comment,
    discriminatorValue: 'review',
    properties: { stars: { type: 'integer' } },
  }),
);
