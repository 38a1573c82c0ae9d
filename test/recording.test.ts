import { Versioning, versioning } from 'mikro-orm-versioning';
import { beforeEach, describe, expect, it } from 'vitest';

import { covers } from './support/compatibility/covers.ts';
import { Article, BLOG, Category, Comment, Tag } from './support/blog.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';
import { historyOf, transactionsOf } from './support/history.ts';
import { mirrorExcept } from './support/mirror.ts';

describeEachDatabase('recording', db => {
  let orm: Orm;

  beforeEach(async () => {
    orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
  });

  const articles = () => historyOf(orm, [Article]);
  const links = () => historyOf(orm, [], ['article_tags_version']);

  /** Article 1, named `a`, written by a transaction of its own. */
  async function existingArticle(): Promise<void> {
    const em = orm.em.fork();
    em.create(Article, { id: 1, name: 'a' });
    await em.flush();
  }

  describe('the net effect of a transaction', () => {
    it('absent -> present is an INSERT with the values at commit', async () => {
      await orm.em.fork().transactional(async em => {
        const article = em.create(Article, { id: 1, name: 'draft' });
        await em.flush();
        article.name = 'a';
      });
      expect(await articles()).toEqual(['Article#1 INSERT { name: a, category_id: null } [1, )']);
    });

    it('present -> present with another value is an UPDATE with the full state', async () => {
      await existingArticle();
      const em = orm.em.fork();
      (await em.findOneOrFail(Article, 1, { fields: ['name'] })).name = 'b';
      await em.flush();
      expect(await articles()).toEqual([
        'Article#1 INSERT { name: a, category_id: null } [1, 2)',
        'Article#1 UPDATE { name: b, category_id: null } [2, )',
      ]);
    });

    it('several flushes of one transaction make one version', async () => {
      await existingArticle();
      await orm.em.fork().transactional(async em => {
        const article = await em.findOneOrFail(Article, 1);
        for (const name of ['b', 'c', 'd']) {
          article.name = name;
          await em.flush();
        }
      });
      expect(await articles()).toEqual([
        'Article#1 INSERT { name: a, category_id: null } [1, 2)',
        'Article#1 UPDATE { name: d, category_id: null } [2, )',
      ]);
    });

    it.each([
      ['a flush without changes', async () => orm.em.fork().flush()],
      [
        'A -> B -> A over two flushes',
        async () =>
          orm.em.fork().transactional(async em => {
            const article = await em.findOneOrFail(Article, 1);
            article.name = 'b';
            await em.flush();
            article.name = 'a';
          }),
      ],
      [
        'a change of excluded properties alone',
        async () => {
          const em = orm.em.fork();
          (await em.findOneOrFail(Article, 1)).views = 7;
          await em.flush();
        },
      ],
      [
        'a rolled-back savepoint',
        async () =>
          orm.em.fork().transactional(async em => {
            await em
              .transactional(async inner => {
                (await inner.findOneOrFail(Article, 1)).name = 'b';
                await inner.flush();
                throw new Error('back');
              })
              .catch(() => undefined);
          }),
      ],
      [
        'a rolled-back transaction',
        async () => {
          const em = orm.em.fork();
          await em.begin();
          (await em.findOneOrFail(Article, 1)).name = 'b';
          await em.flush();
          await em.rollback();
        },
      ],
      [
        'insert + delete',
        async () =>
          orm.em.fork().transactional(async em => {
            const article = em.create(Article, { id: 2, name: 'x' });
            await em.flush();
            em.remove(article);
          }),
      ],
      [
        'delete + insert of the same key with the same values',
        async () => {
          await orm.em.fork().transactional(async em => {
            em.remove(await em.findOneOrFail(Article, 1));
            await em.flush();
            em.clear();
            em.create(Article, { id: 1, name: 'a' });
          });
        },
      ],
    ])('%s records nothing, not even a transaction', async (_, act) => {
      await existingArticle();
      await act();
      expect(await articles()).toEqual(['Article#1 INSERT { name: a, category_id: null } [1, )']);
      expect(await transactionsOf(orm)).toEqual(['null: null (Article)']);
    });

    it('present -> absent is a DELETE that carries the last committed state', async () => {
      await existingArticle();
      await orm.em.fork().transactional(async em => {
        const article = await em.findOneOrFail(Article, 1);
        article.name = 'on its way out';
        await em.flush();
        em.remove(article);
      });
      expect(await articles()).toEqual([
        'Article#1 INSERT { name: a, category_id: null } [1, 2)',
        'Article#1 DELETE { name: a, category_id: null } [2, )',
      ]);
    });

    it('delete + insert of the same key with other values is an UPDATE', async () => {
      await existingArticle();
      await orm.em.fork().transactional(async em => {
        em.remove(await em.findOneOrFail(Article, 1));
        await em.flush();
        em.clear();
        em.create(Article, { id: 1, name: 'b' });
      });
      expect(await articles()).toEqual([
        'Article#1 INSERT { name: a, category_id: null } [1, 2)',
        'Article#1 UPDATE { name: b, category_id: null } [2, )',
      ]);
    });

    it(
      'a changed primary key is a DELETE of the old and an INSERT of the new',
      covers('Keys: that changes'),
      async () => {
        await existingArticle();
        const em = orm.em.fork();
        const article = await em.findOneOrFail(Article, 1, { populate: ['tags'] });
        article.tags.add(em.create(Tag, { id: 1, name: 't' }));
        await em.flush();
        article.id = 5;
        await em.flush();
        expect(await articles()).toEqual([
          'Article#1 INSERT { name: a, category_id: null } [1, 3)',
          'Article#1 DELETE { name: a, category_id: null } [3, )',
          'Article#5 INSERT { name: a, category_id: null } [3, )',
        ]);
        expect(await links()).toEqual(['article_id 1 -> tag_id 1 [2, 3)', 'article_id 5 -> tag_id 1 [3, )']);
      },
    );

    it("a re-insert of a key deleted earlier is an INSERT that ends the DELETE version's span", async () => {
      await existingArticle();
      const em = orm.em.fork();
      em.remove(await em.findOneOrFail(Article, 1));
      await em.flush();
      em.create(Article, { id: 1, name: 'b' });
      await em.flush();
      expect(await articles()).toEqual([
        'Article#1 INSERT { name: a, category_id: null } [1, 2)',
        'Article#1 DELETE { name: a, category_id: null } [2, 3)',
        'Article#1 INSERT { name: b, category_id: null } [3, )',
      ]);
    });

    it('keeps what a released savepoint wrote and forgets what a rolled-back one wrote', async () => {
      await existingArticle();
      await orm.em.fork().transactional(async em => {
        await em.transactional(async inner => {
          (await inner.findOneOrFail(Article, 1)).name = 'b';
        });
        await em
          .transactional(async inner => {
            inner.create(Article, { id: 2, name: 'gone' });
            await inner.flush();
            throw new Error('back');
          })
          .catch(() => undefined);
        await em.transactional(async inner => {
          inner.create(Article, { id: 3, name: 'stays' });
        });
      });
      expect(await articles()).toEqual([
        'Article#1 INSERT { name: a, category_id: null } [1, 2)',
        'Article#1 UPDATE { name: b, category_id: null } [2, )',
        'Article#3 INSERT { name: stays, category_id: null } [2, )',
      ]);
      expect(await transactionsOf(orm)).toHaveLength(2);
    });
  });

  describe('links', () => {
    async function linked(): Promise<void> {
      const em = orm.em.fork();
      em.create(Article, { id: 1, name: 'a', tags: [em.create(Tag, { id: 1, name: 't' })] });
      em.create(Tag, { id: 2, name: 'u' });
      await em.flush();
    }

    it('an added link opens a span, a removed one closes it', async () => {
      await linked();
      const em = orm.em.fork();
      const article = await em.findOneOrFail(Article, 1, { populate: ['tags'] });
      article.tags.add(em.getReference(Tag, 2));
      await em.flush();
      article.tags.remove(em.getReference(Tag, 1));
      await em.flush();
      expect(await links()).toEqual(['article_id 1 -> tag_id 1 [1, 3)', 'article_id 1 -> tag_id 2 [2, )']);
      expect(await articles()).toHaveLength(1);
      expect(await transactionsOf(orm)).toEqual([
        'null: null (Article, Article.tags)',
        'null: null (Article.tags)',
        'null: null (Article.tags)',
      ]);
    });

    it.each([
      ['added and removed', [[2], []] as const],
      ['removed and re-added', [[], [1]] as const],
    ])('%s in one transaction is nothing', async (_, [first, second]) => {
      await linked();
      await orm.em.fork().transactional(async em => {
        const article = await em.findOneOrFail(Article, 1, { populate: ['tags'] });
        article.tags.set([...(first.length > 0 ? [1] : []), ...first].map(id => em.getReference(Tag, id)));
        await em.flush();
        article.tags.set([...(second.length > 0 ? second : [1])].map(id => em.getReference(Tag, id)));
      });
      expect(await links()).toEqual(['article_id 1 -> tag_id 1 [1, )']);
      expect(await transactionsOf(orm)).toHaveLength(1);
    });

    it('changes from the inverse side count', async () => {
      await linked();
      const em = orm.em.fork();
      const tag = await em.findOneOrFail(Tag, 2, { populate: ['articles'] });
      tag.articles.add(em.getReference(Article, 1));
      await em.flush();
      expect(await links()).toEqual(['article_id 1 -> tag_id 1 [1, )', 'article_id 1 -> tag_id 2 [2, )']);
    });

    it.each(['set', 'removeAll'] as const)('%s on a collection that was never loaded counts', async method => {
      await linked();
      const em = orm.em.fork();
      const article = await em.findOneOrFail(Article, 1);
      if (method === 'set') {
        article.tags.set([em.getReference(Tag, 2)]);
      } else {
        article.tags.removeAll();
      }
      await em.flush();
      expect(await links()).toEqual([
        'article_id 1 -> tag_id 1 [1, 2)',
        ...(method === 'set' ? ['article_id 1 -> tag_id 2 [2, )'] : []),
      ]);
    });

    it('a no-op add to a collection that was never loaded records nothing', async () => {
      await linked();
      const em = orm.em.fork();
      (await em.findOneOrFail(Article, 1)).tags.add(em.getReference(Tag, 1));
      await em.flush();
      expect(await links()).toEqual(['article_id 1 -> tag_id 1 [1, )']);
      expect(await transactionsOf(orm)).toHaveLength(1);
    });

    it.each([
      ['the owner', Article, 1],
      ['the target without history', Tag, 1],
    ] as const)('deleting %s closes its links, as the database does', async (_, entity, id) => {
      await linked();
      const em = orm.em.fork();
      em.remove(await em.findOneOrFail(entity as typeof Article, id));
      await em.flush();
      expect(await links()).toEqual(['article_id 1 -> tag_id 1 [1, 2)']);
    });
  });

  describe('what the database changes by itself', () => {
    async function grown(): Promise<void> {
      const em = orm.em.fork();
      const category = em.create(Category, { id: 1, name: 'c' });
      const article = em.create(Article, { id: 1, name: 'a', category, tags: [em.create(Tag, { id: 1, name: 't' })] });
      em.create(Comment, { id: 1, text: 'x', article });
      await em.flush();
    }

    it('ON DELETE SET NULL is an UPDATE of the child', async () => {
      await grown();
      const em = orm.em.fork();
      em.remove(await em.findOneOrFail(Category, 1));
      await em.flush();
      expect(await articles()).toEqual([
        'Article#1 INSERT { name: a, category_id: 1 } [1, 2)',
        'Article#1 UPDATE { name: a, category_id: null } [2, )',
      ]);
    });

    it('ON DELETE CASCADE is a DELETE of the child', async () => {
      await grown();
      const em = orm.em.fork();
      em.remove(await em.findOneOrFail(Article, 1));
      await em.flush();
      expect(await historyOf(orm, [Comment], ['article_tags_version'])).toEqual([
        'Comment#1 INSERT { text: x, article_id: 1, answers_id: null } [1, 2)',
        'article_id 1 -> tag_id 1 [1, 2)',
        'Comment#1 DELETE { text: x, article_id: 1, answers_id: null } [2, )',
      ]);
    });

    it('follows a row that the same flush moves to a deleted parent, and what hangs on it', async () => {
      const em = orm.em.fork();
      const [a] = [1, 2].map(id => em.create(Article, { id, name: 'a' }));
      const comment = em.create(Comment, { id: 1, text: 'x', article: a! });
      em.create(Comment, { id: 2, text: 'reply', article: a!, answers: comment });
      await em.flush();
      const inner = orm.em.fork();
      const moved = await inner.findOneOrFail(Comment, 1);
      const parent = await inner.findOneOrFail(Article, 2);
      moved.article = parent;
      inner.remove(parent);
      await inner.flush();
      expect(await inner.fork().count(Comment)).toBe(0);
      expect(await historyOf(orm, [Comment])).toEqual([
        'Comment#1 INSERT { text: x, article_id: 1, answers_id: null } [1, 2)',
        'Comment#2 INSERT { text: reply, article_id: 1, answers_id: 1 } [1, 2)',
        'Comment#1 DELETE { text: x, article_id: 1, answers_id: null } [2, )',
        'Comment#2 DELETE { text: reply, article_id: 1, answers_id: 1 } [2, )',
      ]);
    });

    it('records a replaced one-to-many collection that was never loaded', async () => {
      await grown();
      const em = orm.em.fork();
      (await em.findOneOrFail(Category, 1)).articles.removeAll();
      await em.flush();
      expect(await articles()).toEqual([
        'Article#1 INSERT { name: a, category_id: 1 } [1, 2)',
        'Article#1 UPDATE { name: a, category_id: null } [2, )',
      ]);
    });
  });

  describe('rows that are older than their history', () => {
    beforeEach(async () => {
      await orm.em.fork().insertMany(Category, [{ id: 1, name: 'c' }]);
      await orm.em.fork().insertMany(Article, [{ id: 1, name: 'a', category: 1 }]);
      await orm.em.fork().insertMany(Comment, [{ id: 1, text: 'x', article: 1 }]);
    });

    it('an update is an UPDATE without a previous version', async () => {
      const em = orm.em.fork();
      (await em.findOneOrFail(Article, 1)).name = 'b';
      await em.flush();
      expect(await articles()).toEqual(['Article#1 UPDATE { name: b, category_id: 1 } [1, )']);
      mirrorExcept(orm, [Category, Comment], 'nothing has changed these rows yet');
    });

    it('a delete carries the last state, also of the rows that it cascades to', async () => {
      const em = orm.em.fork();
      em.remove(em.getReference(Article, 1));
      await em.flush();
      expect(await historyOf(orm, [Article, Comment])).toEqual([
        'Article#1 DELETE { name: a, category_id: 1 } [1, )',
        'Comment#1 DELETE { text: x, article_id: 1, answers_id: null } [1, )',
      ]);
      mirrorExcept(orm, [Category], 'nothing has changed its row yet');
    });

    it('ON DELETE SET NULL is an UPDATE of the child', async () => {
      const em = orm.em.fork();
      em.remove(await em.findOneOrFail(Category, 1));
      await em.flush();
      expect(await articles()).toEqual(['Article#1 UPDATE { name: a, category_id: null } [1, )']);
      mirrorExcept(orm, [Comment], 'nothing has changed its row yet');
    });

    it('a deletion that is rolled back with its savepoint leaves no trace', async () => {
      await orm.em.fork().transactional(async em => {
        await em
          .transactional(async inner => {
            inner.remove(await inner.findOneOrFail(Article, 1));
            await inner.flush();
            throw new Error('back');
          })
          .catch(() => undefined);
        em.create(Article, { id: 2, name: 'b' });
      });
      expect(await historyOf(orm, [Article, Comment])).toEqual([
        'Article#2 INSERT { name: b, category_id: null } [1, )',
      ]);
      mirrorExcept(orm, [Category, Article, Comment], 'what was changed was rolled back');
    });
  });

  it('one transaction row for a transaction, over all its flushes, entities and links', async () => {
    await versioning.run({ actor: 'kim', reason: 'import' }, () =>
      orm.em.fork().transactional(async em => {
        const article = em.create(Article, { id: 1, name: 'a' });
        await em.flush();
        em.create(Category, { id: 1, name: 'c' });
        await em.flush();
        article.tags.add(em.create(Tag, { id: 1, name: 't' }));
      }),
    );
    expect(await transactionsOf(orm)).toEqual(['kim: import (Article, Article.tags, Category)']);
  });

  it('a failed flush leaves nothing behind for the next transaction of its manager', async () => {
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

  it('history that a savepoint wrote and rolled back is written anew over what was there before', async () => {
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

  it('an instance records as ever when another one with the same classes, without history, started later', async () => {
    const later = await createOrm(db, { entities: BLOG });
    const em = orm.em.fork();
    const tag = em.create(Tag, { id: 1, name: 'x' });
    const article = em.create(Article, { id: 1, name: 'a', tags: [tag] });
    await em.flush();
    article.tags.removeAll();
    await em.flush();
    const other = later.em.fork();
    other.create(Article, { id: 7, name: 'plain', tags: [other.create(Tag, { id: 7, name: 'y' })] });
    await other.flush();
    expect(await links()).toEqual(['article_id 1 -> tag_id 1 [1, 2)']);
    expect(await articles()).toHaveLength(1);
  });
});
