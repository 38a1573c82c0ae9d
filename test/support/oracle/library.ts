import type { EntityManager } from '@mikro-orm/core';
import fc from 'fast-check';

import { Book, Country, Cover, LIBRARY, Medium, Person, Reader, Remark, Shelf, Sound, Writer } from '../library.ts';
import { id, ids, maybeId, word, type Shape } from './conditions.ts';
import type { Subject } from './Subject.ts';

/** What happens to one row; a row that is not there is created first. */
const anyChange = fc.oneof(
  { weight: 2, arbitrary: fc.record({ of: fc.constant('shelf' as const), id, name: word, above: maybeId }) },
  {
    weight: 5,
    arbitrary: fc.record({
      of: fc.constant('book' as const),
      id,
      title: word,
      pages: maybeId,
      shelf: maybeId,
      writers: ids,
      soldIn: ids,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      of: fc.constant('writer' as const),
      id,
      name: word,
      prizes: id,
      country: maybeId,
      town: fc.option(word),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      of: fc.constant('reader' as const),
      id,
      name: word,
      card: fc.option(word),
      favourite: maybeId,
    }),
  },
  { weight: 2, arbitrary: fc.record({ of: fc.constant('cover' as const), id, colour: word, book: maybeId }) },
  {
    weight: 3,
    arbitrary: fc.record({ of: fc.constantFrom('medium', 'sound'), id, name: fc.option(word), book: maybeId }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ of: fc.constant('remark' as const), id, text: word, book: fc.boolean(), subject: maybeId }),
  },
  { weight: 3, arbitrary: fc.record({ of: fc.constant('remove' as const), what: fc.integer({ min: 0, max: 6 }), id }) },
);
type Change = typeof anyChange extends fc.Arbitrary<infer T> ? T : never;

const countryShape: Shape = {
  entity: Country,
  columns: { id: 'number', name: 'word' },
  toOne: {},
  toMany: {},
  paths: [],
};
const shelfShape: Shape = {
  entity: Shelf,
  columns: { id: 'number', name: 'word' },
  toOne: { above: () => shelfShape },
  toMany: { below: () => shelfShape, books: () => bookShape },
  paths: ['above', 'below', 'books', 'books.writers', 'books.cover', 'above.books'],
};
const bookShape: Shape = {
  entity: Book,
  columns: { id: 'number', title: 'word', pages: 'number' },
  toOne: { shelf: () => shelfShape, cover: () => coverShape },
  toMany: { writers: () => writerShape, soldIn: () => countryShape, media: () => mediumShape },
  paths: ['shelf', 'shelf.above', 'shelf.books', 'writers', 'writers.country', 'soldIn', 'cover', 'media'],
};
const personShape: Shape = {
  entity: Person,
  columns: { id: 'number', name: 'word' },
  toOne: { country: () => countryShape },
  toMany: {},
  paths: ['country'],
  isHierarchy: true,
};
// MikroORM 7.2 loses the table of a condition on the key, or on an inherited relation, of a class of several tables
const writerShape: Shape = {
  entity: Writer,
  columns: { name: 'word', prizes: 'number' },
  toOne: {},
  toMany: { books: () => bookShape },
  paths: ['books', 'books.shelf', 'country'],
  isHierarchy: true,
};
const readerShape: Shape = {
  entity: Reader,
  columns: { name: 'word', card: 'word' },
  toOne: { favourite: () => writerShape },
  toMany: {},
  paths: ['favourite', 'favourite.books', 'country'],
  isHierarchy: true,
};
const coverShape: Shape = {
  entity: Cover,
  columns: { id: 'number', colour: 'word' },
  toOne: { book: () => bookShape },
  toMany: {},
  paths: ['book', 'book.shelf', 'book.writers'],
};
const mediumShape: Shape = {
  entity: Medium,
  columns: { id: 'number', name: 'word' },
  toOne: { book: () => bookShape },
  toMany: {},
  paths: ['book', 'book.cover'],
};
const soundShape: Shape = {
  entity: Sound,
  columns: { id: 'number', name: 'word', seconds: 'number' },
  toOne: { book: () => bookShape },
  toMany: {},
  paths: ['book'],
};
const remarkShape: Shape = {
  entity: Remark,
  columns: { id: 'number', text: 'word' },
  toOne: {},
  toMany: {},
  paths: ['subject'],
};

/** Relations and inheritance of every kind, in one schema. */
export const library: Subject<Change> = {
  entities: LIBRARY,
  shapes: [
    bookShape,
    bookShape,
    shelfShape,
    personShape,
    writerShape,
    readerShape,
    coverShape,
    mediumShape,
    soundShape,
    remarkShape,
  ],
  schemas: [],
  changes: fc.array(anyChange, { minLength: 4, maxLength: 10 }),
  async prepare(em) {
    for (const each of [1, 2, 3, 4, 5]) {
      em.create(Country, { id: each, name: 'abcBa'[each - 1]! });
    }
    await em.flush();
  },
  apply,
  unversioned: ['"country"'],
};

async function apply(em: EntityManager, change: Change): Promise<void> {
  const find = async (entity: unknown, key: number | null) =>
    key === null ? null : em.findOne(entity as never, key as never);
  const put = async (entity: unknown, key: number, data: object) => {
    const found = await em.findOne(entity as never, key as never);
    return found
      ? em.assign(found, data as never)
      : em.persist(em.create(entity as never, { id: key, ...data } as never)) && em.getUnitOfWork().getPersistStack();
  };
  switch (change.of) {
    case 'shelf':
      await put(Shelf, change.id, { name: change.name, above: await find(Shelf, change.above) });
      break;
    case 'book': {
      const { title, pages, shelf, writers, soldIn } = change;
      await put(Book, change.id, { title, pages, data: { pages }, shelf: await find(Shelf, shelf) });
      await em.flush();
      const book = await em.findOneOrFail(Book, change.id, { populate: ['writers', 'soldIn'] });
      book.writers.set(await em.find(Writer, writers));
      const countries = await em.find(Country, soldIn);
      book.soldIn.set(soldIn.map(each => countries.find(country => country.id === each)!));
      break;
    }
    case 'writer': {
      const { name, prizes, country, town } = change;
      if (!(await em.findOne(Reader, change.id))) {
        const address = town === null ? null : { town, street: null };
        await put(Writer, change.id, { name, prizes, country: await find(Country, country), address });
      }
      break;
    }
    case 'reader':
      if (!(await em.findOne(Writer, change.id))) {
        await put(Reader, change.id, {
          name: change.name,
          card: change.card,
          favourite: await find(Writer, change.favourite),
        });
      }
      break;
    case 'cover':
      // a book has one
      await put(Cover, change.id, { colour: change.colour, book: await find(Book, change.book && change.id) });
      break;
    case 'medium':
    case 'sound': {
      const known = await em.findOne(Medium, change.id);
      const seconds = change.of === 'sound' ? { seconds: change.id } : {};
      if (!known || known instanceof Sound === (change.of === 'sound')) {
        await put(change.of === 'sound' ? Sound : Medium, change.id, {
          name: change.name,
          book: await find(Book, change.book),
          ...seconds,
        });
      }
      break;
    }
    case 'remark':
      await put(Remark, change.id, {
        text: change.text,
        subject: await find(change.book ? Book : Shelf, change.subject),
      });
      break;
    default: {
      const entity = [Shelf, Book, Writer, Reader, Cover, Medium, Remark][change.what];
      const found = await em.findOne(entity as never, change.id as never);
      if (found) {
        em.remove(found);
      }
    }
  }
  await em.flush();
  em.clear();
}
