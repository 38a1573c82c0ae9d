import { setTimeout as sleep } from 'node:timers/promises';

import { defineEntity, IsolationLevel, p } from '@mikro-orm/core';
import {
  changeset,
  ErrorCode,
  loadHistory,
  Operation,
  revert,
  Versioning,
  versioned,
  versioning,
  versionOf,
} from 'mikro-orm-versioning';
import { describe, expect, it } from 'vitest';

import { Article, BLOG, Category, Comment, Tag } from './support/blog.ts';
import { createOrm, describeEachDatabase } from './support/databases.ts';
import { historyOf, transactionsOf } from './support/history.ts';
import { expectMirror } from './support/mirror.ts';

/** What a review found, each as short as it gets. */
describeEachDatabase('found in review', db => {
  const start = () => createOrm(db, { entities: BLOG, extensions: [Versioning] });

  it.for(['cascade', 'set null'])(
    'a deletion that waits for a concurrent child records its %s',
    async (rule, context) => {
      context.skip(db.name === 'sqlite', 'SQLite has a single writer');
      const orm = await start();
      const em = orm.em.fork();
      em.create(Category, { id: 1, name: 'c' });
      em.create(Article, { id: 1, name: 'a' });
      await em.flush();
      const slow = orm.em.fork();
      await slow.begin();
      if (rule === 'cascade') {
        slow.create(Comment, { id: 1, text: 'x', article: slow.getReference(Article, 1) });
      } else {
        (await slow.findOneOrFail(Article, 1)).category = slow.getReference(Category, 1);
      }
      await slow.flush();
      const fast = orm.em.fork();
      fast.remove(rule === 'cascade' ? await fast.findOneOrFail(Article, 1) : await fast.findOneOrFail(Category, 1));
      const deletion = fast.flush();
      await sleep(100);
      await slow.commit();
      await deletion;
      await expectMirror(orm);
      expect(await historyOf(orm, [rule === 'cascade' ? Comment : Article])).toContain(
        rule === 'cascade'
          ? 'Comment#1 DELETE { text: x, article_id: 1, answers_id: null } [3, )'
          : 'Article#1 UPDATE { name: a, category_id: null } [3, )',
      );
    },
  );

  it('a row that another transaction deleted and this one inserts again, in an older snapshot, is a conflict', async context => {
    context.skip(db.name === 'sqlite', 'SQLite has a single writer');
    const orm = await start();
    const em = orm.em.fork();
    em.create(Article, { id: 1, name: 'a' });
    await em.flush();
    const old = orm.em.fork();
    await old.begin({ isolationLevel: IsolationLevel.REPEATABLE_READ });
    await old.execute('select 1 from article');
    const other = orm.em.fork();
    other.remove(await other.findOneOrFail(Article, 1));
    await other.flush();
    old.create(Article, { id: 1, name: 'a' });
    // PostgreSQL's own word, where the row had history; ours where it had none
    await expect(old.commit()).rejects.toMatchObject({ code: '40001' });
    await old.rollback();
    await expectMirror(orm);
  });

  it.each(['a flush of nothing versioned', 'a flush whose net effect is nothing'])(
    'a late subscriber that writes in beforeTransactionCommit is recorded after %s',
    async what => {
      const orm = await start();
      const em = orm.em.fork();
      em.create(Article, { id: 1, name: 'a' });
      await em.flush();
      orm.em.getEventManager().registerSubscriber({
        async beforeTransactionCommit(args) {
          const fork = args.em.fork({ keepTransactionContext: true });
          fork.create(Category, { id: 77, name: 'outbox' });
          await fork.flush();
        },
      });
      const inner = orm.em.fork();
      if (what.includes('net effect')) {
        await inner.transactional(async transaction => {
          const article = await transaction.findOneOrFail(Article, 1);
          article.name = 'b';
          await transaction.flush();
          article.name = 'a';
        });
      } else {
        inner.create(Tag, { id: 1, name: 't' });
        await inner.flush();
      }
      expect(await historyOf(orm, [Category])).toEqual(['Category#77 INSERT { name: outbox } [2, )']);
    },
  );

  it('a key that is changed in memory and then removed is the one that the database deletes', async () => {
    const orm = await start();
    const em = orm.em.fork();
    em.create(Article, { id: 1, name: 'one' });
    em.create(Article, { id: 2, name: 'two' });
    await em.flush();
    const inner = orm.em.fork();
    const article = await inner.findOneOrFail(Article, 1);
    article.id = 2;
    inner.remove(article);
    await inner.flush();
    await expectMirror(orm);
    expect(await historyOf(orm, [Article])).toContain('Article#2 DELETE { name: two, category_id: null } [2, )');
  });

  it('ON UPDATE CASCADE counts through a key that is not the primary one', async () => {
    const Parent = versioned(
      defineEntity({ name: 'Parent', properties: { id: p.integer().primary(), code: p.string().unique() } }),
    );
    const Child = versioned(
      defineEntity({
        name: 'Child',
        properties: {
          id: p.integer().primary(),
          parent: () => p.manyToOne(Parent).targetKey('code').updateRule('cascade'),
        },
      }),
    );
    const orm = await createOrm(db, { entities: [Parent, Child], extensions: [Versioning] });
    const em = orm.em.fork();
    const parent = em.create(Parent, { id: 1, code: 'one' });
    em.create(Child, { id: 1, parent });
    await em.flush();
    parent.code = 'two';
    await em.flush();
    await expectMirror(orm);
    expect(await em.fork().count(versionOf(Child))).toBe(2);
  });

  it('a pivot entity with a key of its own may link the same ends twice', async () => {
    const Left = versioned(
      defineEntity({
        name: 'Left',
        properties: { id: p.integer().primary(), rights: () => p.manyToMany(Right).pivotEntity(() => Pair) },
      }),
    );
    const Right = defineEntity({ name: 'Right', properties: { id: p.integer().primary() } });
    const Pair = defineEntity({
      name: 'Pair',
      properties: {
        id: p.integer().primary(),
        left: () => p.manyToOne(Left),
        right: () => p.manyToOne(Right),
        note: p.string(),
      },
    });
    const orm = await createOrm(db, { entities: [Left, Right, Pair], extensions: [Versioning] });
    const em = orm.em.fork();
    const [left, right] = [em.create(Left, { id: 1 }), em.create(Right, { id: 1 })];
    em.create(Pair, { id: 1, left, right, note: 'one' });
    const second = em.create(Pair, { id: 2, left, right, note: 'two' });
    await em.flush();
    second.note = 'TWO';
    await em.flush();
    await expectMirror(orm);
    expect(await em.execute('select note from pair_version order by version_id')).toEqual([
      { note: 'one' },
      { note: 'two' },
      { note: 'TWO' },
    ]);
  });

  it.each(['onFlush', 'beforeFlush'] as const)(
    'a subscriber registered in another one’s %s hides no flush',
    async event => {
      const orm = await createOrm(db, {
        entities: BLOG,
        extensions: [Versioning],
        subscribers: [{ [event]: () => orm.em.getEventManager().registerSubscriber({ onFlush: () => undefined }) }],
      });
      const em = orm.em.fork();
      em.create(Article, { id: 1, name: 'a' });
      await em.flush();
      expect(await historyOf(orm, [Article])).toEqual(['Article#1 INSERT { name: a, category_id: null } [1, )']);
    },
  );

  it('a row that changes what refers to it and then goes with its parent is followed all the way', async () => {
    const Group = versioned(
      defineEntity({ name: 'Group', tableName: 'grp', properties: { id: p.integer().primary() } }),
    );
    const Parent = versioned(
      defineEntity({
        name: 'Parent',
        properties: {
          id: p.integer().primary(),
          code: p.string().unique(),
          group: () => p.manyToOne(Group).deleteRule('cascade'),
        },
      }),
    );
    const Child = versioned(
      defineEntity({
        name: 'Child',
        properties: {
          id: p.integer().primary(),
          parent: () => p.manyToOne(Parent).deleteRule('cascade'),
          byCode: () => p.manyToOne(Parent).targetKey('code').updateRule('cascade').deleteRule('cascade'),
        },
      }),
    );
    const orm = await createOrm(db, { entities: [Group, Parent, Child], extensions: [Versioning] });
    const em = orm.em.fork();
    const group = em.create(Group, { id: 1 });
    const parent = em.create(Parent, { id: 1, code: 'one', group });
    em.create(Child, { id: 1, parent, byCode: parent });
    await em.flush();
    parent.code = 'uno';
    em.remove(group);
    await em.flush();
    await expectMirror(orm);
    expect(await em.fork().count(versionOf(Child), { operationType: Operation.DELETE })).toBe(1);
  });

  it('a row that moves under a parent that the database deletes by itself is followed', async () => {
    const orm = await start();
    const em = orm.em.fork();
    const [a, b] = [1, 2].map(id => em.create(Article, { id, name: 'a' }));
    const under = em.create(Comment, { id: 1, text: 'under', article: b! });
    const moving = em.create(Comment, { id: 2, text: 'moving', article: a! });
    em.create(Comment, { id: 3, text: 'last', article: a!, answers: moving });
    await em.flush();
    const inner = orm.em.fork();
    const comment = await inner.findOneOrFail(Comment, 2);
    comment.answers = inner.getReference(Comment, under.id);
    inner.remove(inner.getReference(Article, 2));
    await inner.flush();
    expect(await inner.fork().count(Comment)).toBe(0);
    await expectMirror(orm);
  });

  it('a key that contains a column which ON UPDATE CASCADE changes moves along', async () => {
    const Parent = versioned(
      defineEntity({ name: 'Parent', properties: { id: p.integer().primary(), code: p.string().unique() } }),
    );
    const Child = versioned(
      defineEntity({
        name: 'Child',
        properties: {
          parent: () => p.manyToOne(Parent).targetKey('code').updateRule('cascade').primary(),
          n: p.integer().primary(),
        },
      }),
    );
    const orm = await createOrm(db, { entities: [Parent, Child], extensions: [Versioning] });
    const em = orm.em.fork();
    const parent = em.create(Parent, { id: 1, code: 'a' });
    await em.flush();
    await em.execute("insert into child values ('a', 1)");
    parent.code = 'b';
    await em.flush();
    await expectMirror(orm);
    expect(await em.fork().count(versionOf(Child))).toBe(2);
  });

  it('a failed flush leaves nothing behind for the next transaction of its manager', async () => {
    const orm = await start();
    await orm.em.fork().insert(Category, { id: 1, name: 'old' });
    const em = orm.em.fork();
    em.create(Category, { id: 1, name: 'duplicate' });
    await expect(em.flush()).rejects.toThrow(/unique/i);
    em.clear();
    await em.begin();
    em.remove(await em.findOneOrFail(Category, 1));
    await em.commit();
    expect(await historyOf(orm, [Category])).toEqual(['Category#1 DELETE { name: old } [1, )']);
  });

  it('history that is written anew opens the links again that it had closed', async () => {
    const orm = await start();
    const em = orm.em.fork();
    const article = em.create(Article, { id: 1, name: 'a', tags: [em.create(Tag, { id: 1, name: 't' })] });
    await em.flush();
    let done = false;
    orm.em.getEventManager().registerSubscriber({
      async beforeTransactionCommit(args) {
        if (!done) {
          done = true;
          const fork = args.em.fork({ keepTransactionContext: true });
          fork.create(Category, { id: 77, name: 'outbox' });
          await fork.flush();
        }
      },
    });
    em.remove(article);
    await em.flush();
    await expectMirror(orm);
    expect(await historyOf(orm, [Category], ['article_tags_version'])).toEqual([
      'article_id 1 -> tag_id 1 [1, 2)',
      'Category#77 INSERT { name: outbox } [2, )',
    ]);
  });

  it('history that a savepoint wrote and rolled back is written anew over what was there before', async () => {
    const orm = await start();
    await orm.em.getConnection().transactional(async transaction => {
      const em = orm.em.fork();
      em.setTransactionContext(transaction);
      const article = em.create(Article, { id: 1, name: 'a' });
      await em.flush();
      await em
        .transactional(async inner => {
          (await inner.findOneOrFail(Article, 1)).name = 'b';
          await inner.flush();
          throw new Error('back');
        })
        .catch(() => undefined);
      article.name = 'c';
      await em.flush();
    });
    expect(await historyOf(orm, [Article])).toEqual(['Article#1 INSERT { name: c, category_id: null } [1, )']);
    expect(await transactionsOf(orm)).toHaveLength(1);
  });

  it('deletions of the same rows in different orders do not lock each other out', async context => {
    context.skip(db.name === 'sqlite', 'SQLite has a single writer');
    const orm = await start();
    for (let round = 0; round < 8; round++) {
      const em = orm.em.fork();
      for (let id = 1; id <= 100; id++) {
        em.create(Article, { id, name: 'a' });
      }
      await em.flush();
      await Promise.all(
        (['asc', 'desc'] as const).map(async id => {
          const inner = orm.em.fork();
          inner.remove(await inner.find(Article, {}, { orderBy: { id } }));
          await inner.flush();
        }),
      );
    }
    await expectMirror(orm);
    expect(await orm.em.fork().count(versionOf(Article), { operationType: Operation.DELETE })).toBe(800);
  });

  it('changeset goes by properties, also where a column has the name of another one', async () => {
    const Swapped = versioned(
      defineEntity({
        name: 'Swapped',
        properties: {
          id: p.integer().primary(),
          type: p.string().fieldName('kind'),
          kind: p.string().fieldName('kind_name'),
        },
      }),
    );
    const orm = await createOrm(db, { entities: [Swapped], extensions: [Versioning] });
    const em = orm.em.fork();
    const row = em.create(Swapped, { id: 1, type: 'T', kind: 'K' });
    await em.flush();
    row.type = 'T2';
    expect(changeset(row)).toEqual({ type: ['T', 'T2'] });
  });

  it('versions that can not change any more stay loaded after a flush', async () => {
    const orm = await start();
    const em = orm.em.fork();
    const article = em.create(Article, { id: 1, name: 'a' });
    await em.flush();
    article.name = 'b';
    await em.flush();
    await em.populate(article, ['versions']);
    const [first, second] = article.versions.getItems();
    article.name = 'c';
    await em.flush();
    expect(JSON.parse(JSON.stringify(first))).toMatchObject({ name: 'a' });
    expect(first!.isCurrent).toBe(false);
    expect(() => second!.isCurrent).toThrow(/loadHistory/);
    await loadHistory(second!);
    expect([second!.isCurrent, second!.index]).toEqual([false, 1]);
  });

  describe('what is asked for wrongly', () => {
    it('changeset knows no old value of what was never loaded, and a removed entity shows what was committed', async () => {
      const orm = await start();
      const em = orm.em.fork();
      em.create(Article, { id: 1, name: 'a' });
      await em.flush();
      const partial = await orm.em.fork().findOneOrFail(Article, 1, { fields: ['id'] });
      (partial as unknown as { name: string }).name = 'zzz';
      expect(() => changeset(partial)).toThrow(expect.objectContaining({ code: ErrorCode.NOT_LOADED }));
      const inner = orm.em.fork();
      const article = await inner.findOneOrFail(Article, 1);
      article.name = 'modified';
      inner.remove(article);
      expect(changeset(article)).toMatchObject({ name: ['a', null] });
    });

    it('revert refuses a version that was loaded in part, an unknown option, and what is no version', async () => {
      const orm = await start();
      const em = orm.em.fork();
      em.create(Article, { id: 1, name: 'a' });
      await em.flush();
      const [part] = await orm.em.fork().find(versionOf(Article), {}, { fields: ['id', 'operationType'] });
      await expect(revert(part as never)).rejects.toMatchObject({ code: ErrorCode.NOT_LOADED });
      const [whole] = await orm.em.fork().find(versionOf(Article), {});
      await expect(revert(whole!, { relation: ['tags'] } as never)).rejects.toMatchObject({
        code: ErrorCode.UNKNOWN_OPTION,
        message: expect.stringContaining("Did you mean 'relations'?") as string,
      });
      await expect(revert(null as never)).rejects.toMatchObject({ code: ErrorCode.NO_SUCH_VERSION });
      await expect(loadHistory([{}] as never)).rejects.toMatchObject({ code: ErrorCode.NO_SUCH_VERSION });
      expect(() => changeset(null as never)).toThrow(expect.objectContaining({ code: ErrorCode.NOT_VERSIONED }));
      expect(() => versionOf(Tag)).toThrow(expect.objectContaining({ code: ErrorCode.NOT_VERSIONED }));
    });

    it('a context is checked where it is given', async () => {
      const orm = await start();
      const write = (id: number) => {
        const em = orm.em.fork();
        em.create(Article, { id, name: 'a' });
        return em.flush();
      };
      await versioning.run({ actor: 42 }, () => write(1));
      expect(await transactionsOf(orm)).toEqual(['42: null (Article)']);
      const circular: Record<string, unknown> = {};
      circular['self'] = circular;
      for (const context of [{ actr: 'x' }, { actor: {} }, { meta: circular }]) {
        expect(() => versioning.run(context as never, () => write(2))).toThrow(
          expect.objectContaining({ code: ErrorCode.INVALID_CONTEXT }),
        );
      }
    });

    it('names that would hide each other are refused at start', async () => {
      const one = (properties: object) =>
        defineEntity({ name: 'One', properties: { id: p.integer().primary(), ...properties } }) as never;
      const cases = [
        [versioned(one({ name: p.string(), other: p.string() }), { rename: { name: 'other' } } as never), {}],
        [versioned(one({ endTransactionId: p.integer() })), {}],
        [versioned(one({ parent: () => p.manyToOne(BLOG[0] as never), parent__key: p.string() })), {}],
      ] as const;
      for (const [entity] of cases) {
        await expect(
          createOrm(db, { entities: [entity, ...BLOG] as never, extensions: [Versioning] }),
        ).rejects.toMatchObject({ code: ErrorCode.NAME_COLLISION });
      }
      expect(() => Versioning.with({ columns: { transactionId: 'x', endTransactionId: 'x' } })).toThrow(
        expect.objectContaining({ code: ErrorCode.NAME_COLLISION }),
      );
      await expect(createOrm(db, { entities: BLOG, extensions: [Versioning, Versioning] })).rejects.toMatchObject({
        code: ErrorCode.UNSUPPORTED,
      });
    });

    it('a table name that the database would cut off is refused at start', async context => {
      context.skip(db.name === 'sqlite', 'SQLite has no limit');
      const Long = versioned(
        defineEntity({ name: 'Long', tableName: 'x'.repeat(60), properties: { id: p.integer().primary() } }),
      );
      await expect(createOrm(db, { entities: [Long], extensions: [Versioning] })).rejects.toMatchObject({
        code: ErrorCode.UNSUPPORTED,
      });
    });

    it('a manager with a schema of its own is refused before anything is written', async context => {
      context.skip(db.name === 'sqlite', 'SQLite has no schemas');
      const orm = await start();
      await orm.em
        .fork()
        .execute('create schema tenant; create table tenant.category (id serial primary key, name text)');
      const em = orm.em.fork({ schema: 'tenant' });
      em.create(Category, { id: 5, name: 'c' });
      await expect(em.flush()).rejects.toMatchObject({ code: ErrorCode.UNSUPPORTED });
      expect(await orm.em.fork().execute('select * from tenant.category')).toEqual([]);
    });

    it('a table that is called like an expression of ours is no problem', async () => {
      const Tx = versioned(defineEntity({ name: 'Tx', tableName: 'tx', properties: { id: p.integer().primary() } }));
      const orm = await createOrm(db, { entities: [Tx], extensions: [Versioning] });
      const em = orm.em.fork();
      em.create(Tx, { id: 1 });
      await em.flush();
      expect(await em.count(versionOf(Tx))).toBe(1);
    });
  });
});
