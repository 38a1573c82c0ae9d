import {
  EntityRepository,
  EntityRepositoryType,
  type Collection,
  type EntityManager,
  type Opt,
  type Ref,
  type ScalarReference,
} from '@mikro-orm/core';
import {
  Entity,
  Filter,
  Formula,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryKey,
  Property,
} from '@mikro-orm/decorators/es';
import type { EntityManager as SqlEntityManager } from '@mikro-orm/sql';
import { Versioned } from 'mikro-orm-versioning';

import type { Orm } from './orm.ts';

/** Entities with what MikroORM's reading has to offer: filters, formulas, references, lazy columns, virtual ones, views. */
@Entity()
@Versioned()
@Filter({ name: 'named', cond: ({ name }: Record<string, string>) => ({ name: name! }) })
export class Author {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @OneToMany(() => Book, book => book.author)
  books!: Collection<Book>;

  greeting(): string {
    return `I am ${this.name}`;
  }
}

export class BookRepository extends EntityRepository<Book> {
  async titles(): Promise<string[]> {
    return (await this.find({}, { orderBy: { id: 'asc' } })).map(book => book.title);
  }
}

@Entity({ repository: () => BookRepository })
@Versioned()
@Filter({ name: 'shown', cond: { hidden: false }, default: true })
export class Book {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  title!: string;

  @Property({ type: 'boolean', default: false })
  hidden!: boolean & Opt;

  @Property({ type: 'text', nullable: true, lazy: true, ref: true })
  blurb?: ScalarReference<string | null>;

  @Property({ type: 'json', nullable: true })
  data?: Record<string, unknown> | null;

  @ManyToOne(() => Author, { ref: true })
  author!: Ref<Author>;

  @ManyToMany(() => Genre)
  genres!: Collection<Genre>;

  @Formula<Book>(
    columns =>
      `cast((select count(*) from book peer join book me on me.author_id = peer.author_id where me.id = ${columns.id}) as integer)`,
    { type: 'integer' },
  )
  peers!: number & Opt;

  readonly [EntityRepositoryType]?: BookRepository;
}

@Entity()
@Versioned()
export class Genre {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @ManyToOne(() => Genre, { nullable: true })
  wider?: Genre | null;

  @ManyToMany(() => Book, book => book.genres)
  books!: Collection<Book>;
}

/** A query that is an entity. */
@Entity({
  expression:
    'select a.name as name, count(b.id) as books from author a left join book b on b.author_id = a.id group by a.name',
})
export class Output {
  @Property({ type: 'string' })
  name!: string;

  @Property({ type: 'integer' })
  books!: number;
}

/** The same, by a function. */
@Entity({
  expression: (em: EntityManager) =>
    (em as SqlEntityManager)
      .createQueryBuilder(Genre, 'g')
      .select(['g.name'])
      .leftJoin('g.books', 'b')
      .where({ 'b.hidden': false }),
})
export class Read {
  @Property({ type: 'string' })
  name!: string;
}

/** A view of the database. */
@Entity({ view: true, tableName: 'title_view', expression: 'select id, title from book;' })
export class Title {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  title!: string;
}

/** A view of a view. */
@Entity({
  view: true,
  tableName: 'long_title_view',
  expression:
    'select t.id, t.title, a.name as author from title_view t join book b on b.id = t.id join author a on a.id = b.author_id where length(t.title) > 3',
})
export class LongTitle {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  title!: string;

  @Property({ type: 'string' })
  author!: string;
}

export const PRESS = [Author, Book, Genre, Output, Read, Title, LongTitle];

/** A history of four transactions. */
export const PRESS_HISTORY: readonly ((orm: Orm) => Promise<void>)[] = [
  async orm => {
    const em = orm.em.fork();
    const [ann, bob] = [em.create(Author, { id: 1, name: 'Ann' }), em.create(Author, { id: 2, name: 'Bob' })];
    const fiction = em.create(Genre, { id: 1, name: 'fiction' });
    const crime = em.create(Genre, { id: 2, name: 'crime', wider: fiction });
    const book = (id: number, title: string, author: Author, genres: Genre[]) =>
      em.create(Book, { id, title, author, genres, blurb: `about ${title}`, data: { id, tags: ['x'] } } as never);
    book(1, 'One', ann, [fiction]);
    book(2, 'Second', ann, [fiction, crime]);
    book(3, 'Third', bob, []);
    await em.flush();
  },
  async orm => {
    const em = orm.em.fork();
    const [bob, second, third] = [
      await em.findOneOrFail(Author, 2),
      await em.findOneOrFail(Book, 2, { populate: ['genres', 'blurb'] }),
      await em.findOneOrFail(Book, 3),
    ];
    Object.assign(second, {
      title: 'Deuxième',
      author: em.getReference(Author, 2, { wrapped: true }),
      data: { id: 2, tags: ['y'] },
    });
    second.blurb!.set('rewritten');
    second.genres.remove(em.getReference(Genre, 1));
    third.hidden = true;
    em.create(Book, { id: 4, title: 'Four', author: bob, genres: [1], data: { id: 4, tags: [] } } as never);
    bob.name = 'Robert';
    await em.flush();
  },
  async orm => {
    const em = orm.em.fork();
    em.remove(await em.findOneOrFail(Book, 1));
    const crime = await em.findOneOrFail(Genre, 2);
    crime.name = 'Crime';
    crime.wider = null;
    em.create(Genre, { id: 3, name: 'noir', wider: crime });
    em.create(Author, { id: 3, name: 'Cid' });
    await em.flush();
  },
  async orm => {
    const em = orm.em.fork();
    const [ann, second, third] = [
      await em.findOneOrFail(Author, 1),
      await em.findOneOrFail(Book, 2, { populate: ['genres'] }),
      await em.findOneOrFail(Book, 3, { filters: false }),
    ];
    third.hidden = false;
    third.author = em.getReference(Author, 1, { wrapped: true }) as never;
    second.genres.add(em.getReference(Genre, 3));
    ann.name = 'Anne';
    em.create(Book, { id: 5, title: 'Fifth', author: ann, genres: [3], data: null } as never);
    await em.flush();
  },
];
