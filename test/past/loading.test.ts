import { DataloaderType, LoadStrategy, serialize, wrap, type Ref } from '@mikro-orm/core';
import { asOf, Versioning } from 'mikro-orm-versioning';
import { beforeAll, expect, it } from 'vitest';

import { createOrm, describeEachDatabase, type Orm } from '../support/databases.ts';
import { Author, Book, Genre, PRESS, PRESS_HISTORY } from '../support/press.ts';
import { askThenAndNow, expectTelling, type Answers, type Question } from '../support/thenAndNow.ts';

const titles = (books: Iterable<{ title: string }>) => [...books].map(book => book.title).toSorted();
const names = (rows: Iterable<{ name: string }>) => [...rows].map(row => row.name).toSorted();
const byId = { orderBy: { id: 'asc' } } as const;

/** Loads everything there is, by one strategy. */
const whole =
  (strategy: `${LoadStrategy}`): Question =>
  async em => {
    const populate = ['books.genres.wider', 'books.author'] as const;
    const authors = await em.find(Author, {}, { populate, strategy, ...byId, filters: false });
    return authors.map(author => {
      const books = author.books.getItems().toSorted((one, other) => one.id - other.id);
      return [
        author.greeting(),
        books.map(book => [book.title, book.author.unwrap() === author, names(book.genres)]),
        books.map(book => book.genres.map(genre => genre.wider?.name ?? '').toSorted()),
      ];
    });
  };

const questions = {
  'populate, select-in': whole('select-in'),
  'populate, joined': whole('joined'),
  'populate, balanced': whole('balanced'),
  'populate of everything': async em => {
    const genres = await em.find(Genre, {}, { populate: ['*'], ...byId });
    return genres.map(genre => [genre.name, titles(genre.books), genre.wider?.name]);
  },
  populateWhere: async em => {
    const populateWhere = { books: { title: { $like: '%i%' } } };
    return Promise.all(
      (['select-in', 'joined'] as const).map(async strategy => {
        const authors = await em.fork().find(Author, {}, { populate: ['books'], populateWhere, strategy, ...byId });
        return authors.map(author => [author.name, titles(author.books)]);
      }),
    );
  },
  'populateWhere inferred': async em => {
    const where = { books: { genres: { name: 'fiction' } } };
    const authors = await em.find(Author, where, { populate: ['books'], populateWhere: 'infer', ...byId });
    return authors.map(author => [author.name, titles(author.books)]);
  },
  populateFilter: async em => {
    const options = { populate: ['books'], populateFilter: { books: { title: { $ne: 'Second' } } } } as const;
    return (await em.find(Author, {}, { ...options, ...byId })).map(author => [author.name, titles(author.books)]);
  },
  populateOrderBy: async em => {
    const options = { populate: ['books'], populateOrderBy: { books: { title: 'desc' } } } as const;
    const authors = await em.find(Author, {}, { ...options, ...byId });
    return authors.map(author => author.books.getItems().map(book => book.title));
  },
  'a part of the columns': async em => {
    const books = await em.find(Book, {}, { fields: ['title', 'author.name'], ...byId });
    return books.map(book => serialize(book, { populate: ['author'] }));
  },
  'all but some of the columns': async em => {
    const books = await em.find(Book, {}, { exclude: ['data', 'peers'], ...byId });
    return books.map(book => serialize(book));
  },
  'a formula that names a table': async em => {
    const books = await em.find(Book, { peers: { $gt: 1 } }, { orderBy: { peers: 'desc', id: 'asc' } });
    return books.map(book => [book.title, book.peers]);
  },
  'filters: the default one': async em => [
    titles(await em.find(Book, {})),
    await em.count(Book),
    titles(await em.find(Book, {}, { filters: { shown: false } })),
    titles(await em.find(Book, {}, { filters: false })),
  ],
  'filters: with parameters': async em => [
    names(await em.find(Author, {}, { filters: { named: { name: 'Bob' } } })),
    await em.count(Author, {}, { filters: { named: { name: 'Robert' } } }),
  ],
  'filters: in a relation': async em => {
    const books = await em.find(Book, {}, { populate: ['author'], filters: { named: { name: 'Ann' } }, ...byId });
    return titles(books);
  },
  'filters: of a manager': async em => {
    em.addFilter({ name: 'short', cond: { title: { $like: '____' } }, entity: Book } as never);
    return titles(await em.fork().find(Book, {}));
  },
  'references loaded later': async em => {
    const [book] = await em.find(Book, {}, { orderBy: { id: 'desc' }, limit: 1 });
    return [book!.author.isInitialized(), (await book!.author.load())?.name, await book!.author.loadProperty('name')];
  },
  'references made by key': async em => {
    const loaded = await em.getReference(Author, 1, { wrapped: true }).loadOrFail();
    const missing = await (em.getReference(Book, 5, { wrapped: true }) as Ref<Book>).load();
    return [loaded.greeting(), missing?.title ?? null];
  },
  'references loaded by joins and by selects': async em => {
    const read = async (strategy: `${LoadStrategy}`) => {
      const author = await em.fork().findOneOrFail(Author, 2);
      await wrap(author).init({ populate: ['books'], strategy } as never);
      return titles(author.books);
    };
    return [await read('joined'), await read('select-in')];
  },
  'a lazy column': async em => {
    const book = await em.findOneOrFail(Book, 2);
    const before = book.blurb?.isInitialized() ?? false;
    const [populated] = await em.fork().find(Book, 2, { populate: ['blurb'] });
    return [before, await book.blurb!.load(), populated!.blurb!.unwrap()];
  },
  'collections initialized later': async em => {
    const author = await em.findOneOrFail(Author, 2);
    await author.books.init({ where: { hidden: false }, populate: ['genres'] });
    const other = await em.fork().findOneOrFail(Author, 1);
    await other.books.load();
    return [author.books.map(book => [book.title, names(book.genres)]), titles(other.books)];
  },
  'collections that are asked': async em => {
    const author = await em.findOneOrFail(Author, 2);
    const genre = await em.findOneOrFail(Genre, 1);
    return [
      await author.books.loadCount(),
      await author.books.loadCount({ where: { title: { $like: 'F%' } } }),
      titles(await author.books.loadItems()),
      titles(await author.books.matching({ where: { title: { $like: '%e%' } }, orderBy: { id: 'asc' } })),
      await genre.books.loadCount(),
      titles(await genre.books.matching({ limit: 1, orderBy: { id: 'desc' } })),
      titles(await genre.books.loadItems()),
    ];
  },
  'em.populate': async em => {
    const authors = await em.find(Author, {}, byId);
    await em.populate(authors, ['books.genres'], {
      where: { books: { genres: { name: 'crime' } } },
      strategy: 'select-in',
    });
    return authors.map(author => [author.name, titles(author.books)]);
  },
  'em.refresh': async em => {
    const book = await em.findOneOrFail(Book, 2, { populate: ['author'] });
    book.title = 'spoiled';
    await em.refresh(book);
    const again = await em.findOneOrFail(Book, 2, { refresh: true, populate: ['author'] });
    return [book.title, again === book, book.author.$.name];
  },
  'wrap().init': async em => {
    const genre = em.getReference(Genre, 2);
    await wrap(genre).init({ populate: ['wider'] });
    return [genre.name, genre.wider?.name ?? null];
  },
  'the data loader': async em => {
    const books = await em.find(Book, {}, byId);
    const genres = await em.find(Genre, {}, byId);
    const authors = await em.find(Author, {}, byId);
    const loaded = await Promise.all(books.map(async book => book.author.load({ dataloader: true })));
    const counts = await Promise.all(
      authors.map(async author => author.books.loadCount({ dataloader: true } as never)),
    );
    await Promise.all(authors.map(async author => author.books.load({ dataloader: true })));
    await Promise.all(genres.map(async genre => genre.books.load({ dataloader: true })));
    return [
      loaded.map(author => author?.name),
      counts,
      authors.map(author => titles(author.books)),
      genres.map(genre => titles(genre.books)),
    ];
  },
} satisfies Record<string, Question>;

