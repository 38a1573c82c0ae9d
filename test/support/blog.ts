import { defineEntity, p } from '@mikro-orm/core';
import { versioned, type Versions } from 'mikro-orm-versioning';

/** A small blog: versioned articles and categories, tags and users without history. */
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

const TagSchema = defineEntity({
  name: 'Tag',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    articles: () => p.manyToMany(Article).mappedBy('tags'),
  },
});
export class Tag extends TagSchema.class {}
TagSchema.setClass(Tag);

const ArticleSchema = defineEntity({
  name: 'Article',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    views: p.integer().default(0),
    category: () => p.manyToOne(Category).nullable(),
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
  properties: {
    id: p.integer().primary(),
    text: p.string(),
    article: () => p.manyToOne(Article).deleteRule('cascade'),
    answers: () => p.manyToOne(Comment).nullable().deleteRule('cascade'),
  },
});
export class Comment extends CommentSchema.class {
  declare readonly versions: Versions<Comment>;
}
CommentSchema.setClass(Comment);

versioned(CategorySchema);
versioned(ArticleSchema, { exclude: ['views'] });
versioned(CommentSchema);

export const BLOG = [Category, Tag, Article, Comment];
