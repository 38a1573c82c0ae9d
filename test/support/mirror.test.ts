import { Versioning } from 'mikro-orm-versioning';
import { beforeAll, describe, expect, it } from 'vitest';

import { Article, BLOG, Category, Tag } from './blog.ts';
import { createOrm, describeEachDatabase, disconnectOrm, type Orm } from './databases.ts';
import { expectMirror, findBroken, mirrorExcept } from './mirror.ts';

/** A statement that breaks a history by hand, and the rules that tell, by table. */
const BREAKS: readonly (readonly [string, string, Readonly<Record<string, readonly string[]>>])[] = [
  [
    'a live row that changed unseen',
    `update article set name = 'x' where id = 2`,
    { Article: ['a live row is its open version', 'an open version is its live row'] },
  ],
  [
    'a version that was altered',
    `update article_version set category_id = 5 where id = 2`,
    { Article: ['a live row is its open version', 'an open version is its live row'] },
  ],
  [
    'a row without a version',
    `insert into article (id, name, views) values (3, 'c', 0)`,
    { Article: ['a live row is its open version'] },
  ],
  [
    'a row that went unseen, and its link',
    `delete from article where id = 2`,
    { Article: ['an open version is its live row'], 'Article.tags': ['an open version is its live row'] },
  ],
  [
    'a link without a span',
    `insert into article_tags (article_id, tag_id) values (1, 1)`,
    { 'Article.tags': ['a live row is its open version'] },
  ],
  ['a link that went unseen', `delete from article_tags`, { 'Article.tags': ['an open version is its live row'] }],
  [
    'an image that was left behind',
    `insert into article_version (id, name, transaction_id, end_transaction_id, operation_type) values (2, 'b', 0, 0, 1)`,
    {
      Article: [
        'a span begins before it ends',
        'a span begins at a transaction',
        'a span ends at a transaction',
        'spans have no gap',
        'a transaction names what it changed',
      ],
    },
  ],
  [
    'a span of no length',
    `update article_version set end_transaction_id = transaction_id where transaction_id = 2`,
    { Article: ['a span begins before it ends', 'spans have no gap'] },
  ],
  [
    'spans that overlap',
    `update article_version set end_transaction_id = 3 where id = 1 and transaction_id = 1`,
    { Article: ['spans do not overlap', 'a DELETE carries the last state'] },
  ],
  [
    'a version that exists twice',
    `insert into article_version (id, name, transaction_id, end_transaction_id, operation_type)
       select id, name, transaction_id, end_transaction_id, operation_type from article_version where id = 2`,
    { Article: ['spans do not overlap'] },
  ],
  [
    'a span that begins late',
    `update article_version set transaction_id = 4 where id = 1 and transaction_id = 3`,
    { Article: ['spans have no gap', 'a transaction names what it changed'] },
  ],
  [
    'a last span that is closed',
    `update article_version set end_transaction_id = 4 where id = 2`,
    { Article: ['a live row is its open version', 'the last span is open', 'a transaction names what it changed'] },
  ],
  [
    'a transaction that is missing',
    `delete from version_transaction where id = 2`,
    {
      Article: [
        'a span begins at a transaction',
        'a span ends at a transaction',
        'a transaction names what it changed',
      ],
      'Article.tags': ['a span ends at a transaction', 'a transaction names what it changed'],
    },
  ],
  [
    'an operation that there is not',
    `update article_version set operation_type = 7 where id = 2`,
    { Article: ['an operation is an INSERT, UPDATE or DELETE'] },
  ],
  [
    'an INSERT of what was there',
    `update article_version set operation_type = 0 where transaction_id = 2`,
    { Article: ['an INSERT follows a DELETE, and nothing else does'] },
  ],
  [
    'an UPDATE of what was gone',
    `update article_version set operation_type = 1 where transaction_id = 5`,
    { Article: ['an INSERT follows a DELETE, and nothing else does'] },
  ],
  [
    'an UPDATE of nothing',
    `update article_version set name = 'a' where transaction_id in (2, 3)`,
    { Article: ['an UPDATE changes something'] },
  ],
  [
    'a DELETE with another state',
    `update article_version set name = 'x' where transaction_id = 3`,
    { Article: ['a DELETE carries the last state'] },
  ],
  [
    'a link that was closed and opened again at once',
    `update article_tags_version set end_transaction_id = 4 where article_id = 2 and transaction_id = 1`,
    { 'Article.tags': ['a span differs from the one that it follows', 'a transaction changed what it names'] },
  ],
  [
    'a link span that is missing',
    `delete from article_tags_version where transaction_id = 4`,
    { 'Article.tags': ['a live row is its open version', 'a transaction changed what it names'] },
  ],
  [
    'a transaction that names too little',
    `update version_transaction set changed = '["Article"]' where id = 2`,
    { 'Article.tags': ['a transaction names what it changed'] },
  ],
  [
    'a transaction that names too much',
    `update version_transaction set changed = '["Article", "Category"]' where id = 5`,
    { Category: ['a transaction changed what it names'] },
  ],
  [
    'a transaction that changed nothing',
    `insert into version_transaction (issued_at, changed) select issued_at, '[]' from version_transaction where id = 1`,
    { VersionTransaction: ['a transaction changed something'] },
  ],
  [
    'a column that is missing',
    `alter table article_version drop column name`,
    { Article: ['both tables have every versioned column'] },
  ],
];

