import { ChangeSetType, type EventSubscriber, type FlushEventArgs } from '@mikro-orm/core';
import { Versioning } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { Article, BLOG, Category, Comment, Tag } from './support/blog.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';
import { historyOf, transactionsOf } from './support/history.ts';

/** Keeps deleted articles: turns their deletion into a rename. */
class SoftDelete implements EventSubscriber {
  onFlush({ uow }: FlushEventArgs): void {
    for (const changeSet of uow.getChangeSets()) {
      if (changeSet.type === ChangeSetType.DELETE && changeSet.entity instanceof Article) {
        changeSet.type = ChangeSetType.UPDATE;
        changeSet.entity.name = 'deleted';
        uow.computeChangeSet(changeSet.entity);
      }
    }
  }
}

/** Removes a comment along with every article that is renamed. */
class RemoveComment implements EventSubscriber {
  onFlush({ em, uow }: FlushEventArgs): void {
    if (uow.getChangeSets().some(({ entity, type }) => entity instanceof Article && type === ChangeSetType.UPDATE)) {
      uow.computeChangeSet(em.getReference(Comment, 1), ChangeSetType.DELETE);
    }
  }
}

describeEachDatabase("other subscribers' changes", db => {
  async function start(register: 'in the configuration' | 'later', subscriber: EventSubscriber): Promise<Orm> {
    const orm = await createOrm(db, {
      entities: BLOG,
      extensions: [Versioning],
      subscribers: register === 'in the configuration' ? [subscriber] : [],
    });
    const em = orm.em.fork();
    const article = em.create(Article, { id: 1, name: 'a' });
    em.create(Comment, { id: 1, text: 'x', article });
    await em.flush();
    if (register === 'later') {
      orm.em.getEventManager().registerSubscriber(subscriber);
    }
    return orm;
  }

  const REGISTERED = ['in the configuration', 'later'] as const;
  const MODES = ['an implicit flush', 'a transaction'] as const;
  const CASES = REGISTERED.flatMap(registered => MODES.map(mode => [registered, mode] as const));

  async function act(orm: Orm, mode: (typeof MODES)[number], change: (em: Orm['em']) => Promise<void>): Promise<void> {
    const em = orm.em.fork();
    if (mode === 'a transaction') {
      await em.transactional(inner => change(inner as Orm['em']));
    } else {
      await change(em as Orm['em']);
      await em.flush();
    }
  }

  it.each(CASES)('count when the subscriber was registered %s: an added deletion, in %s', async (registered, mode) => {
    const orm = await start(registered, new RemoveComment());
    await act(orm, mode, async em => {
      (await em.findOneOrFail(Article, 1)).name = 'b';
    });
    expect(await historyOf(orm, [Article, Comment])).toEqual([
      'Article#1 INSERT { name: a, category_id: null } [1, 2)',
      'Comment#1 INSERT { text: x, article_id: 1, answers_id: null } [1, 2)',
      'Article#1 UPDATE { name: b, category_id: null } [2, )',
      'Comment#1 DELETE { text: x, article_id: 1, answers_id: null } [2, )',
    ]);
  });

  it.each(CASES)('count when the subscriber was registered %s: a soft deletion, in %s', async (registered, mode) => {
    const orm = await start(registered, new SoftDelete());
    await act(orm, mode, async em => {
      em.remove(await em.findOneOrFail(Article, 1));
    });
    expect(await historyOf(orm, [Article])).toEqual([
      'Article#1 INSERT { name: a, category_id: null } [1, 2)',
      'Article#1 UPDATE { name: deleted, category_id: null } [2, )',
    ]);
  });

  it('a flush from beforeTransactionCommit still belongs to the transaction', async () => {
    const orm = await start('later', {
      async beforeTransactionCommit({ em }) {
        const fork = em.fork({ keepTransactionContext: true });
        if ((await fork.count(Article, { id: 2 })) === 0) {
          fork.create(Article, { id: 2, name: 'late' });
          await fork.flush();
        }
      },
    });
    const em = orm.em.fork();
    (await em.findOneOrFail(Article, 1)).name = 'b';
    await em.flush();
    expect(await historyOf(orm, [Article])).toEqual([
      'Article#1 INSERT { name: a, category_id: null } [1, 2)',
      'Article#1 UPDATE { name: b, category_id: null } [2, )',
      'Article#2 INSERT { name: late, category_id: null } [2, )',
    ]);
    expect(await transactionsOf(orm)).toHaveLength(2);
  });

  it.each(['a flush of nothing versioned', 'a flush whose net effect is nothing'])(
    'a late subscriber that writes in beforeTransactionCommit is recorded after %s',
    async what => {
      const orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
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

  it('history that is written anew opens the links again that it had closed', async () => {
    const orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
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
    expect(await historyOf(orm, [Category], ['article_tags_version'])).toEqual([
      'article_id 1 -> tag_id 1 [1, 2)',
      'Category#77 INSERT { name: outbox } [2, )',
    ]);
  });
});
