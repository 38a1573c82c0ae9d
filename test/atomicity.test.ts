import type { EntityManager } from '@mikro-orm/core';
import { ErrorCode, Versioning, VersioningError } from 'mikro-orm-versioning';
import { beforeEach, describe, expect, it } from 'vitest';

import { Article, BLOG, Category, Comment, Tag } from './support/blog.ts';
import { createOrm, describeEachDatabase, type Database, type Orm } from './support/databases.ts';
import { historyOf, transactionsOf } from './support/history.ts';
import { mirrorExcept } from './support/mirror.ts';

/** Every kind of statement that writes history. */
const FAULTS = [
  ['insert', 'version_transaction'],
  ['insert', 'article_version'],
  ['update', 'article_version'],
  ['delete', 'category_version'],
  ['insert', 'comment_version'],
  ['update', 'comment_version'],
  ['insert', 'article_tags_version'],
  ['update', 'article_tags_version'],
] as const;

const MODES: readonly (readonly [
  string,
  (em: EntityManager, change: (em: EntityManager) => Promise<void>) => Promise<unknown>,
])[] = [
  [
    'an implicit flush',
    async (em, change) => {
      await change(em);
      await em.flush();
    },
  ],
  ['em.transactional', (em, change) => em.transactional(change)],
  [
    'em.begin and em.commit',
    async (em, change) => {
      await em.begin();
      try {
        await change(em);
        await em.commit();
      } catch (error) {
        await em.rollback();
        throw error;
      }
    },
  ],
  ['a nested transaction', (em, change) => em.transactional(outer => outer.transactional(change))],
];

