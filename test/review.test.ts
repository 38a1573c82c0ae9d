import { setTimeout as sleep } from 'node:timers/promises';

import { defineEntity, IsolationLevel, p } from '@mikro-orm/core';
import {
  changeset,
  ErrorCode,
  loadHistory,
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
