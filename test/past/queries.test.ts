import { defineEntity, p, raw, sql } from '@mikro-orm/core';
import { asOf, Versioning } from 'mikro-orm-versioning';
import { beforeAll, expect, it } from 'vitest';

import { createOrm, describeDatabase, describeEachDatabase } from '../support/databases.ts';
import {
  Author,
  Book,
  type BookRepository,
  Genre,
  LongTitle,
  Output,
  PRESS,
  PRESS_HISTORY,
  Read,
  Title,
} from '../support/press.ts';
import { askThenAndNow, expectTelling, type Answers, type Question } from '../support/thenAndNow.ts';

const titles = (books: readonly { title: string }[]) => books.map(book => book.title);
const names = (rows: readonly { name: string }[]) => rows.map(row => row.name);
const byId = { orderBy: { id: 'asc' } } as const;

/** Every method of a manager that reads, and every kind of query of its builder. */
const questions = {
  find: async em => titles(await em.find(Book, { author: { name: 'Bob' } }, { ...byId, filters: false })),
  findAll: async em => titles(await em.findAll(Book, byId)),
  findOne: async em => (await em.findOne(Book, { title: 'Second' }))?.id,
  findOneOrFail: async em => (await em.findOneOrFail(Book, 2)).title,
  'findOneOrFail of what is not there': async em =>
    em.findOneOrFail(Book, 4).then(
      book => book.title,
      (error: Error) => error.name,
    ),
  findAndCount: async em => {
    const [books, total] = await em.findAndCount(Book, {}, { ...byId, limit: 2, offset: 1 });
    return [titles(books), total];
  },
  count: async em => [await em.count(Book), await em.count(Author, { books: { title: { $like: 'F%' } } })],
  'countBy a column': async em => em.countBy(Book, 'author'),
  'countBy several': async em => em.countBy(Book, ['author', 'hidden'], { filters: false }),
  'countBy with conditions': async em => em.countBy(Book, 'author', { where: { genres: { name: 'fiction' } } }),
  'findByCursor forward': async em => {
    const pages: unknown[] = [];
    for (let after: string | undefined; pages.length < 10;) {
      const page = await em.findByCursor(Book, { first: 2, ...(after ? { after } : {}), ...byId, filters: false });
      pages.push([titles(page.items), page.totalCount, page.hasPrevPage, page.hasNextPage]);
      if (!page.hasNextPage) {
        break;
      }
      after = page.endCursor!;
    }
    return pages;
  },
  'findByCursor backward, by a relation’s column': async em => {
    const orderBy = [{ author: { name: 'asc' } }, { id: 'asc' }] as never;
    const pages: unknown[] = [];
    for (let before: string | undefined; pages.length < 10;) {
      const page = await em.findByCursor(Book, {
        last: 2,
        ...(before ? { before } : {}),
        populate: ['author'],
        orderBy,
        filters: false,
      });
      pages.push(titles(page.items));
      if (!page.hasPrevPage) {
        break;
      }
      before = page.startCursor!;
    }
    return pages;
  },
  'findByCursor without a total, with relations': async em => {
    const options = { first: 3, includeCount: false, populate: ['author', 'genres'], ...byId } as const;
    const page = await em.findByCursor(Book, options);
    return page.items.map(book => [book.title, book.author.$.name, names([...book.genres]).toSorted()]);
  },
  stream: async em => {
    const found: unknown[] = [];
    const books = em.stream(Book, { where: { title: { $ne: 'One' } }, populate: ['author'], orderBy: { id: 'desc' } });
    for await (const book of books) {
      found.push([book.title, book.author.$.name]);
    }
    return found;
  },
  'operators of collections': async em => [
    titles(await em.find(Book, { genres: { $some: { name: 'crime' } } }, byId)),
    titles(await em.find(Book, { genres: { $none: { name: 'fiction' } } }, byId)),
    names(await em.find(Author, { books: { $every: { genres: { $some: {} } } } }, byId)),
    names(await em.find(Author, { books: { $size: 2 } as never }, byId)),
  ],
  'conditions on JSON': async em => titles(await em.find(Book, { data: { id: { $gte: 2 } } }, byId)),
  'a virtual entity': async em => [
    await em.find(Output, {}, { orderBy: { name: 'asc' } }),
    await em.count(Output, { books: { $gt: 1 } }),
  ],
  'a virtual entity by a query builder': async em => names(await em.find(Read, {})).toSorted(),
  'a view': async em => [titles(await em.find(Title, {}, byId)), await em.count(Title, { title: { $like: 'F%' } })],
  'a view of a view': async em => (await em.find(LongTitle, {}, byId)).map(each => [each.title, each.author]),
  'a repository of the user’s own': async em => [
    await (em.getRepository(Book) as unknown as BookRepository).titles(),
    await em.repo(Author).count(),
  ],
  'a builder with joins': async em =>
    em
      .createQueryBuilder(Book, 'b')
      .select(['b.title', 'a.name'] as never)
      .join('b.author', 'a')
      .leftJoin('b.genres', 'g', { 'g.name': 'crime' })
      .where({ 'a.name': { $ne: 'Ann' } })
      .orderBy({ 'b.id': 'asc' })
      .execute('all', false),
  'a builder that selects what it joins': async em => {
    const books = await em
      .createQueryBuilder(Book, 'b')
      .leftJoinAndSelect('b.author', 'a')
      .leftJoinAndSelect('b.genres', 'g')
      .orderBy({ 'b.id': 'asc' })
      .getResultList();
    return books.map(book => [book.title, book.author.unwrap().greeting(), names([...book.genres]).toSorted()]);
  },
  'a builder with pages over joins': async em => {
    const [books, total] = await em
      .createQueryBuilder(Book, 'b')
      .leftJoinAndSelect('b.genres', 'g')
      .orderBy({ 'b.id': 'desc' })
      .limit(2)
      .getResultAndCount();
    return [books.map(book => [book.title, book.genres.length]), total];
  },
  'a builder with aggregates': async em =>
    em
      .createQueryBuilder(Author, 'a')
      .select(['a.name', raw('count(b.id) as books'), raw('max(b.title) as last')])
      .leftJoin('a.books', 'b')
      .groupBy('a.name')
      .having('count(b.id) > ?', [0])
      .orderBy({ 'a.name': 'asc' })
      .execute('all'),
  'a builder with subqueries': async em => {
    const authors = em
      .createQueryBuilder(Author, 'x')
      .select('x.id')
      .where({ books: { title: { $like: '%i%' } } });
    const [inner] = [
      em
        .createQueryBuilder(Book, 'i')
        .count('i.id')
        .where({ 'i.author': sql.ref('a.id') } as never),
    ];
    const selected = await em
      .createQueryBuilder(Author, 'a')
      .select(['a.name', inner.as('books')])
      .orderBy({ 'a.id': 'asc' })
      .execute('all');
    return [
      titles(
        await em
          .createQueryBuilder(Book, 'b')
          .where({ author: { $in: authors } })
          .getResult(),
      ).toSorted(),
      selected,
    ];
  },
  'a builder from a subquery': async em => {
    const inner = em
      .createQueryBuilder(Book, 'i')
      .select(['i.title', 'i.id'])
      .where({ title: { $like: 'F%' } });
    return em
      .createQueryBuilder(inner as never, 'o')
      .select('o.title' as never)
      .orderBy({ 'o.title': 'asc' } as never)
      .execute('all');
  },
  'a builder with an expression of its own': async em => {
    const prolific = em
      .createQueryBuilder(Book, 'p')
      .select(['p.author', raw('count(*) as total')])
      .groupBy('p.author');
    return em
      .createQueryBuilder(Author, 'a')
      .with('prolific', prolific)
      .select(['a.name', raw('(select total from prolific where author_id = a.id) as total')])
      .orderBy({ 'a.id': 'asc' })
      .execute('all');
  },
  'a builder with a recursive expression of its own': async em => {
    const wider = raw(
      `select id, name, 0 as depth from genre where wider_id is null
       union all select g.id, g.name, w.depth + 1 from genre g join wider w on w.id = g.wider_id`,
    );
    const builder = em
      .createQueryBuilder(Genre, 'g')
      .withRecursive('wider', wider as never, { columns: ['id', 'name', 'depth'] });
    return builder
      .select(['g.name', raw('(select w.depth from wider w where w.id = g.id) as depth')])
      .orderBy({ 'g.id': 'asc' })
      .execute('all');
  },
  'a builder that streams': async em => {
    const found: string[] = [];
    for await (const book of em.createQueryBuilder(Book, 'b').orderBy({ 'b.id': 'asc' }).stream()) {
      found.push(book.title);
    }
    return found;
  },
  'a builder that counts': async em => em.createQueryBuilder(Book, 'b').where({ hidden: false }).getCount(),
  'fragments of SQL': async em => [
    titles(await em.find(Book, { [raw('length(title)')]: { $gt: 4 } }, byId)),
    titles(
      await em.find(
        Book,
        { [raw(alias => `(select count(*) from book_genres bg where bg.book_id = ${alias}.id)`)]: 1 } as never,
        byId,
      ),
    ),
    titles(await em.find(Book, {}, { orderBy: [{ [raw('length(title)')]: 'desc' }, { id: 'asc' }] as never })),
  ],
  SQL: async em => [
    await em.execute('select title from book where author_id = ? order by id', [2]),
    await em.execute('select title from book where author_id = :author order by id', { author: 1 } as never),
    await em.execute(sql`select name from author where id in (${sql.ref('author.id')}) order by id`),
    await em.getDriver().execute('select count(*) as n from book_genres'),
    await em.getConnection().execute('select name from genre order by id'),
    await em.execute('select name from genre order by id', [], 'get'),
  ],
  'SQL whose table is a parameter': async em => [
    await em.execute('select count(*) as n from ?? where id > ?', ['book', 1]),
    await em.execute('select ? as n', [raw('(select count(*) from book)')]),
    await em.execute('select name from :table: order by id', { table: 'author' } as never),
  ],
} satisfies Record<string, Question>;

