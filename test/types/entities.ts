import { Collection, PrimaryKeyProp, type Opt, type Ref, type ScalarRef } from '@mikro-orm/core';
import {
  Embeddable,
  Embedded,
  Entity,
  Enum,
  ManyToMany,
  ManyToOne,
  OneToMany,
  OneToOne,
  PrimaryKey,
  Property,
} from '@mikro-orm/decorators/es';
import { Versioned, type Versions } from 'mikro-orm-versioning';

/** Not versioned. */
@Entity()
export class User {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;
}

@Embeddable()
export class Address {
  @Property({ type: 'string' })
  city!: string;
}

@Entity()
@Versioned()
export class Category {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @ManyToOne(() => Category, { nullable: true })
  parent!: Category | null;

  @OneToMany(() => Article, article => article.category)
  articles = new Collection<Article>(this);

  declare readonly versions: Versions<Category>;
}

@Entity()
@Versioned()
export class Tag {
  [PrimaryKeyProp]?: 'code';

  @PrimaryKey({ type: 'string' })
  code!: string;

  @Property({ type: 'string' })
  name!: string;

  @ManyToMany(() => Article, article => article.tags)
  articles = new Collection<Article>(this);

  declare readonly versions: Versions<Tag>;
}

/** Keys of `Article` come from its base class, as does what is common to documents. */
abstract class Document {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @ManyToOne(() => User)
  author!: User;

  @Property({ type: 'datetime' })
  createdAt: Opt<Date> = new Date();
}

export type Status = 'draft' | 'public';

@Entity()
@Versioned({ exclude: ['views'] })
export class Article extends Document {
  @Property({ type: 'string' })
  name!: string;

  @Property({ type: 'text', nullable: true })
  note?: string | null;

  @Enum({ items: ['draft', 'public'] })
  status: Opt<Status> = 'draft';

  @Property({ type: 'json' })
  meta!: { source: string; pages: number[] };

  @Property({ type: 'array' })
  keywords!: string[];

  @Property({ type: 'text', lazy: true, ref: true })
  body!: ScalarRef<string>;

  @Property({ type: 'integer' })
  views: Opt<number> = 0;

  @Embedded(() => Address)
  address!: Address;

  @Embedded(() => Address, { array: true })
  addresses: Opt<Address[]> = [];

  @ManyToOne(() => Category)
  category!: Category;

  @ManyToOne(() => Category, { nullable: true })
  second!: Category | null;

  @ManyToOne(() => Category, { ref: true, nullable: true })
  wrapped!: Ref<Category> | null;

  @ManyToOne(() => User, { ref: true })
  editor!: Ref<User>;

  @ManyToOne(() => Category, { mapToPk: true })
  categoryId!: number;

  @ManyToMany(() => Tag)
  tags = new Collection<Tag>(this);

  @ManyToMany(() => User)
  readers = new Collection<User>(this);

  @OneToOne(() => Cover, cover => cover.article, { nullable: true })
  cover?: Cover | null;

  declare readonly versions: Versions<Article>;

  publish(): void {
    this.status = 'public';
  }
}

@Entity()
@Versioned()
export class Cover {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @OneToOne(() => Article)
  article!: Article;

  declare readonly versions: Versions<Cover>;
}