describeEachDatabase('what a manager of the past loads is as the database was then:', db => {
  let orm: Orm;
  let answers: ReadonlyMap<string, Answers>;

  beforeAll(async () => {
    orm = await createOrm(db, { entities: PRESS, extensions: [Versioning] });
    answers = await askThenAndNow(orm, PRESS_HISTORY, questions);
  });

  it.each(Object.keys(questions))('%s', name => {
    const { live, past } = answers.get(name)!;
    expect(past).toEqual(live);
    expectTelling(live);
  });

  it('filters of the manager that it was made from, and their parameters', async () => {
    const em = orm.em.fork();
    em.addFilter({
      name: 'own',
      cond: (args: { like: string }) => ({ title: { $like: args.like } }),
      entity: Book,
    } as never);
    em.setFilterParams('own', { like: 'T%' });
    expect(titles(await em.find(Book, {}))).toEqual(['Third']);
    const past = asOf(em, 1);
    expect(titles(await past.find(Book, {}))).toEqual(['Third']);
    expect(await past.fork().count(Book)).toBe(1);
    past.setFilterParams('own', { like: 'S%' });
    expect(titles(await past.find(Book, {}))).toEqual(['Second']);
    expect(em.getFilterParams('own')).toEqual({ like: 'T%' });
  });
});

describeEachDatabase('with the data loader for everything', db => {
  it('each manager of the past loads of its own moment', async () => {
    const orm = await createOrm(db, { entities: PRESS, extensions: [Versioning], dataloader: DataloaderType.ALL });
    for (const transact of PRESS_HISTORY) {
      await transact(orm);
    }
    const read = async (em: typeof orm.em) => {
      const books = await em.find(Book, { id: [2, 3] }, { ...byId, filters: false });
      const authors = await Promise.all(books.map(async book => book.author.load()));
      await Promise.all(books.map(async book => book.genres.load()));
      return books.map((book, i) => [book.title, authors[i]!.name, names(book.genres)]);
    };
    const managers = [1, 2, 3, 4].map(id => asOf(orm.em.fork(), id));
    expect(await Promise.all([...managers, orm.em.fork()].map(read))).toEqual([
      [
        ['Second', 'Ann', ['crime', 'fiction']],
        ['Third', 'Bob', []],
      ],
      [
        ['Deuxième', 'Robert', ['crime']],
        ['Third', 'Robert', []],
      ],
      [
        ['Deuxième', 'Robert', ['Crime']],
        ['Third', 'Robert', []],
      ],
      [
        ['Deuxième', 'Robert', ['Crime', 'noir']],
        ['Third', 'Anne', []],
      ],
      [
        ['Deuxième', 'Robert', ['Crime', 'noir']],
        ['Third', 'Anne', []],
      ],
    ]);
  });
});