describeEachDatabase('the mirror', db => {
  const start = () => createOrm(db, { entities: BLOG, extensions: [Versioning] });

  /** Article 1: inserted, renamed, deleted, inserted again. Article 2: linked to tag 1, unlinked, linked again. */
  async function write(orm: Orm): Promise<void> {
    const em = orm.em.fork();
    const tag = em.create(Tag, { id: 1, name: 't' });
    const article = em.create(Article, { id: 1, name: 'a', tags: [tag] });
    const other = em.create(Article, { id: 2, name: 'b', tags: [tag] });
    await em.flush();
    article.name = 'A';
    other.tags.removeAll();
    await em.flush();
    em.remove(article);
    await em.flush();
    other.tags.add(tag);
    await em.flush();
    em.create(Article, { id: 1, name: 'a' });
    await em.flush();
  }

  describe('of a whole history', () => {
    let orm: Orm;

    beforeAll(async () => {
      orm = await start();
      await write(orm);
    });

    it.each(BREAKS)('shows %s', async (_, sql, rules) => {
      const em = orm.em.fork();
      await em.begin();
      await em.execute(sql);
      const found = Map.groupBy(await findBroken(orm, em), ({ table }) => table);
      await em.rollback();
      expect(Object.fromEntries([...found].map(([table, broken]) => [table, broken.map(({ rule }) => rule)]))).toEqual(
        rules,
      );
      await expectMirror(orm);
    });
  });

  it('shows the rows that break a rule', async () => {
    const orm = await start();
    await write(orm);
    await orm.em.fork().execute('update article_version set operation_type = 7 where id = 2');
    expect(await findBroken(orm)).toMatchObject([{ table: 'Article', rows: [{ id: 2, operation_type: 7 }] }]);
    await expect(expectMirror(orm)).rejects.toThrow(/deeply equal/);
    mirrorExcept(orm, [Article], 'broken by hand');
  });

  it('does not look at what is excluded', async () => {
    const orm = await start();
    await write(orm);
    await orm.em.fork().execute('update article set views = 9');
    expect(await findBroken(orm)).toEqual([]);
  });

  it.fails('fails the very test that leaves a broken history', async () => {
    const orm = await start();
    await orm.em.fork().insert(Article, { id: 1, name: 'unseen' });
    expect(await findBroken(orm)).toHaveLength(1);
  });

  it.fails('fails a test that excepts a table in vain', async () => {
    const orm = await start();
    mirrorExcept(orm, [Article], 'of no reason at all');
    expect(await findBroken(orm)).toEqual([]);
  });

  it.fails('fails a test that excepts what has no history', async () => {
    const orm = await start();
    mirrorExcept(orm, [Tag], 'there is nothing to compare');
    expect(await findBroken(orm)).toEqual([]);
  });

  it('can not be looked into while a transaction is open', async () => {
    const orm = await start();
    const em = orm.em.fork();
    await em.begin();
    await expect(db.mirrors.expect(orm)).rejects.toThrow(/left a transaction open/);
    await em.rollback();
  });

  it('can not be looked into when the ORM was closed', async () => {
    const orm = await start();
    await orm.close(true);
    await expect(db.mirrors.expect(orm)).rejects.toThrow(/closed its ORM/);
    db.mirrors.delete(orm);
  });

  it('is looked into when an ORM is disconnected', async () => {
    const orm = await start();
    await orm.em.fork().insert(Category, { id: 1, name: 'unseen' });
    await expect(disconnectOrm(db, orm)).rejects.toThrow(/deeply equal/);
    mirrorExcept(orm, [Category], 'its row was written natively');
  });

  describe('of an ORM that several tests share', () => {
    let orm: Orm;

    beforeAll(async () => {
      orm = await start();
    });

    it('is whole after a test that keeps it', async () => {
      await write(orm);
      expect(await findBroken(orm)).toEqual([]);
    });

    it.fails.each(['first', 'second'])('fails the %s test after which it is broken', async () => {
      await orm.em.fork().execute('delete from version_transaction where id = 1');
      expect(await findBroken(orm)).not.toEqual([]);
    });
  });
});
