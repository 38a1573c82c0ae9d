import { LockMode, wrap } from '@mikro-orm/core';
import { Versioning } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { Article, BLOG, Tag } from './support/blog.ts';
import { connectOrm, createOrm, describeEachDatabase } from './support/databases.ts';
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

  it('without locks of their own lose no version either', async context => {
    context.skip(db.name === 'sqlite', 'SQLite has a single writer');
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

  it('of links of one owner keep every span', async context => {
    context.skip(db.name === 'sqlite', 'SQLite has a single writer');
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
});