describeEachDatabase('atomicity', db => {
  let orm: Orm;

  beforeEach(async () => {
    orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
    const em = orm.em.fork();
    const [t, u] = [em.create(Tag, { id: 1, name: 't' }), em.create(Tag, { id: 2, name: 'u' })];
    const article = em.create(Article, { id: 1, name: 'a', tags: [t] });
    em.create(Comment, { id: 1, text: 'x', article });
    em.create(Article, { id: 3, name: 'c', tags: [u] });
    await em.flush();
    // a row that is older than its history leaves an image when it is deleted
    await orm.em.fork().insert(Category, { id: 4, name: 'old' });
  });

  /** Says that the old category is still there, without a version. */
  const keepsOldCategory = () => mirrorExcept(orm, [Category], 'its row is older than its history');

  async function change(em: EntityManager): Promise<void> {
    // everything is loaded first: a find flushes what is pending
    const article = await em.findOneOrFail(Article, 1, { populate: ['tags'] });
    const comment = await em.findOneOrFail(Comment, 1);
    const third = await em.findOneOrFail(Article, 3);
    const old = await em.findOneOrFail(Category, 4);
    article.name = 'b';
    article.tags.set([em.getReference(Tag, 2)]);
    em.create(Article, { id: 2, name: 'n' });
    comment.text = 'y';
    em.remove([third, old]);
  }

  const everything = async () => ({
    articles: await orm.em.fork().execute('select id, name from article order by id'),
    categories: await orm.em.fork().execute('select id, name from category order by id'),
    comments: await orm.em.fork().execute('select id, text from comment order by id'),
    links: await orm.em.fork().execute('select article_id, tag_id from article_tags order by 1, 2'),
    history: await historyOf(orm, [Article, Comment, Category], ['article_tags_version']),
    transactions: await transactionsOf(orm),
  });

  describe.each(MODES)('%s', (_, run) => {
    it.each(FAULTS)('writes nothing at all when the %s of %s fails', async (event, table) => {
      const before = await everything();
      const mend = await injectFault(db, orm, event, table);
      await expect(run(orm.em.fork(), change)).rejects.toThrow(/injected/);
      await mend();
      expect(await everything()).toEqual(before);

      await run(orm.em.fork(), change);
      const after = await everything();
      expect(after.history).toEqual([
        ...before.history.map(line =>
          /^(Article#[13]|Comment#1|article_id)/.test(line) ? line.replace('[1, )', '[1, 2)') : line,
        ),
        'Article#1 UPDATE { name: b, category_id: null } [2, )',
        'Article#2 INSERT { name: n, category_id: null } [2, )',
        'Article#3 DELETE { name: c, category_id: null } [2, )',
        'Category#4 DELETE { name: old } [2, )',
        'Comment#1 UPDATE { text: y, article_id: 1, answers_id: null } [2, )',
        'article_id 1 -> tag_id 2 [2, )',
      ]);
    });
  });

  it('a history that fails can not be lost by swallowing the error and committing', async () => {
    const before = await everything();
    const mend = await injectFault(db, orm, 'update', 'article_version');
    const em = orm.em.fork();
    await em.begin();
    await change(em);
    await em.flush();
    await expect(em.commit()).rejects.toThrow(/injected/);
    await em.rollback();
    await mend();
    expect(await everything()).toEqual(before);
    keepsOldCategory();
  });

  it('a flush outside of any transaction is refused before anything is written', async () => {
    const plain = await createOrm(db, { entities: BLOG, extensions: [Versioning], implicitTransactions: false });
    const em = plain.em.fork();
    em.create(Article, { id: 9, name: 'a' });
    const error = await em.flush().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(VersioningError);
    expect(error).toMatchObject({
      code: ErrorCode.NO_TRANSACTION,
      message:
        "Article is versioned, and its changes were flushed outside of a transaction, where the history can't be atomic; nothing was written. Flush inside em.transactional(), or set implicitTransactions: true.",
    });
    expect(await plain.em.fork().count(Article)).toBe(0);

    await plain.em.fork().transactional(async inner => {
      inner.create(Article, { id: 9, name: 'a' });
    });
    expect(await historyOf(plain, [Article])).toEqual(['Article#9 INSERT { name: a, category_id: null } [1, )']);
    keepsOldCategory();
  });

  it('a missing version table fails the commit and names the command that creates it', async () => {
    await orm.em.fork().execute('drop table article_version');
    const em = orm.em.fork();
    (await em.findOneOrFail(Article, 1)).name = 'b';
    const error = await em.flush().catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: ErrorCode.MISSING_TABLE, cause: expect.any(Error) as Error });
    expect((error as Error).message).toMatch(/the table article_version does not exist.*migration:create/);
    expect((await orm.em.fork().findOneOrFail(Article, 1)).name).toBe('a');
    mirrorExcept(orm, [Article], 'its history was dropped');
    keepsOldCategory();
  });

  it('a raw transaction, which fires no events, has its history written at the flush', async () => {
    const em = orm.em.fork();
    const connection = em.getConnection();
    const run = connection.transactional(async transaction => {
      const inner = em.fork();
      inner.setTransactionContext(transaction);
      const article = await inner.findOneOrFail(Article, 1);
      article.name = 'b';
      await inner.flush();
      article.name = 'c';
      inner.remove(await inner.findOneOrFail(Article, 3));
      await inner.flush();
    });
    await run;
    expect(await historyOf(orm, [Article], ['article_tags_version'])).toEqual([
      'Article#1 INSERT { name: a, category_id: null } [1, 2)',
      'Article#3 INSERT { name: c, category_id: null } [1, 2)',
      'article_id 1 -> tag_id 1 [1, )',
      'article_id 3 -> tag_id 2 [1, 2)',
      'Article#1 UPDATE { name: c, category_id: null } [2, )',
      'Article#3 DELETE { name: c, category_id: null } [2, )',
    ]);
    expect(await transactionsOf(orm)).toHaveLength(2);
    keepsOldCategory();
  });

  it('a raw transaction that changes back what it changed records nothing', async () => {
    const before = await everything();
    const em = orm.em.fork();
    await em.getConnection().transactional(async transaction => {
      const inner = em.fork();
      inner.setTransactionContext(transaction);
      const article = await inner.findOneOrFail(Article, 1);
      const old = await inner.findOneOrFail(Category, 4);
      article.name = 'b';
      inner.remove(old);
      await inner.flush();
      article.name = 'a';
      inner.create(Category, { id: 4, name: 'old' });
      await inner.flush();
    });
    expect(await everything()).toEqual(before);
    keepsOldCategory();
  });
});

/** Makes every statement of a kind on a table fail, and returns how to undo that. */
async function injectFault(db: Database, orm: Orm, event: string, table: string): Promise<() => Promise<void>> {
  const em = orm.em.fork();
  if (db.name === 'sqlite') {
    await em.execute(`create trigger injected before ${event} on ${table} begin select raise(abort, 'injected'); end`);
    return async () => void (await em.execute('drop trigger injected'));
  }
  await em.execute(
    `create function injected() returns trigger language plpgsql as $$ begin raise exception 'injected'; end $$`,
  );
  await em.execute(`create trigger injected before ${event} on ${table} for each row execute function injected()`);
  return async () => void (await em.execute('drop function injected cascade'));
}
