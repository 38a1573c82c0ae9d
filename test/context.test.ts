import { setTimeout as sleep } from 'node:timers/promises';

import { Versioning, versioning, VersionTransaction } from 'mikro-orm-versioning';
import { beforeEach, expect, it } from 'vitest';

import { Article, BLOG } from './support/blog.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';
import { transactionsOf } from './support/history.ts';

describeEachDatabase('who and why', db => {
  let orm: Orm;

  beforeEach(async () => {
    orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
  });

  async function write(id: number, em = orm.em.fork()): Promise<void> {
    em.create(Article, { id, name: `a${id}` });
    await em.flush();
  }

  it('stores null for what is not given', async () => {
    await write(1);
    expect(await orm.em.fork().findOneOrFail(VersionTransaction, { changed: { $ne: null } })).toMatchObject({
      actor: null,
      reason: null,
      meta: null,
      changed: ['Article'],
    });
  });

  it('stores actor, reason and meta of versioning.run, and when the history was written', async () => {
    const before = Date.now();
    await versioning.run({ actor: 'kim', reason: 'import', meta: { ip: '::1', tags: [1] } }, () => write(1));
    const [transaction] = await orm.em.fork().find(VersionTransaction, { actor: 'kim' });
    expect(transaction).toMatchObject({ reason: 'import', meta: { ip: '::1', tags: [1] } });
    expect(transaction!.issuedAt).toBeInstanceOf(Date);
    expect(transaction!.issuedAt.getTime()).toBeGreaterThanOrEqual(before - 5);
    expect(transaction!.issuedAt.getTime()).toBeLessThanOrEqual(Date.now() + 5);
  });

  it('nested contexts merge, the inner one wins key by key', async () => {
    await versioning.run({ actor: 'outer', reason: 'why' }, async () => {
      await versioning.run({ actor: 'inner' }, () => write(1));
      await write(2);
    });
    expect(await transactionsOf(orm)).toEqual(['inner: why (Article)', 'outer: why (Article)']);
  });

  it('versioning.set holds for one manager and its forks, and wins over run', async () => {
    const em = orm.em.fork();
    versioning.set(em, { actor: 'manager' });
    await versioning.run({ actor: 'ambient', reason: 'r' }, async () => {
      await write(1, em);
      await em.transactional(inner => write(2, inner as never));
      await write(3, em.fork());
      await write(4);
    });
    expect(await transactionsOf(orm)).toEqual([
      'manager: r (Article)',
      'manager: r (Article)',
      'manager: r (Article)',
      'ambient: r (Article)',
    ]);
    expect(versioning.current(em)).toEqual({ actor: 'manager' });
  });

  it('the context callback of the configuration is asked at each flush and gives way to run', async () => {
    let actor = 'first';
    const configured = await createOrm(db, {
      entities: BLOG,
      extensions: [Versioning.with({ context: () => ({ actor, reason: 'configured' }) })],
    });
    await write(1, configured.em.fork());
    actor = 'second';
    await write(2, configured.em.fork());
    await versioning.run({ actor: 'run' }, () => write(3, configured.em.fork()));
    expect(await transactionsOf(configured)).toEqual([
      'first: configured (Article)',
      'second: configured (Article)',
      'run: configured (Article)',
    ]);
  });

  it('where flushes of one transaction differ, the last one given wins', async () => {
    await orm.em.fork().transactional(async em => {
      await versioning.run({ actor: 'one', reason: 'kept' }, () => write(1, em as never));
      await versioning.run({ actor: 'two' }, () => write(2, em as never));
    });
    expect(await transactionsOf(orm)).toEqual(['two: kept (Article)']);
  });

  it('concurrent flushes of different managers do not mix up actors', async () => {
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        versioning.run({ actor: `user ${i + 1}` }, async () => {
          await sleep(Math.random() * 5);
          await write(i + 1);
        }),
      ),
    );
    const rows = await orm.em
      .fork()
      .execute<{ id: number; actor: string }[]>(
        'select v.id, t.actor from article_version v join version_transaction t on t.id = v.transaction_id order by v.id',
      );
    expect(rows).toEqual(Array.from({ length: 20 }, (_, i) => ({ id: i + 1, actor: `user ${i + 1}` })));
  });

  it('concurrent flushes of one manager, which MikroORM queues, keep the actor of each', async () => {
    const em = orm.em.fork();
    const flush = (id: number) =>
      versioning.run({ actor: `user ${id}` }, async () => {
        em.create(Article, { id, name: 'a' });
        await em.flush();
      });
    const first = flush(1);
    // while the first flush is under way
    await new Promise(setImmediate);
    const second = flush(2);
    const third = flush(3);
    await Promise.all([first, second, third]);
    const [one, ...rest] = await transactionsOf(orm);
    expect(one).toBe('user 1: null (Article)');
    // one of the queued flushes may take the changes of both
    expect(rest.at(0)).toBe('user 2: null (Article)');
    expect(rest).not.toContain('user 1: null (Article)');
  });
});
