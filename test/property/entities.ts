import { Collection } from '@mikro-orm/core';
import { Entity, ManyToMany, ManyToOne, OneToMany, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import { Versioned } from 'mikro-orm-versioning';

/** Two databases need not give rows in the same order, and so MikroORM need not write them in the same one. */
const orderBy = { id: 'asc' } as const;

/** Not versioned, although its deletion reaches articles, their comments, notes and links. */
@Entity()
export class Blog {
  @PrimaryKey({ type: 'integer', autoincrement: false })
  id!: number;

  @Property({ type: 'string' })
  text!: string;
}

@Entity()
@Versioned()
export class Category {
  @PrimaryKey({ type: 'integer', autoincrement: false })
  id!: number;

  @Property({ type: 'string' })
  text!: string;

  @OneToMany({ entity: () => Article, mappedBy: 'category', orderBy })
  articles = new Collection<Article>(this);
}

@Entity()
@Versioned()
export class Tag {
  @PrimaryKey({ type: 'integer', autoincrement: false })
  id!: number;

  @Property({ type: 'string' })
  text!: string;

  @ManyToMany({ entity: () => Article, mappedBy: 'tags', orderBy })
  articles = new Collection<Article>(this);
}

@Entity()
@Versioned({ exclude: ['views'] })
export class Article {
  @PrimaryKey({ type: 'integer', autoincrement: false })
  id!: number;

  @Property({ type: 'string' })
  text!: string;

  @Property({ type: 'string', nullable: true, unique: true })
  slug: string | null = null;

  @Property({ type: 'integer' })
  views = 0;

  @ManyToOne({ entity: () => Category, nullable: true, deleteRule: 'set null', updateRule: 'cascade' })
  category: Category | null = null;

  @ManyToOne({ entity: () => Blog, nullable: true, deleteRule: 'cascade', updateRule: 'cascade' })
  blog: Blog | null = null;

  @ManyToMany({ entity: () => Tag, inversedBy: 'articles', orderBy })
  tags = new Collection<Tag>(this);

  @ManyToMany({ entity: () => Tag, fixedOrder: true })
  topics = new Collection<Tag>(this);

  @ManyToMany({ entity: () => Article, inversedBy: 'relatedBy', orderBy })
  related = new Collection<Article>(this);

  @ManyToMany({ entity: () => Article, mappedBy: 'related', orderBy })
  relatedBy = new Collection<Article>(this);

  @OneToMany({ entity: () => Note, mappedBy: 'article', orphanRemoval: true, orderBy })
  notes = new Collection<Note>(this);
}

/** Its article does not know it: only the database deletes it along. */
@Entity()
@Versioned()
export class Comment {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  text!: string;

  @ManyToOne({ entity: () => Article, deleteRule: 'cascade', updateRule: 'cascade' })
  article!: Article;

  @ManyToOne({ entity: () => Comment, nullable: true, deleteRule: 'cascade', updateRule: 'cascade' })
  answers: Comment | null = null;
}

@Entity()
@Versioned()
export class Note {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  text!: string;

  @ManyToOne({ entity: () => Article, deleteRule: 'cascade', updateRule: 'cascade' })
  article!: Article;
}

export const entities = [Blog, Category, Tag, Article, Comment, Note];
