import { LockMode, raw, wrap } from '@mikro-orm/core';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import type { AbstractSqlDriver } from '@mikro-orm/sql';
import { asOf, ErrorCode, Versioned, Versioning, VersionTransaction } from 'mikro-orm-versioning';
import { beforeAll, describe, expect, it } from 'vitest';

import { createOrm, describeDatabase, describeEachDatabase, type Orm } from '../support/databases.ts';
import { Author, Book, Genre, PRESS, PRESS_HISTORY } from '../support/press.ts';
import { statementsOf } from '../support/statements.ts';

@Entity()
@Versioned()
class Locked {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @Property({ type: 'integer', version: true })
  revision!: number;
}

type Past = Orm['em'];
const refused = { code: ErrorCode.READ_ONLY };
const genre = { id: 9, name: 'new' };

/** Everything of a manager, its driver and its connection that writes; each of them at once, without a flush. */
const AT_ONCE: Record<string, (past: Past) => Promise<unknown>> = {
  insert: async past => past.insert(Genre, genre),
  'insert of an entity': async past =>
    past.insert(past.create(Genre, genre as never, { managed: false, persist: false })),
  insertMany: async past => past.insertMany(Genre, [genre, { id: 10, name: 'newer' }]),
  nativeUpdate: async past => past.nativeUpdate(Book, { id: 2 }, { title: 'x' }),
  'nativeUpdate by a relation': async past =>
    past.nativeUpdate(Book, { author: { name: 'Bob' } }, { title: raw('upper(title)') } as never),
  nativeDelete: async past => past.nativeDelete(Book, { id: 2 }),
  upsert: async past => past.upsert(Genre, { id: 1, name: 'x' }),
  'upsert of what is new': async past => past.upsert(Genre, genre as never),
  upsertMany: async past => past.upsertMany(Genre, [{ id: 1, name: 'x' }, genre as never]),
  'clone of a row': async past => past.clone(Genre, { id: 1 } as never, { id: 9 } as never),
  'a builder’s insert': async past => past.createQueryBuilder(Genre).insert(genre).execute(),
  'a builder’s update': async past => past.createQueryBuilder(Book).update({ title: 'x' }).where({ id: 2 }).execute(),
  'a builder’s update by a subquery': async past =>
    past
      .createQueryBuilder(Book, 'b')
      .update({ title: 'x' })
      .where({ author: { name: 'Bob' } })
      .execute(),
  'a builder’s delete': async past => past.createQueryBuilder(Book).delete({ id: 2 }).execute(),
  'a builder’s truncate': async past => past.createQueryBuilder(Genre).truncate().execute(),
  'a builder’s insert from a query': async past =>
    past
      .createQueryBuilder(Genre)
      .insertFrom(past.createQueryBuilder(Genre, 'g').select(['g.id', 'g.name']))
      .execute(),
  'a repository’s write': async past => past.getRepository(Book).nativeDelete({}),
  'SQL: insert': async past => past.execute("insert into genre (id, name) values (9, 'x')"),
  'SQL: update': async past => past.execute("UPDATE genre SET name = 'x'"),
  'SQL: in an expression': async past =>
    past.execute('with gone as (delete from genre returning id) select id from gone'),
  'SQL: after a query': async past => past.execute('select 1; delete from genre'),
  'SQL: as a fragment': async past => past.execute(raw('delete from genre where id = ?', [1])),
  'SQL: in a parameter': async past => past.execute('select 1; ?', [raw('delete from genre')]),
  'SQL: explained': async past => past.execute('explain analyze delete from genre'),
  'SQL: create': async past => past.execute('create table other (id int)'),
  'SQL: drop': async past => past.execute('drop table genre'),
  'SQL: begin': async past => past.execute('begin'),
  'SQL: vacuum': async past => past.execute('vacuum'),
  'SQL: pragma or set': async past => past.execute('set foreign_keys = off'),
  'the driver’s insert': async past => past.getDriver().nativeInsert(Genre, genre as never),
  'the driver’s insertMany': async past => past.getDriver().nativeInsertMany(Genre, [genre as never]),
  'the driver’s update': async past => past.getDriver().nativeUpdate(Genre, { id: 1 }, { name: 'x' }),
  'the driver’s updateMany': async past =>
    past.getDriver().nativeUpdateMany(Genre, [{ id: 1 }, { id: 2 }] as never, [{ name: 'x' }, { name: 'y' }]),
  'the driver’s delete': async past => past.getDriver().nativeDelete(Genre, { id: 1 }),
  'the driver’s SQL': async past => past.getDriver().execute('delete from genre'),
  'the driver’s write connection': async past => past.getDriver().getConnection('write').execute('delete from genre'),
  'the connection’s SQL': async past => past.getConnection().execute('delete from genre'),
  'the connection’s stream': async past => {
    for await (const row of past.getConnection().stream('delete from genre returning id') as AsyncIterable<unknown>) {
      return row;
    }
    return undefined;
  },
  'the connection’s transaction': async past =>
    past.getConnection().transactional(async trx => past.getConnection().execute('delete from genre', [], 'run', trx)),
};

