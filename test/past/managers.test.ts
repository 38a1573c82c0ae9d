import { RequestContext, TransactionPropagation } from '@mikro-orm/core';
import { EntityManager } from '@mikro-orm/sql';
import { asOf, Versioning } from 'mikro-orm-versioning';
import { beforeAll, expect, it } from 'vitest';

import { connectOrm, createOrm, describeDatabase, describeEachDatabase, type Orm } from '../support/databases.ts';
import { Author, Book, Genre, PRESS, PRESS_HISTORY } from '../support/press.ts';

/** A class of the user's own, with state that it hands to its forks. */
class Desk extends EntityManager {
  owner = 'nobody';

  override fork(...args: Parameters<EntityManager['fork']>): this {
    return Object.assign(super.fork(...args) as this, { owner: this.owner });
  }

  async titles(): Promise<string[]> {
    return (await this.find(Book, {}, { orderBy: { id: 'asc' }, filters: false })).map(book => book.title);
  }
}

const TITLES = [
  ['One', 'Second', 'Third'],
  ['One', 'Deuxième', 'Third', 'Four'],
  ['Deuxième', 'Third', 'Four'],
  ['Deuxième', 'Third', 'Four', 'Fifth'],
];
const titles = async (em: EntityManager) =>
  (await em.find(Book, {}, { orderBy: { id: 'asc' }, filters: false })).map(book => book.title);

async function createPress(orm: Orm): Promise<void> {
  for (const transact of PRESS_HISTORY) {
    await transact(orm);
  }
}

