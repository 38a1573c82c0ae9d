import { defineEntity, p } from '@mikro-orm/core';
import { asOf, Versioning, versioned } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import {
  connectOrm,
  createOrm,
  describeDatabase,
  disconnectOrm,
  describeEachDatabase,
  type Database,
  type Orm,
} from './support/databases.ts';

const id = () => p.integer().primary();
const start = (db: Database, entities: readonly object[]) =>
  createOrm(db, { entities: entities as never, extensions: [Versioning] });

/** The indexes of a history table that live ones made, without the span that they end in, and what is not a b-tree with its type. */
async function indexesOf(orm: Orm, table: string): Promise<string[]> {
  // the database has what the metadata says; of some live tables, MikroORM sees differences on SQLite that are none
  expect((await orm.schema.getUpdateSchemaSQL()).split('\n').filter(sql => sql.includes(table))).toEqual([]);
  const statements = (await orm.schema.getCreateSchemaSQL()).replaceAll(/[`"]/g, '').split('\n');

  return statements.flatMap(sql => {
    const [, type, columns] =
      new RegExp(
        `^create index \\S+ on ${table} (using \\w+ )?\\((.*?)(?:, end_transaction_id, transaction_id)?\\);$`,
      ).exec(sql) ?? [];
    return columns === undefined || columns === 'transaction_id' ? [] : [(type ?? '') + columns];
  });
}

describeEachDatabase('the history', db => {
  it('has an index for each of the live table, without what constrains or narrows it', async () => {
    const Author = versioned(defineEntity({ name: 'Author', properties: { id: id(), name: p.string() } }));
    const Article = versioned(
      defineEntity({
        name: 'Article',
        indexes: [
          { name: 'both', properties: ['state', 'size'] },
          { name: 'sorted', columns: [{ name: 'size', sort: 'DESC' }] },
          { name: 'partial', properties: ['rank'], where: 'rank > 1' },
          { properties: ['author', 'size'] },
          { properties: ['slug'] },
          { properties: ['author'] },
          { properties: ['id'] },
        ],
        uniques: [{ properties: ['size', 'rank'] }],
        properties: {
          id: id(),
          slug: p.string().unique(),
          state: p.string().name('status').index('by_state'),
          size: p.integer(),
          rank: p.integer(),
          author: () => p.manyToOne(Author),
        },
      }),
    );
    const orm = await start(db, [Author, Article]);
    expect(await indexesOf(orm, 'article_version')).toEqual([
      'id',
      'author_id',
      'slug',
      'status',
      'status, size',
      'size',
      'rank',
      'author_id, size',
      'size, rank',
    ]);
    expect(await indexesOf(orm, 'author_version')).toEqual(['id']);
  });

  it('has none of what is excluded, nor of an expression', async () => {
    const Article = versioned(
      defineEntity({
        name: 'Article',
        indexes: [
          { properties: ['secret', 'size'] },
          { name: 'lowered', expression: 'create index lowered on article (lower(name))' },
        ],
        properties: { id: id(), name: p.string(), size: p.integer(), secret: p.string().unique() },
      }),
      { exclude: ['secret'] },
    );
    expect(await indexesOf(await start(db, [Article]), 'article_version')).toEqual(['id']);
  });

  it('has those of renamed properties and of composite keys', async () => {
    const Place = versioned(
      defineEntity({
        name: 'Place',
        indexes: [{ properties: ['row', 'kind'] }],
        properties: { row: id(), seat: id(), kind: p.string().index() },
      }),
      { rename: { kind: 'sort' } },
    );
    const Booking = versioned(
      defineEntity({
        name: 'Booking',
        indexes: [{ properties: ['place', 'day'] }],
        properties: { id: id(), day: p.string(), place: () => p.manyToOne(Place).index() },
      }),
    );
    const orm = await start(db, [Place, Booking]);
    expect(await indexesOf(orm, 'place_version')).toEqual(['row, seat', 'kind', 'row, kind']);
    expect(await indexesOf(orm, 'booking_version')).toEqual([
      'id',
      'place_row, place_seat',
      'place_row, place_seat, day',
    ]);
  });

  it('has those of embeddables', async () => {
    const Address = defineEntity({
      name: 'Address',
      embeddable: true,
      indexes: [{ properties: ['street', 'number'] }],
      properties: { city: p.string().index(), street: p.string(), number: p.integer() },
    } as never) as never;
    const Person = versioned(
      defineEntity({
        name: 'Person',
        indexes: [{ properties: ['home.city', 'name'] }],
        properties: { id: id(), name: p.string(), home: () => p.embedded(Address) },
      } as never) as never,
    );
    expect(await indexesOf(await start(db, [Address, Person]), 'person_version')).toEqual([
      'id',
      'home_city',
      'home_city, name',
      'home_street, home_number',
    ]);
  });

  it('has those of all classes of a single-table hierarchy', async () => {
    const Media = versioned(
      defineEntity({
        name: 'Media',
        discriminatorColumn: 'kind',
        discriminatorMap: { photo: 'Photo', film: 'Film' },
        abstract: true,
        properties: { id: id(), kind: p.string(), title: p.string().index() },
      } as never) as never,
    ) as { class: object };
    const Photo = defineEntity({ name: 'Photo', extends: Media, properties: { width: p.integer().index() } } as never);
    const Film = defineEntity({
      name: 'Film',
      extends: Media,
      indexes: [{ properties: ['title', 'minutes'] }],
      properties: { minutes: p.integer() },
    } as never);
    expect(await indexesOf(await start(db, [Media, Photo, Film]), 'media_version')).toEqual([
      'id',
      'kind',
      'title',
      'width',
      'title, minutes',
    ]);
  });

  it('has those of all tables of a joined hierarchy', async () => {
    const Animal = versioned(
      defineEntity({
        name: 'Animal',
        inheritance: 'tpt',
        properties: { id: id(), name: p.string().index() },
      } as never) as never,
    ) as { class: object };
    const Dog = defineEntity({
      name: 'Dog',
      extends: Animal,
      indexes: [{ properties: ['breed', 'size'] }],
      properties: { breed: p.string(), size: p.integer().index() },
    } as never);
    expect(await indexesOf(await start(db, [Animal, Dog]), 'animal_version')).toEqual([
      'id',
      'name',
      'dog_size',
      'dog_breed, dog_size',
    ]);
  });

  it('gains, follows and loses an index with the live table', async () => {
    const connection = await db.options({ shared: true });
    const shape = (properties: object) =>
      versioned(defineEntity({ name: 'Article', properties: { id: id(), ...properties } }) as never) as never;
    const found: string[][] = [];
    for (const properties of [
      { title: p.string() },
      { title: p.string().index() },
      { headline: p.string().index() },
      { headline: p.string() },
    ]) {
      const orm = await connectOrm(db, connection, { entities: [shape(properties)], extensions: [Versioning] });
      await orm.schema.update();
      found.push(await indexesOf(orm, 'article_version'));
      await disconnectOrm(db, orm);
    }
    expect(found).toEqual([['id'], ['id', 'title'], ['id', 'headline'], ['id']]);
  });

  it('is asked by way of these indexes', async () => {
    const Article = versioned(
      defineEntity({
        name: 'Article',
        properties: {
          id: id(),
          state: p.string().index(),
          author: () => p.manyToOne(Article).nullable(),
          similar: () => p.manyToMany(Article),
        },
      }),
    );
    const orm = await start(db, [Article]);
    const em = orm.em.fork();
    for (let n = 1; n <= 3000; n++) {
      const other = n <= 300 ? null : em.getReference(Article, 1 + (n % 300));
      const article = em.create(Article, { id: n, state: `state ${n % 300}`, author: other });
      article.similar.add(other ?? []);
      await (n === 300 && em.flush());
    }
    await em.flush();
    const explain = db.name === 'sqlite' ? 'explain query plan' : 'explain';
    await orm.em.getConnection().execute('analyze');
    const past = asOf(orm.em.fork(), 'latest');
    const planOf = async (where: string, from = 'article') =>
      JSON.stringify(await past.execute(`${explain} select * from ${from} where ${where}`)).replaceAll(/[\\"]/g, '');
    expect(await planOf('id = 7')).toMatch(/article_version_id_end\w+ .*id ?= ?[?7].*end_transaction_id ?>/);
    expect(await planOf(`state = 'state 7'`)).toMatch(
      /article_version_state_end\w+ .*state.* ?= ?.*end_transaction_id ?>/,
    );
    expect(await planOf('author_id = 7')).toMatch(
      /article_version_author_id_end\w+ .*author_id ?= ?[?7].*end_transaction_id ?>/,
    );
    expect(await planOf('article_1_id = 777', 'article_similar')).toMatch(
      /article_1_id_end\w+ .*article_1_id ?= ?[?7].*end_transaction_id ?>/,
    );
    expect(await planOf('article_2_id = 7', 'article_similar')).toMatch(
      /article_2_id_end\w+ .*article_2_id ?= ?[?7].*end_transaction_id ?>/,
    );
  });
});

// The other kinds of index are PostgreSQL's.
describeDatabase('postgresql', 'the history', db => {
  it('has those of other kinds without the span, for which they have no place', async () => {
    const Article = versioned(
      defineEntity({
        name: 'Article',
        indexes: [
          { properties: ['data'], type: 'gin' },
          { properties: ['size'], type: 'brin' },
          { properties: ['size', 'id'], type: 'btree', include: ['name'], fillFactor: 70 },
        ],
        properties: { id: id(), name: p.string(), size: p.integer(), data: p.json() },
      }),
    );
    expect(await indexesOf(await start(db, [Article]), 'article_version')).toEqual([
      'id',
      'using gin data',
      'using brin size',
      'size, id',
    ]);
  });
});