/** What a flush would write. */
const FLUSHED: Record<string, (past: Past) => Promise<unknown>> = {
  'create and persist': async past => past.persist(past.create(Genre, genre as never)),
  assign: async past => past.assign(await past.findOneOrFail(Book, 2), { title: 'x' }),
  'assign of a relation': async past => past.assign(await past.findOneOrFail(Book, 2), { author: 2 } as never),
  'a changed property': async past => ((await past.findOneOrFail(Book, 2)).title = 'x'),
  'a changed property of JSON': async past => ((await past.findOneOrFail(Book, 2)).data!['x'] = 1),
  'a lazy column': async past => (await past.findOneOrFail(Book, 2, { populate: ['blurb'] })).blurb!.set('x'),
  'merge and change': async past =>
    ((past.merge(Genre, { id: 1, name: 'fiction' } as never) as { name: string }).name = 'x'),
  'a changed reference': async past => ((past.getReference(Genre, 1) as { name: string }).name = 'x'),
  remove: async past => past.remove(await past.findOneOrFail(Book, 2)),
  'remove of a reference': async past => past.remove(past.getReference(Book, 2)),
  'a collection’s add': async past =>
    (await past.findOneOrFail(Book, 2, { populate: ['genres'] })).genres.add(past.create(Genre, genre as never)),
  'a collection’s remove': async past =>
    (await past.findOneOrFail(Book, 2, { populate: ['genres'] })).genres.removeAll(),
  'a collection that was not loaded': async past =>
    (await past.findOneOrFail(Book, 2)).genres.set([past.getReference(Genre, 1)]),
  'the inverse side of a collection': async past =>
    (await past.findOneOrFail(Genre, 1, { populate: ['books'] })).books.removeAll(),
  'the children of a row': async past =>
    (await past.findOneOrFail(Author, 1, { populate: ['books'] })).books.add(past.getReference(Book, 3)),
  'a wrapped assign': async past => wrap(await past.findOneOrFail(Author, 1)).assign({ name: 'x' }),
};