describeEachDatabase('managers of the past', db => {
  let orm: Orm;

  beforeAll(async () => {
    orm = await createOrm(db, { entities: PRESS, extensions: [Versioning] });
    await createPress(orm);
  });

  const at = (id: number) => asOf(orm.em.fork(), id);

  it('never mix, with each other or the present, in one Promise.all', async () => {
    const managers = [at(1), at(2), at(3), at(4), orm.em.fork()];
    const expected = [...TITLES, TITLES[3]];
    const all = Array.from({ length: 5 }, () => managers).flat();
    expect(await Promise.all(all.map(async em => titles(em.fork())))).toEqual(all.map((_, i) => expected[i % 5]));
    const read = async (em: EntityManager) => {
      const author = await em.fork().findOneOrFail(Author, 2);
      const [count] = await Promise.all([author.books.loadCount(), author.books.init({ populate: ['genres'] })]);
      return [author.name, count, author.books.length];
    };
    expect(await Promise.all(managers.map(read))).toEqual([
      ['Bob', 1, 1],
      ['Robert', 2, 2],
      ['Robert', 2, 2],
      ['Robert', 2, 2],
      ['Robert', 2, 2],
    ]);
  });

  it('keep their moment in forks of forks, of every kind, and in transactions within them', async () => {
    const past = at(2);
    const forks = [
      past.fork().fork().fork(),
      past.fork({ clear: false }),
      past.fork({ freshEventManager: true }),
      past.fork({ cloneEventManager: true }),
      past.fork({ useContext: true }),
      past.fork({ disableContextResolution: true }),
      past.getDriver().createEntityManager() as EntityManager,
    ];
    for (const fork of forks) {
      expect(await titles(fork)).toEqual(TITLES[1]);
    }
    await past.transactional(async outer => {
      expect(await titles(outer)).toEqual(TITLES[1]);
      await outer.transactional(async inner => {
        expect(await titles(inner)).toEqual(TITLES[1]);
      });
      const { REQUIRED } = TransactionPropagation;
      await outer.transactional(async inner => expect(await titles(inner)).toEqual(TITLES[1]), {
        propagation: REQUIRED,
      });
    });
    const begun = at(3);
    await begun.begin();
    expect(await titles(begun)).toEqual(TITLES[2]);
    await begun.commit();
  });

  it('share no identity map', async () => {
    const em = orm.em.fork();
    const live = await em.findOneOrFail(Author, 1);
    const past = asOf(em, 1);
    const then = await past.findOneOrFail(Author, 1);
    expect(then === live).toBe(false);
    expect([then.greeting(), live.greeting()]).toEqual(['I am Ann', 'I am Anne']);
    expect((await past.fork().findOne(Author, 1)) === then).toBe(false);
    expect((await past.findOne(Author, 1)) === then).toBe(true);
  });

  it('make others, of any moment', async () => {
    const later = asOf(asOf(at(1), 4), 2);
    expect(await titles(later)).toEqual(TITLES[1]);
    expect(await titles(asOf(asOf(later, 1), 'latest'))).toEqual(TITLES[3]);
    await expect(later.nativeDelete(Book, {})).rejects.toThrow(/manager of the past/);
  });

  it('are not the ones of a request, nor is one of a request theirs', async () => {
    const past = at(1);
    await RequestContext.create(orm.em, async () => {
      expect(await titles(past)).toEqual(TITLES[0]);
      // the global manager stands for that of the request
      const inside = asOf(orm.em, 2);
      expect(await titles(inside)).toEqual(TITLES[1]);
      expect(await titles(orm.em)).toEqual(TITLES[3]);
      expect(await titles(past.fork({ useContext: true }))).toEqual(TITLES[0]);
      expect(RequestContext.getEntityManager()).not.toBe(inside);
    });
    await RequestContext.create(past, async () => {
      expect(await titles(past)).toEqual(TITLES[0]);
      expect(await titles(at(3))).toEqual(TITLES[2]);
      expect(await titles(orm.em.fork())).toEqual(TITLES[3]);
      expect(() => orm.em.getUnitOfWork()).toThrow(/global/);
    });
  });

  it('are not the ones of a transaction, nor is one of a transaction theirs', async () => {
    await orm.em.fork().transactional(async em => {
      em.create(Genre, { id: 8, name: 'pending' });
      await em.flush();
      const past = asOf(em, 1);
      expect(await titles(past)).toEqual(TITLES[0]);
      expect(await past.count(Genre, { name: 'pending' })).toBe(0);
      await past.transactional(async inner => {
        expect(await titles(inner)).toEqual(TITLES[0]);
        expect(await titles(em)).toEqual(TITLES[3]);
      });
      expect(await em.count(Genre, { name: 'pending' })).toBe(1);
      em.remove(await em.findOneOrFail(Genre, 8));
    });
    // by the async context of the transaction, not by its manager
    await RequestContext.create(orm.em, async () =>
      orm.em.transactional(async () => {
        expect(await titles(asOf(orm.em, 2))).toEqual(TITLES[1]);
        expect(await titles(orm.em)).toEqual(TITLES[3]);
        expect(orm.em.isInTransaction()).toBe(true);
        expect(asOf(orm.em, 2).isInTransaction()).toBe(true);
        expect(asOf(orm.em, 2).getTransactionContext()).toBe(orm.em.getTransactionContext());
      }),
    );
  });

  it('leave the manager that they are made from as it was', async () => {
    const em = orm.em.fork();
    const own = { name: em.name, driver: em.getDriver(), events: em.getEventManager() };
    await titles(asOf(em, 1));
    expect({ name: em.name, driver: em.getDriver(), events: em.getEventManager() }).toEqual(own);
    expect(Object.hasOwn(em, 'constructor')).toBe(false);
    const genre = em.create(Genre, { id: 7, name: 'live' });
    await em.flush();
    em.remove(genre);
    await em.flush();
    expect(await titles(em)).toEqual(TITLES[3]);
  });
});

