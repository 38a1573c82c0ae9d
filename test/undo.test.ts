import { defineEntity, p } from '@mikro-orm/core';
import {
  ErrorCode,
  undo,
  Versioning,
  versioned,
  VersioningError,
  versionOf,
  VersionTransaction,
} from 'mikro-orm-versioning';
import { beforeEach, describe, expect, it } from 'vitest';

import { Article, BLOG, Category, Comment, Tag } from './support/blog.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';

const Wish = versioned(
  defineEntity({
    name: 'Wish',
    properties: {
      id: p.integer().primary(),
      name: p.string(),
      price: p.integer().nullable(),
      gifts: () => p.manyToMany(Gift).fixedOrder(),
      parts: () => p.oneToMany(Part).mappedBy('wish').orphanRemoval(),
      above: () => p.manyToOne(Wish).nullable().deleteRule('restrict'),
    },
  }),
);
const Gift = versioned(defineEntity({ name: 'Gift', properties: { id: p.integer().primary(), name: p.string() } }));
const Part = versioned(
  defineEntity({
    name: 'Part',
    properties: {
      id: p.integer().primary(),
      wish: () => p.manyToOne(Wish).deleteRule('restrict').updateRule('cascade'),
    },
  }),
);

describeEachDatabase('undo', db => {
  let orm: Orm;

  beforeEach(async () => {
    orm = await createOrm(db, { entities: [...BLOG, Wish, Gift, Part], extensions: [Versioning] });
  });

  /** Flushes what happens in a manager of its own, and returns the id of its transaction. */
  async function change(work: (em: ReturnType<Orm['em']['fork']>) => unknown): Promise<number> {
    const em = orm.em.fork();
    await work(em);
    await em.flush();
    const [last] = await orm.em.fork().find(VersionTransaction, {}, { orderBy: { id: 'desc' }, limit: 1 });
    return last?.id ?? 0;
  }

  async function undone(transaction: number, options = {}): Promise<void> {
    const em = orm.em.fork();
    await undo(em, transaction, options);
    await em.flush();
  }

  const articles = async () =>
    (await orm.em.fork().find(Article, {}, { populate: ['tags', 'comments'], orderBy: { id: 'asc' } })).map(each => [
      each.id,
      each.name,
      each.category?.id ?? null,
      each.tags.map(tag => tag.id).toSorted((a, b) => a - b),
      each.comments.map(comment => comment.id).toSorted((a, b) => a - b),
    ]);

  async function conflictsOf(transaction: number): Promise<string[]> {
    const error: unknown = await undo(orm.em.fork(), transaction).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(VersioningError);
    const { code, conflicts, message } = error as VersioningError;
    expect(code).toBe(ErrorCode.CONFLICT);
    expect(message).toContain(`Transaction ${transaction} can't be undone, since something stands in the way: `);
    return conflicts!.map(each => each.message);
  }

  describe('of a blog', () => {
    let first: number;

    beforeEach(async () => {
      first = await change(em => {
        const [c] = [1, 2].map(id => em.create(Category, { id, name: `c${id}` }));
        const tags = [1, 2, 3].map(id => em.create(Tag, { id, name: `t${id}` }));
        const article = em.create(Article, { id: 1, name: 'a', category: c!, tags: tags.slice(0, 2) });
        em.create(Comment, { id: 1, text: 'x', article } as never);
      });
    });

    it('takes back what was inserted, changed and deleted, in one new transaction', async () => {
      const before = await articles();
      const second = await change(async em => {
        const article = await em.findOneOrFail(Article, 1, { populate: ['tags'] });
        article.name = 'b';
        article.category = em.getReference(Category, 2);
        article.tags.set([em.getReference(Tag, 2), em.getReference(Tag, 3)]);
        em.remove(await em.findOneOrFail(Comment, 1));
        const added = em.create(Article, { id: 2, name: 'n', tags: [em.getReference(Tag, 1)] });
        em.create(Comment, { id: 2, text: 'y', article: added } as never);
      });
      const after = await articles();
      const em = orm.em.fork();
      const changes = await undo(em, second);
      expect(changes.map(({ entity, key, operation }) => [entity.name, key, operation])).toEqual([
        ['Comment', 1, 2],
        ['Comment', 2, 0],
        ['Article', 1, 1],
        ['Article', 2, 0],
      ]);
      expect(await articles()).toEqual(after);
      await em.flush();
      expect(await articles()).toEqual(before);
      expect(await orm.em.fork().count(VersionTransaction)).toBe(3);
      // and back again
      await undone(await change(() => undefined));
      expect(await articles()).toEqual(after);
    });

    it('leaves alone what others did to other properties, links and rows', async () => {
      const second = await change(async em => {
        const article = await em.findOneOrFail(Article, 1, { populate: ['tags'] });
        article.name = 'b';
        article.tags.remove(em.getReference(Tag, 1));
      });
      await change(async em => {
        const article = await em.findOneOrFail(Article, 1, { populate: ['tags'] });
        article.category = em.getReference(Category, 2);
        article.tags.add(em.getReference(Tag, 3));
        em.create(Comment, { id: 5, text: 'later', article } as never);
      });
      await undone(second);
      expect(await articles()).toEqual([[1, 'a', 2, [1, 2, 3], [1, 5]]]);
    });

    it('does nothing where all was taken back already', async () => {
      const second = await change(async em => {
        (await em.findOneOrFail(Article, 1)).name = 'b';
        em.create(Article, { id: 2, name: 'n' });
      });
      const third = await change(async em => {
        (await em.findOneOrFail(Article, 1)).name = 'a';
        em.remove(await em.findOneOrFail(Article, 2));
      });
      await undone(second);
      expect(await change(() => undefined)).toBe(third);
    });

    it('says which later changes conflict, changes nothing, and overwrites them with force', async () => {
      const second = await change(async em => {
        const article = await em.findOneOrFail(Article, 1, { populate: ['tags'] });
        article.name = 'b';
        em.create(Article, { id: 2, name: 'n' });
        em.remove(await em.findOneOrFail(Comment, 1));
      });
      await change(async em => {
        (await em.findOneOrFail(Article, 1)).name = 'c';
        const added = await em.findOneOrFail(Article, 2, { populate: ['tags'] });
        added.category = em.getReference(Category, 2);
        added.tags.add(em.getReference(Tag, 1));
        em.create(Comment, { id: 1, text: 'again', article: 1 } as never);
      });
      expect(await conflictsOf(second)).toEqual([
        'Comment#1 was inserted again',
        'Article#1.name was changed again',
        'Article#2.category was changed',
        'Article#2.tags was changed',
      ]);
      const em = orm.em.fork();
      await undo(em, second).catch(() => undefined);
      const last = await change(() => undefined);
      await em.flush();
      expect(await change(() => undefined)).toBe(last);
      await undone(second, { force: true });
      expect(await articles()).toEqual([[1, 'a', 1, [1, 2], [1]]]);
      expect((await orm.em.fork().findOneOrFail(Comment, 1)).text).toBe('x');
    });

    it('does not take rows from under others, which force unlinks where it may', async () => {
      const second = await change(em => em.create(Category, { id: 9, name: 'new' }));
      await change(async em => {
        (await em.findOneOrFail(Article, 1)).category = em.getReference(Category, 9);
      });
      expect(await conflictsOf(second)).toEqual(['Article#1.category leads to Category#9, which has to be removed']);
      await undone(second, { force: true });
      expect(await articles()).toEqual([[1, 'a', null, [1, 2], [1]]]);
      expect(await orm.em.fork().count(Category, 9)).toBe(0);
    });

    it('brings back a row that was deleted since, with force, and what it was otherwise', async () => {
      const second = await change(async em => {
        (await em.findOneOrFail(Article, 1)).name = 'b';
      });
      await change(async em => {
        (await em.findOneOrFail(Article, 1)).category = em.getReference(Category, 2);
      });
      await change(async em => em.remove(await em.findOneOrFail(Article, 1)));
      expect(await conflictsOf(second)).toEqual(['Article#1 was deleted']);
      await undone(second, { force: true });
      expect(await articles()).toEqual([[1, 'a', 2, [], []]]);
    });

    it('does not lead to what is gone, where force leads to nothing', async () => {
      const second = await change(async em => {
        const article = await em.findOneOrFail(Article, 1, { populate: ['tags'] });
        article.category = em.getReference(Category, 2);
        article.tags.remove(em.getReference(Tag, 1));
      });
      await change(async em => {
        em.remove(await em.findOneOrFail(Category, 1));
        em.remove(await em.findOneOrFail(Tag, 1));
      });
      expect(await conflictsOf(second)).toEqual([
        'Article#1.tags led to Tag#1, which does not exist any more',
        'Article#1.category led to Category#1, which does not exist any more',
      ]);
      await undone(second, { force: true });
      expect(await articles()).toEqual([[1, 'a', null, [2], [1]]]);
    });

    it('undoes the first transaction, and the last', async () => {
      await undone(first);
      expect(await articles()).toEqual([]);
      const em = orm.em.fork();
      await undo(em, 'latest');
      await em.flush();
      expect(await articles()).toEqual([[1, 'a', 1, [1, 2], [1]]]);
    });

    it('takes a version for its transaction, and refuses unknown options and transactions', async () => {
      const em = orm.em.fork();
      await undo(em, await em.findOneOrFail(versionOf(Article), { name: 'a' }));
      await em.flush();
      expect(await articles()).toEqual([]);
      await expect(undo(em, 999)).rejects.toThrow(expect.objectContaining({ code: ErrorCode.NO_SUCH_TRANSACTION }));
      await expect(undo(em, first, { forced: true } as never)).rejects.toThrow(/Did you mean 'force'/);
      const plain = await createOrm(db, { entities: BLOG });
      await expect(undo(plain.em.fork(), 1)).rejects.toThrow(/^undo\(\) was given a manager/);
    });

    it('does not make up what a row was that is older than its history', async () => {
      await orm.em.fork().execute(`insert into article (id, name, views) values (9, 'old', 0)`);
      const second = await change(async em => {
        (await em.findOneOrFail(Article, 9)).name = 'new';
        (await em.findOneOrFail(Article, 1)).name = 'b';
      });
      expect(await conflictsOf(second)).toEqual([
        'Article#9 is older than its history, so that its state before is not known',
      ]);
      await undone(second, { force: true });
      expect((await articles()).map(([, name]) => name)).toEqual(['a', 'new']);
    });
  });

  it('brings back rows that need each other, and ones that a cascade took', async () => {
    await change(em => {
      const [a, b] = [1, 2].map(id => em.create(Wish, { id, name: `w${id}` } as never));
      a!.above = b as never;
      em.create(Part, { id: 1, wish: a } as never);
      em.create(Article, { id: 1, name: 'a' });
      em.create(Comment, { id: 1, text: 'x', article: 1 } as never);
      em.create(Comment, { id: 2, text: 'y', article: 1, answers: 1 } as never);
    });
    await change(async em => {
      (await em.findOneOrFail(Wish, 2)).above = await em.findOneOrFail(Wish, 1);
    });
    const deletion = await change(async em => {
      em.remove(await em.findOneOrFail(Part, 1));
      const wishes = await em.find(Wish, {});
      wishes.forEach(each => (each.above = null));
      await em.flush();
      wishes.forEach(each => em.remove(each));
    });
    const cascade = await change(async em => em.remove(await em.findOneOrFail(Article, 1)));
    await undone(cascade);
    expect(await orm.em.fork().find(Comment, {}, { orderBy: { id: 'asc' } })).toMatchObject([
      { id: 1 },
      { id: 2, answers: { id: 1 } },
    ]);
    await undone(deletion);
    await undone(deletion - 1);
    expect(await orm.em.fork().find(Wish, {}, { orderBy: { id: 'asc' } })).toMatchObject([
      { above: { id: 2 } },
      { above: { id: 1 } },
    ]);
  });

  it('keeps the order of links, and says where that was changed since', async () => {
    await change(em => {
      const gifts = [1, 2, 3].map(id => em.create(Gift, { id, name: `g${id}` }));
      em.create(Wish, { id: 1, name: 'w', gifts } as never);
    });
    const order = async () =>
      (await orm.em.fork().findOneOrFail(Wish, 1, { populate: ['gifts'] })).gifts.map(each => each.id);
    const set = (...ids: number[]) =>
      change(async em => {
        const wish = await em.findOneOrFail(Wish, 1, { populate: ['gifts'] });
        wish.gifts.set(ids.map(id => em.getReference(Gift, id)) as never);
      });
    const second = await set(3, 1);
    await undone(second);
    expect(await order()).toEqual([1, 2, 3]);
    const third = await set(3, 2, 1);
    await set(3, 2);
    expect(await conflictsOf(third)).toEqual(['Wish#1.gifts was changed again']);
  });

  it('refuses to leave a required relation without a target, also with force', async () => {
    const second = await change(em => em.create(Wish, { id: 1, name: 'w' } as never));
    await change(em => em.create(Part, { id: 1, wish: 1 } as never));
    expect(await conflictsOf(second)).toEqual(['Part#1.wish leads to Wish#1, which has to be removed']);
    await expect(undo(orm.em.fork(), second, { force: true })).rejects.toThrow(
      /^Part#1.wish leads to Wish#1, which has to be removed, and must not be null; nothing was changed/,
    );
  });

  it('undoes a changed primary key', async () => {
    await change(em => {
      em.create(Part, { id: 1, wish: em.create(Wish, { id: 1, name: 'w' } as never) } as never);
    });
    const second = await change(async em => {
      (await em.findOneOrFail(Wish, 1)).id = 7;
    });
    const parts = () => orm.em.fork().find(Part, {}, { populate: ['wish'] });
    expect(await parts()).toMatchObject([{ wish: { id: 7, name: 'w' } }]);
    await undone(second);
    expect(await parts()).toMatchObject([{ wish: { id: 1, name: 'w' } }]);
    expect(await orm.em.fork().count(Wish)).toBe(1);
  });
});
