import { raw } from '@mikro-orm/core';
import { asOf, ErrorCode, Versioning, VersioningError, versionOf, VersionTransaction } from 'mikro-orm-versioning';
import { beforeEach, describe, expect, it } from 'vitest';

import { Article, BLOG, Category, Comment, Tag } from './support/blog.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';
import { statementsOf } from './support/statements.ts';

describeEachDatabase('the past', db => {
  let orm: Orm;
  let ids: number[];

  /** Four transactions; tags have no history. */
  beforeEach(async () => {
    orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
    const em = orm.em.fork();
    const news = em.create(Category, { id: 1, name: 'News' });
    const [x, y] = [em.create(Tag, { id: 1, name: 'x' }), em.create(Tag, { id: 2, name: 'y' })];
    const first = em.create(Article, { id: 1, name: 'first', category: news, tags: [x], views: 5 });
    em.create(Comment, { id: 1, text: 'hi', article: first } as never);
    await em.flush();
    const old = em.create(Category, { id: 2, name: 'Old' });
    first.category = old;
    first.name = 'First';
    first.tags.set([x, y]);
    em.create(Article, { id: 2, name: 'second', category: news });
    await em.flush();
    news.name = 'Latest';
    await em.flush();
    em.remove(first);
    await em.flush();
    ids = (await orm.em.fork().find(VersionTransaction, {}, { orderBy: { id: 'asc' } })).map(({ id }) => id);
  });

  const at = (number: number) => asOf(orm.em.fork(), ids[number - 1]!);

  it('has the rows of then, as the user’s own entities', async () => {
    const names = async (number: number) =>
      (await at(number).find(Article, {}, { orderBy: { id: 'asc' } })).map(each => each.name);
    expect(await Promise.all([1, 2, 3, 4].map(names))).toEqual([
      ['first'],
      ['First', 'second'],
      ['First', 'second'],
      ['second'],
    ]);
    const article = await at(1).findOneOrFail(Article, 1);
    expect(article).toBeInstanceOf(Article);
    expect(article).not.toHaveProperty('views', 5);
  });

  it.each(['select-in', 'joined', 'balanced'] as const)(
    'has the whole graph of that one moment, %s',
    async strategy => {
      const read = async (number: number) => {
        const [article] = await at(number).find(Article, 1, {
          populate: ['category.articles', 'tags', 'comments'],
          strategy,
        });
        return (
          article && [
            article.category?.name,
            article.category?.articles.map(each => each.name),
            article.tags.map(tag => tag.name).toSorted(),
            article.comments.map(comment => comment.text),
          ]
        );
      };
      expect(await Promise.all([1, 2, 3, 4].map(read))).toEqual([
        ['News', ['first'], ['x'], ['hi']],
        ['Old', ['First'], ['x', 'y'], ['hi']],
        ['Old', ['First'], ['x', 'y'], ['hi']],
        undefined,
      ]);
    },
  );

  it('answers conditions over relations, counts, pages, cursors, streams and query builders', async () => {
    expect(await at(2).count(Article, { category: { name: 'News' } })).toBe(1);
    expect(await at(3).count(Article, { category: { name: 'News' } })).toBe(0);
    expect(await at(2).count(Article, { tags: { name: 'y' } })).toBe(1);
    expect(await at(1).count(Article, { tags: { name: 'y' } })).toBe(0);
    const [page, total] = await at(2).findAndCount(Article, {}, { limit: 1, offset: 1, orderBy: { id: 'asc' } });
    expect([page.map(each => each.name), total]).toEqual([['second'], 2]);
    const cursor = await at(2).findByCursor(Article, { first: 1, orderBy: { id: 'asc' } });
    expect([cursor.totalCount, cursor.items.map(each => each.name)]).toEqual([2, ['First']]);
    const streamed: string[] = [];
    for await (const article of at(2).stream(Article, { orderBy: { id: 'desc' } })) {
      streamed.push(article.name);
    }
    expect(streamed).toEqual(['second', 'First']);
    const past = at(2);
    const builder = past
      .createQueryBuilder(Article, 'a')
      .select(['a.name', raw('count(*) over () as total')])
      .leftJoin('a.category', 'c')
      .where({ 'c.name': { $in: ['Old', 'News'] } } as never)
      .orderBy({ 'a.id': 'asc' } as never);
    expect(await builder.execute('all')).toMatchObject([{ name: 'First' }, { name: 'second' }]);
    const subquery = past.createQueryBuilder(Category, 'c').select('c.id').where({ name: 'Old' });
    expect(await past.count(Article, { category: { $in: subquery.getNativeQuery() } } as never)).toBe(1);
  });

  it('answers SQL, with expressions of its own', async () => {
    const past = at(2);
    expect(await past.execute('select name from article where id = ?', [1])).toEqual([{ name: 'First' }]);
    expect(
      await past.execute(
        "with named as (select name from article where name <> 'article') select count(*) as n from named",
      ),
    ).toEqual([{ n: expect.anything() }]);
    expect(await past.execute(raw('select count(*) as n from article_tags'))).toMatchObject([{}]);
    expect(await past.execute('select name from tag order by id')).toEqual([{ name: 'x' }, { name: 'y' }]);
  });

  it('initializes later what it loaded, as of the same moment', async () => {
    const past = at(1);
    const article = await past.findOneOrFail(Article, 1);
    expect(article.category).toMatchObject({ id: 1 });
    await past.populate(article, ['category']);
    expect(article.category!.name).toBe('News');
    await article.tags.init();
    expect(article.tags.map(tag => tag.name)).toEqual(['x']);
    expect(await article.comments.loadCount()).toBe(1);
    await past.refresh(article);
    expect(article.name).toBe('first');
    expect((await past.fork().findOneOrFail(Article, 1)).name).toBe('first');
  });

  it('never mixes moments, nor with the present', async () => {
    const live = orm.em.fork();
    const managers = [at(1), at(2), at(3), live, at(4)];
    const read = async (em: typeof live) => {
      const articles = await em.find(Article, {}, { populate: ['category'], orderBy: { id: 'asc' } });
      return articles.map(each => `${each.name} in ${each.category!.name}`);
    };
    expect(await Promise.all([...managers, ...managers].map(read))).toEqual(
      [1, 2].flatMap(() => [
        ['first in News'],
        ['First in Old', 'second in News'],
        ['First in Old', 'second in Latest'],
        ['second in Latest'],
        ['second in Latest'],
      ]),
    );
  });

  it('takes moments of every kind', async () => {
    const em = orm.em.fork();
    const transactions = await em.find(VersionTransaction, {}, { orderBy: { id: 'asc' } });
    const [version] = await em.find(versionOf(Article), { id: 1 }, { orderBy: { versionId: 'asc' } });
    const name = async (moment: Parameters<typeof asOf>[1]) => (await asOf(em, moment).findOne(Article, 1))?.name;
    expect(await name(transactions[1]!)).toBe('First');
    expect(await name(version!)).toBe('first');
    expect(await name(transactions[1]!.issuedAt)).toBe('First');
    expect(await name(new Date(0))).toBeUndefined();
    expect(await name(new Date(Date.now() + 1e6))).toBeUndefined();
    expect(await asOf(em, 'latest').count(Article)).toBe(1);
    expect(await asOf(em, new Date(0)).count(Article)).toBe(0);
    await expect(name(999)).rejects.toBeInstanceOf(VersioningError);
    await expect(name(999)).rejects.toMatchObject({
      code: ErrorCode.NO_SUCH_TRANSACTION,
      message: 'There is no transaction 999. Give one that exists, or a Date.',
    });
    expect(() => asOf(em, 'yesterday' as never)).toThrow(
      "yesterday is no moment. Give a VersionTransaction or its id, a version, a Date, or 'latest'.",
    );
  });

  it('looks up its moment once, and not at all where that was loaded', async () => {
    const em = orm.em.fork();
    const transaction = await em.findOneOrFail(VersionTransaction, ids[0]!);
    const [version] = await em.find(versionOf(Article), { id: 1 });
    const lookUps = async (moment: Parameters<typeof asOf>[1]) => {
      const past = asOf(em, moment);
      const fork = past.fork();
      const statements = await statementsOf(orm, async () => {
        await past.count(Article);
        await fork.count(Article);
      });
      return statements.length - 2;
    };
    expect(await lookUps(transaction)).toBe(0);
    expect(await lookUps(version!)).toBe(0);
    expect(await lookUps(ids[0]!)).toBe(1);
    expect(await lookUps(orm.em.fork().getReference(VersionTransaction, ids[0]!))).toBe(1);
    expect(await lookUps('latest')).toBe(1);
    expect(await lookUps(transaction.issuedAt)).toBe(1);
  });

  it('holds one latest moment', async () => {
    const past = asOf(orm.em.fork(), 'latest');
    expect(await past.count(Article)).toBe(1);
    const em = orm.em.fork();
    em.create(Article, { id: 3, name: 'third' });
    await em.flush();
    expect(await past.count(Article)).toBe(1);
    expect(await asOf(em, 'latest').count(Article)).toBe(2);
  });

  it('reads in the open transaction of its manager', async () => {
    await orm.em.fork().transactional(async em => {
      expect(await asOf(em, ids[0]!).count(Article)).toBe(1);
      const past = asOf(em, 'latest');
      expect((await past.find(Article, {})).map(each => each.name)).toEqual(['second']);
    });
    const past = at(2);
    await past.transactional(async em => {
      expect(await em.count(Article)).toBe(2);
    });
  });

  it('keeps its cached results apart', async () => {
    const cache = ['articles', 60_000] as [string, number];
    const options = { cache, orderBy: { id: 'asc' } } as const;
    expect((await orm.em.fork().find(Article, {}, options)).map(each => each.name)).toEqual(['second']);
    expect((await at(1).find(Article, {}, options)).map(each => each.name)).toEqual(['first']);
    expect((await at(2).find(Article, {}, options)).map(each => each.name)).toEqual(['First', 'second']);
    expect((await at(1).find(Article, {}, options)).map(each => each.name)).toEqual(['first']);
    expect((await orm.em.fork().find(Article, {}, { cache: 60_000 })).map(each => each.name)).toEqual(['second']);
    expect((await at(1).find(Article, {}, { cache: 60_000 })).map(each => each.name)).toEqual(['first']);
  });

  describe('is read-only', () => {
    const refused = { code: ErrorCode.READ_ONLY };

    it('for the unit of work', async () => {
      const past = at(2);
      const article = await past.findOneOrFail(Article, 1, { populate: ['tags'] });
      await past.flush();
      article.name = 'changed';
      await expect(past.flush()).rejects.toMatchObject({
        ...refused,
        message:
          "Article, which was changed, can't be written through a manager of the past; nothing was written. Change the live entity through the manager that asOf() was given, or bring a state back with revert().",
      });
      const other = at(2);
      other.create(Article, { id: 9, name: 'new' });
      await expect(other.flush()).rejects.toMatchObject(refused);
      const third = at(2);
      third.remove(await third.findOneOrFail(Article, 2));
      await expect(third.flush()).rejects.toMatchObject(refused);
      const fourth = at(2);
      (await fourth.findOneOrFail(Article, 1, { populate: ['tags'] })).tags.removeAll();
      await expect(fourth.flush()).rejects.toMatchObject(refused);
      const fifth = at(2);
      (await fifth.findOneOrFail(Tag, 1)).name = 'live too';
      await expect(fifth.flush()).rejects.toMatchObject(refused);
    });

    it('for native writes, query builders and SQL', async () => {
      const past = at(2);
      const writes = [
        () => past.nativeUpdate(Article, { id: 1 }, { name: 'x' }),
        () => past.nativeDelete(Article, { id: 2 }),
        () => past.insert(Tag, { id: 9, name: 'x' }),
        () => past.insertMany(Tag, [{ id: 9, name: 'x' }]),
        () => past.upsert(Tag, { id: 1, name: 'x' }),
        () => past.createQueryBuilder(Article).update({ name: 'x' }).where({ id: 2 }).execute(),
        () => past.createQueryBuilder(Article).delete({ id: 2 }).execute(),
        () => past.createQueryBuilder(Tag).insert({ id: 9, name: 'x' }).execute(),
        () => past.execute("update article set name = 'x'"),
        () => past.execute('delete from article'),
        () => past.execute("/* select */ insert into tag values (9, 'x')"),
        () => past.execute('with gone as (delete from article returning id) select id from gone'),
        () => past.execute('select 1; delete from article'),
        () => past.execute('select * into other from article'),
        () => past.execute('drop table article'),
        () => past.execute('select * from article for update'),
      ];
      for (const write of writes) {
        await expect(write()).rejects.toMatchObject(refused);
      }
      expect(await orm.em.fork().count(Article)).toBe(1);
    });

    it('for what could not be rewritten', () => {
      expect(() => at(2).getKysely()).toThrow(expect.objectContaining({ code: ErrorCode.UNSUPPORTED }));
      expect(() => at(2).getConnection().getClient()).toThrow(expect.objectContaining({ code: ErrorCode.UNSUPPORTED }));
    });
  });

  it('does not know excluded properties', async () => {
    const past = at(2);
    const [article] = await past.find(Article, 1, { populate: ['category.articles'], strategy: 'joined' });
    expect(article!.views).toBeUndefined();
    const builder = past.createQueryBuilder(Category, 'c').leftJoinAndSelect('c.articles', 'a').where({ id: 1 });
    expect((await builder.getResult()).map(each => each.articles.map(({ name }) => name))).toEqual([['second']]);
    const error = await past.find(Article, { views: 5 }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(VersioningError);
    await expect(past.find(Article, { views: 5 })).rejects.toMatchObject({
      code: ErrorCode.NOT_IN_THE_PAST,
      message:
        "Article.views has no history, so the past can't be asked for it. Leave it out of the query, or out of exclude.",
    });
  });

  it('is refused where there is no history', async () => {
    const plain = await createOrm(db, { entities: [Tag, Article, Category, Comment] });
    expect(() => asOf(plain.em, 1)).toThrow(expect.objectContaining({ code: ErrorCode.NOT_VERSIONED }));
  });
});
