import { Collection } from '@mikro-orm/core';
import {
  Embedded,
  Entity,
  Enum,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryKey,
  Property,
} from '@mikro-orm/decorators/legacy';
import { Versioned, type Versions } from 'mikro-orm-versioning';

import { Money, MoneyType, type Meta, type Status } from '../../model.ts';
import { Entry } from './Entry.ts';
import { Origin } from './Origin.ts';
import { Tag } from './Tag.ts';

@Entity()
@Versioned()
export class Category {
  @PrimaryKey()
  id!: number;

  @Property()
  name!: string;

  @OneToMany(() => Article, article => article.category)
  articles = new Collection<Article>(this);

  declare readonly versions: Versions<Category>;
}

@Entity()
@Versioned()
export class Article extends Entry {
  @Property()
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

  @ManyToOne()
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
  @PrimaryKey()
  id!: number;

  @Property()
  text!: string;

  @ManyToOne({ deleteRule: 'cascade' })
  article!: Article;

  declare readonly versions: Versions<Comment>;
}
