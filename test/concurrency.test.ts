import { setTimeout as sleep } from 'node:timers/promises';

import { IsolationLevel, LockMode, wrap } from '@mikro-orm/core';
import { Operation, Versioning, versionOf } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { Article, BLOG, Category, Comment, Tag } from './support/blog.ts';
import { connectOrm, createOrm, describeDatabase, describeEachDatabase } from './support/databases.ts';
import { historyOf, transactionsOf } from './support/history.ts';

describeEachDatabase('concurrent writers', db => {
  it('of one row leave spans without gaps or overlaps, in the order of their commits', async () => {
    const orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
    const em = orm.em.fork();
    em.create(Article, { id: 1, name: '0' });
    await em.flush();
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        for (let i = 0; i < 5; i++) {
          await orm.em.fork().transactional(async inner => {
            const article = await inner.findOneOrFail(Article, 1, { lockMode: LockMode.PESSIMISTIC_WRITE });
            article.name = String(Number(article.name) + 1);
          });
        }
      }),
    );
    expect(await historyOf(orm, [Article])).toEqual(
      Array.from(
        { length: 61 },
        (_, i) =>
          `Article#1 ${i === 0 ? 'INSERT' : 'UPDATE'} { name: ${i}, category_id: null } [${i + 1}, ${i === 60 ? '' : i + 2})`,
      ),
    );
  });

  it('two processes on one database share its history', async () => {
    const connection = await db.options({ shared: true });
    const first = await connectOrm(db, connection, { entities: BLOG, extensions: [Versioning] });
    const second = await connectOrm(db, connection, { entities: BLOG, extensions: [Versioning] });
    await first.schema.create();
    const em = first.em.fork();
    em.create(Article, { id: 1, name: 'a' });
    await em.flush();
    const other = second.em.fork();
    (await other.findOneOrFail(Article, 1)).name = 'b';
    await other.flush();
    expect(await historyOf(first, [Article])).toEqual([
      'Article#1 INSERT { name: a, category_id: null } [1, 2)',
      'Article#1 UPDATE { name: b, category_id: null } [2, )',
    ]);
  });

  it('two instances with the same classes each keep the links of new entities', async () => {
    const orms = [
      await createOrm(db, { entities: BLOG, extensions: [Versioning] }),
      // the classes know its metadata from here on
      await createOrm(db, { entities: BLOG, extensions: [Versioning.with({ tableSuffix: '_history' })] }),
    ];
    const spans: object[][] = [];
    for (const [i, orm] of orms.entries()) {
      const em = orm.em.fork();
      const article = em.create(Article, { id: 1, name: 'a' });
      article.tags.add(em.create(Tag, { id: 1, name: 't' }));
      await em.flush();
      spans.push(await em.execute(`select article_id, tag_id from article_tags${['_version', '_history'][i]}`));
    }
    expect(spans).toEqual([[{ article_id: 1, tag_id: 1 }], [{ article_id: 1, tag_id: 1 }]]);
  });
});

// SQLite has a single writer.
describeDatabase('postgresql', 'writers at the same time', db => {
  const start = () => createOrm(db, { entities: BLOG, extensions: [Versioning] });

  it('without locks of their own lose no version either', async () => {
    const orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
    const em = orm.em.fork();
    em.create(Article, { id: 1, name: 'start' });
    await em.flush();
    const writers = Array.from({ length: 10 }, (_, writer) =>
      orm.em
        .fork()
        .findOneOrFail(Article, 1)
        .then(article => ({ article, writer })),
    );
    await Promise.all(
      (await Promise.all(writers)).map(async ({ article, writer }) => {
        article.name = `writer ${writer}`;
        await wrap(article, true).__em!.flush();
      }),
    );
    const history = await historyOf(orm, [Article]);
    expect(history).toHaveLength(11);
    history.forEach((line, i) => expect(line).toContain(`[${i + 1}, ${i === 10 ? '' : i + 2})`));
    const live = await orm.em.fork().findOneOrFail(Article, 1);
    expect(history.at(-1)).toContain(`name: ${live.name},`);
  });

  it('of links of one owner keep every span', async () => {
    const orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
    const em = orm.em.fork();
    em.create(Article, { id: 1, name: 'a' });
    for (let id = 1; id <= 10; id++) {
      em.create(Tag, { id, name: `t${id}` });
    }
    await em.flush();
    await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const inner = orm.em.fork();
        (await inner.findOneOrFail(Article, 1)).tags.add(inner.getReference(Tag, i + 1));
        await inner.flush();
      }),
    );
    const links = await historyOf(orm, [], ['article_tags_version']);
    expect(links).toHaveLength(10);
    expect(await transactionsOf(orm)).toHaveLength(11);
  });

  it.for(['cascade', 'set null'])('a deletion that waits for a concurrent child records its %s', async rule => {
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
    expect(await historyOf(orm, [rule === 'cascade' ? Comment : Article])).toContain(
      rule === 'cascade'
        ? 'Comment#1 DELETE { text: x, article_id: 1, answers_id: null } [3, )'
        : 'Article#1 UPDATE { name: a, category_id: null } [3, )',
    );
  });

  it('a row that another transaction deleted and this one inserts again, in an older snapshot, is a conflict', async () => {
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
    expect(await historyOf(orm, [Article])).toEqual([
      'Article#1 INSERT { name: a, category_id: null } [1, 2)',
      'Article#1 DELETE { name: a, category_id: null } [2, )',
    ]);
  });

  it('deletions of the same rows in different orders do not lock each other out', async () => {
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
    expect(await orm.em.fork().count(versionOf(Article), { operationType: Operation.DELETE })).toBe(800);
  });
});