describeEachDatabase('a manager of the past refuses', db => {
  let orm: Orm;
  let before: unknown;
  const rows = async () => {
    const em = orm.em.fork();
    return Promise.all(
      ['author', 'book', 'genre', 'book_genres', 'book_version', 'version_transaction'].map(async table =>
        em.execute(`select * from ${table} order by 1, 2`),
      ),
    );
  };

  beforeAll(async () => {
    orm = await createOrm(db, { entities: [...PRESS, Locked], extensions: [Versioning] });
    for (const transact of PRESS_HISTORY) {
      await transact(orm);
    }
    const em = orm.em.fork();
    em.create(Locked, { id: 1, name: 'a' } as never);
    await em.flush();
    before = await rows();
  });

  const past = () => asOf(orm.em.fork(), 1);
  /** Of all that is logged, what writes. */
  const written = (statements: readonly string[]) =>
    statements.filter(each => !/^(?:begin|commit|rollback|select|with|start)\b/i.test(each));

  it.each(Object.keys(AT_ONCE))('%s', async name => {
    const statements = await statementsOf(orm, async () => {
      await expect(AT_ONCE[name]!(past())).rejects.toMatchObject(refused);
      await expect(AT_ONCE[name]!(past().fork())).rejects.toMatchObject(refused);
    });
    expect(written(statements)).toEqual([]);
    expect(await rows()).toEqual(before);
  });

  it.each(Object.keys(FLUSHED))('a flush of %s', async name => {
    const statements = await statementsOf(orm, async () => {
      for (const em of [
        past(),
        past().fork({ freshEventManager: true }),
        past().fork({ clear: false, cloneEventManager: true }),
      ]) {
        await FLUSHED[name]!(em);
        await expect(em.flush()).rejects.toMatchObject(refused);
      }
    });
    expect(statements.filter(each => !/^(?:select|with)\b/i.test(each))).toEqual([]);
    expect(await rows()).toEqual(before);
  });

  describe('in a transaction', () => {
    it.each(Object.keys(FLUSHED))('%s', async name => {
      const statements = await statementsOf(orm, async () => {
        await expect(past().transactional(FLUSHED[name]!)).rejects.toMatchObject(refused);
        const begun = past();
        await begun.begin();
        await FLUSHED[name]!(begun);
        await expect(begun.commit()).rejects.toMatchObject(refused);
        await begun.rollback();
      });
      expect(written(statements)).toEqual([]);
      expect(await rows()).toEqual(before);
    });

    it('of a live manager, which goes on', async () => {
      const outcome = orm.em.fork().transactional(async em => {
        await expect(asOf(em, 1).nativeDelete(Book, {})).rejects.toMatchObject(refused);
        const inner = asOf(em, 1);
        inner.remove(await inner.findOneOrFail(Book, 1));
        await expect(inner.flush()).rejects.toMatchObject(refused);
        await expect(asOf(em, 1).transactional(async each => each.insert(Genre, genre))).rejects.toMatchObject(refused);
        expect(await em.count(Genre)).toBe(3);
        throw new Error('enough');
      });
      await expect(outcome).rejects.toThrow('enough');
    });
  });

  it('optimistic locks', async () => {
    // has no history, so that there is nothing to compare
    const locked = await asOf(orm.em.fork(), 'latest').findOneOrFail(Locked, 1);
    expect(locked.revision).toBeUndefined();
    await expect(
      asOf(orm.em.fork(), 'latest').findOneOrFail(Locked, 1, { lockMode: LockMode.OPTIMISTIC, lockVersion: 1 }),
    ).rejects.toThrow(/optimistic lock/i);
  });

  it('what a listener of the user’s adds', async () => {
    const em = orm.em.fork({ cloneEventManager: true });
    em.getEventManager().registerSubscriber({
      beforeFlush({ em: flushed }) {
        flushed.create(Genre, genre as never);
      },
    });
    await expect(asOf(em, 1).flush()).rejects.toMatchObject(refused);
    em.getEventManager().registerSubscriber({
      async afterFlush({ em: flushed }) {
        await (flushed as Past).execute('delete from genre');
      },
    });
    await expect(asOf(em.fork({ cloneEventManager: true }), 1).flush()).rejects.toMatchObject(refused);
  });

  it('what would go by the moment', async () => {
    const unsupported = expect.objectContaining({ code: ErrorCode.UNSUPPORTED }) as unknown;
    expect(() => past().getKysely()).toThrow(unsupported as Error);
    await past().transactional(async em => {
      expect(() => em.getKysely()).toThrow(unsupported as Error);
    });
    await orm.em.fork().transactional(async em => {
      expect(() => asOf(em, 1).getKysely()).toThrow(unsupported as Error);
    });
    for (const connection of [
      past().getConnection(),
      past().getConnection('read'),
      (past().getDriver() as AbstractSqlDriver).getConnection(),
    ]) {
      expect(() => connection.getClient()).toThrow(unsupported as Error);
    }
  });

  it('nothing that only reads: a flush without changes, a transaction, its history', async () => {
    const em = past();
    await em.find(Book, {}, { populate: ['*'] });
    await em.flush();
    expect(await em.transactional(async inner => inner.count(Book))).toBe(3);
    await em.begin();
    expect(await em.count(Book)).toBe(3);
    await em.commit();
    expect(await em.count(VersionTransaction)).toBe(5);
  });
});

// SQLite locks no rows
describeDatabase('postgresql', 'a manager of the past refuses', db => {
  it('locks', async () => {
    const orm = await createOrm(db, { entities: PRESS, extensions: [Versioning] });
    await PRESS_HISTORY[0]!(orm);
    const { PESSIMISTIC_READ, PESSIMISTIC_WRITE, PESSIMISTIC_WRITE_OR_FAIL } = LockMode;
    const em = asOf(orm.em.fork(), 1);
    const book = await em.findOneOrFail(Book, 2);
    await em.begin();
    const fork = em.fork({ keepTransactionContext: true });
    await expect(em.lock(book, PESSIMISTIC_WRITE)).rejects.toMatchObject(refused);
    await expect(fork.findOne(Book, 2, { lockMode: PESSIMISTIC_READ })).rejects.toMatchObject(refused);
    const builder = em.createQueryBuilder(Book).setLockMode(PESSIMISTIC_WRITE_OR_FAIL);
    await expect(builder.execute()).rejects.toMatchObject(refused);
    await em.rollback();
  });
});
