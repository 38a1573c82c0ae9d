import { Collection } from '@mikro-orm/core';
import {
  Embeddable,
  Embedded,
  Entity,
  Enum,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryKey,
  Property,
} from '@mikro-orm/decorators/es';
import { Versioned, type Versions } from 'mikro-orm-versioning';

import { Money, MoneyType, type Meta, type Status } from './model.ts';

@Entity()
@Versioned()
export class Category {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @OneToMany(() => Article, article => article.category)
  articles = new Collection<Article>(this);

  declare readonly versions: Versions<Category>;
}

@Entity()
@Versioned()
export class Tag {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  declare readonly versions: Versions<Tag>;
}

@Embeddable()
class Origin {
  @Property({ type: 'string' })
  author!: string;

  @Property({ type: 'string', nullable: true })
  place?: string | null;
}

abstract class Entry {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'datetime' })
  createdAt!: Date;
}

@Entity()
@Versioned()
export class Article extends Entry {
  @Property({ type: 'string' })
  title!: string;

  @Enum({ items: ['draft', 'public'] })
  status!: Status;

  @Property({ type: 'date', nullable: true })
  publishedOn?: string | null;

  @Property({ type: 'json' })
  meta!: Meta;

  @Property({ type: MoneyType })
  price!: Money;

  @Embedded(() => Origin)
  origin!: Origin;

  @ManyToOne(() => Category)
  category!: Category;

  @ManyToMany(() => Tag)
  tags = new Collection<Tag>(this);

  @OneToMany(() => Comment, comment => comment.article)
  comments = new Collection<Comment>(this);

  declare readonly versions: Versions<Article>;
}

@Entity({ discriminatorColumn: 'kind', discriminatorValue: 'comment' })
@Versioned()
export class Comment {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  text!: string;

  @ManyToOne(() => Article, { deleteRule: 'cascade' })
  article!: Article;

  declare readonly versions: Versions<Comment>;
}

/** Versioned with its root. */
@Entity({ discriminatorValue: 'review' })
export class Review extends Comment {
  @Property({ type: 'integer' })
  stars!: number;

  declare readonly versions: Versions<Review>;
}
