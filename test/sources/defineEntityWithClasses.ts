import { defineEntity, p } from '@mikro-orm/core';
import { versioned, type Versions } from 'mikro-orm-versioning';

import { MoneyType, type Meta } from './model.ts';

const CategorySchema = defineEntity({
  name: 'Category',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    articles: () => p.oneToMany(Article).mappedBy('category'),
  },
});
export class Category extends CategorySchema.class {
  declare readonly versions: Versions<Category>;
}
CategorySchema.setClass(Category);

const TagSchema = defineEntity({ name: 'Tag', properties: { id: p.integer().primary(), name: p.string() } });
export class Tag extends TagSchema.class {
  declare readonly versions: Versions<Tag>;
}
TagSchema.setClass(Tag);

const OriginSchema = defineEntity({
  name: 'Origin',
  embeddable: true,
  properties: { author: p.string(), place: p.string().nullable() },
});
class Origin extends OriginSchema.class {}
OriginSchema.setClass(Origin);

const Entry = defineEntity({
  name: 'Entry',
  abstract: true,
  properties: { id: p.integer().primary(), createdAt: p.datetime() },
});

const ArticleSchema = defineEntity({
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
});
export class Article extends ArticleSchema.class {
  declare readonly versions: Versions<Article>;
}
ArticleSchema.setClass(Article);

const CommentSchema = defineEntity({
  name: 'Comment',
  discriminatorColumn: 'kind',
  discriminatorValue: 'comment',
  properties: {
    id: p.integer().primary(),
    text: p.string(),
    article: () => p.manyToOne(Article).deleteRule('cascade'),
  },
});
export class Comment extends CommentSchema.class {
  declare readonly versions: Versions<Comment>;
}
CommentSchema.setClass(Comment);

const ReviewSchema = defineEntity({
  name: 'Review',
  extends: CommentSchema,
  discriminatorValue: 'review',
  properties: { stars: p.integer() },
});
export class Review extends ReviewSchema.class {
  declare readonly versions: Versions<Review>;
}
ReviewSchema.setClass(Review);

versioned(CategorySchema);
versioned(TagSchema);
versioned(ArticleSchema);
versioned(CommentSchema);