describeEachDatabase('a manager of the past', db => {
  it('is of the user’s own class, with its state and its methods', async () => {
    const orm = await createOrm(db, { entities: PRESS, extensions: [Versioning], entityManager: Desk });
    await createPress(orm);
    const em = orm.em.fork() as Desk;
    em.owner = 'Ann';
    const past = asOf(em, 1);
    expect(past).toBeInstanceOf(Desk);
    expect(past.constructor.name).toBe('Desk');
    expect([past.owner, past.fork().owner]).toEqual(['Ann', 'Ann']);
    expect([await past.titles(), await em.titles()]).toEqual([TITLES[0], TITLES[3]]);
    await past.transactional(async inner => expect(await inner.titles()).toEqual(TITLES[0]));
  });

  it('is not answered by another one’s cached results', async () => {
    const orm = await createOrm(db, { entities: PRESS, extensions: [Versioning] });
    const cached = async (em: Orm['em'], cache: number | [string, number]) => [
      (await em.fork().find(Book, {}, { cache, orderBy: { id: 'asc' }, filters: false })).map(book => book.title),
      (await em.fork().findOne(Author, 1, { cache: Array.isArray(cache) ? ['author', 60_000] : cache }))?.name,
      await em.fork().count(Book, {}, { cache: Array.isArray(cache) ? ['count', 60_000] : cache, filters: false }),
    ];
    const [first, ...others] = PRESS_HISTORY;
    await first!(orm);
    const latest = [asOf(orm.em.fork(), 'latest'), asOf(orm.em.fork(), new Date(Date.now() + 1e7))];
    const expected = [TITLES[0], 'Ann', 3];
    for (const em of latest) {
      expect(await cached(em, ['titles', 60_000])).toEqual(expected);
      expect(await cached(em, 60_000)).toEqual(expected);
    }
    for (const transact of others) {
      await transact(orm);
    }
    // the first ones hold the moment that they looked up
    for (const em of latest) {
      expect(await cached(em, ['titles', 60_000])).toEqual(expected);
    }
    const now = [TITLES[3], 'Anne', 4];
    for (const em of [asOf(orm.em.fork(), 'latest'), asOf(orm.em.fork(), new Date(Date.now() + 1e7)), orm.em.fork()]) {
      expect(await cached(em, ['titles', 60_000])).toEqual(now);
      expect(await cached(em, 60_000)).toEqual(now);
    }
    expect(await cached(asOf(orm.em.fork(), 2), 60_000)).toEqual([TITLES[1], 'Ann', 4]);
  });

  it('clears what it cached itself', async () => {
    const orm = await createOrm(db, { entities: PRESS, extensions: [Versioning] });
    await createPress(orm);
    const cache = ['titles', 60_000] as [string, number];
    const past = asOf(orm.em.fork(), 1);
    const adapter = orm.config.getResultCacheAdapter();
    await past.find(Book, {}, { cache });
    await orm.em.fork().find(Book, {}, { cache });
    expect([await adapter.get('titles'), await adapter.get('titles as of 1')]).toEqual([
      expect.any(Array),
      expect.any(Array),
    ]);
    await past.clearCache('titles');
    expect([await adapter.get('titles'), await adapter.get('titles as of 1')]).toEqual([expect.any(Array), undefined]);
  });

  it('caches apart where everything is cached', async () => {
    const orm = await createOrm(db, { entities: PRESS, extensions: [Versioning], resultCache: { global: 60_000 } });
    await createPress(orm);
    const managers = [1, 2, 3, 4].map(id => asOf(orm.em.fork(), id));
    expect(await Promise.all([...managers, ...managers].map(async em => titles(em.fork())))).toEqual([
      ...TITLES,
      ...TITLES,
    ]);
  });

  it('reads from replicas as of its moment', async () => {
    const connection = await db.options({ shared: true });
    const first = await connectOrm(db, connection, { entities: PRESS, extensions: [Versioning] });
    await first.schema.create();
    await createPress(first);
    const orm = await connectOrm(db, connection, {
      entities: PRESS,
      extensions: [Versioning],
      replicas: [
        {
          name: 'replica',
          dbName: connection.dbName,
          ...(connection.clientUrl ? { clientUrl: connection.clientUrl } : {}),
        },
      ],
      preferReadReplicas: true,
    });
    expect(orm.em.fork().getConnection('read')).not.toBe(orm.em.fork().getConnection('write'));
    const past = asOf(orm.em.fork(), 2);
    expect(await titles(past)).toEqual(TITLES[1]);
    const book = { orderBy: { id: 'asc' }, filters: false } as const;
    for (const connectionType of ['read', 'write'] as const) {
      expect((await past.fork().find(Book, {}, { ...book, connectionType })).map(each => each.title)).toEqual(
        TITLES[1],
      );
      expect(await past.execute('select count(*) as n from book', [], { connectionType } as never)).toMatchObject([{}]);
      expect(await past.getConnection(connectionType).execute('select title from book where id = 2')).toEqual([
        { title: 'Deuxième' },
      ]);
      await expect(past.getConnection(connectionType).execute('delete from book')).rejects.toThrow(/read|past/);
    }
  });
});

describeDatabase('postgresql', 'a manager of the past with a session of its own', db => {
  it('asks in it, as the manager does that it was made from', async () => {
    const orm = await createOrm(db, { entities: PRESS, extensions: [Versioning] });
    await createPress(orm);
    const em = orm.em.fork({ session: { variables: { 'app.tenant': 'x' } } });
    const past = asOf(em, 1);
    expect(past.getSessionContext()).toEqual({ variables: { 'app.tenant': 'x' } });
    const [row] = await past.execute(
      "select current_setting('app.tenant') as tenant, count(*)::int as books from book",
    );
    expect(row).toEqual({ tenant: 'x', books: 3 });
    expect(await titles(past)).toEqual(TITLES[0]);
  });
});