/** SQL of MikroORM that SQLite does not understand. */
const unions = {
  'a union': async em => {
    const first = em
      .createQueryBuilder(Book, 'b')
      .select('b.title')
      .where({ title: { $like: 'F%' } });
    const other = em
      .createQueryBuilder(Author, 'a')
      .select('a.name')
      .where({ name: { $like: 'A%' } });
    const rows = (await em.execute(first.unionAll(other).toRaw())) as { title: string }[];
    return titles(rows).toSorted();
  },
  'conditions in a union': async em => {
    const unionWhere = [{ title: { $like: 'F%' } }, { author: { name: 'Bob' } }];
    return titles(await em.find(Book, {}, { unionWhere, ...byId } as never)).toSorted();
  },
} satisfies Record<string, Question>;

describeEachDatabase('a manager of the past answers as the database did then to', db => {
  let answers: ReadonlyMap<string, Answers>;

  beforeAll(async () => {
    const orm = await createOrm(db, { entities: PRESS, extensions: [Versioning] });
    answers = await askThenAndNow(orm, PRESS_HISTORY, questions);
  });

  it.each(Object.keys(questions))('%s', name => {
    const { live, past } = answers.get(name)!;
    expect(past).toEqual(live);
    expectTelling(live);
  });
});

describeDatabase('postgresql', 'a manager of the past', db => {
  it('has a materialized view as if it had been refreshed then', async () => {
    const Longest = defineEntity({
      name: 'Longest',
      view: { materialized: true },
      expression: 'select max(length(title)) as length from public.book',
      properties: { length: p.integer().primary() },
    });
    const orm = await createOrm(db, { entities: [...PRESS, Longest], extensions: [Versioning] });
    for (const transact of PRESS_HISTORY) {
      await transact(orm);
    }
    const read = async (em: typeof orm.em) => (await em.find(Longest, {})).map(({ length }) => length);
    expect([await read(asOf(orm.em.fork(), 1)), await read(asOf(orm.em.fork(), 2))]).toEqual([[6], [8]]);
    expect(await asOf(orm.em.fork(), 1).execute('select length from public.longest')).toEqual([{ length: 6 }]);
  });
});

describeDatabase('postgresql', 'a manager of the past answers as the database did then to', db => {
  it.each(Object.keys(unions) as (keyof typeof unions)[])('%s', async name => {
    const orm = await createOrm(db, { entities: PRESS, extensions: [Versioning] });
    const answers = await askThenAndNow(orm, PRESS_HISTORY, { [name]: unions[name] });
    const { live, past } = answers.get(name)!;
    expect(past).toEqual(live);
    expectTelling(live);
  });
});
