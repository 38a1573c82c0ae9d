import { asOf, diff, ErrorCode, Operation, Versioning, versionOf, VersionTransaction } from 'mikro-orm-versioning';
import { beforeEach, describe, expect, it } from 'vitest';

import { Article, BLOG, Category, Comment, Tag } from './support/blog.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';
import { ENTITIES, Cover, Image, Post, Comment as PostComment, Video } from './support/posts.ts';

describeEachDatabase('diff', db => {
  let orm: Orm;
  let ids: number[];

  beforeEach(async () => {
    orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
    const em = orm.em.fork();
    const [c, d] = [1, 2].map(id => em.create(Category, { id, name: `c${id}` }));
    const [x, y] = [1, 2].map(id => em.create(Tag, { id, name: `t${id}` }));
    const article = em.create(Article, { id: 1, name: 'a', category: c!, tags: [x!] });
    em.create(Comment, { id: 1, text: 'hi', article } as never);
    await em.flush(); // 1
    article.name = 'b';
    await em.flush(); // 2
    article.tags.set([x!, y!]);
    c!.name = 'renamed';
    await em.flush(); // 3
    article.category = d!;
    em.create(Comment, { id: 2, text: 'ho', article } as never);
    await em.flush(); // 4
    em.remove(article);
    await em.flush(); // 5
    ids = (await orm.em.fork().find(VersionTransaction, {}, { orderBy: { id: 'asc' } })).map(({ id }) => id);
  });

  const versions = () => orm.em.fork().find(versionOf(Article), { id: 1 }, { orderBy: { transaction: 'asc' } });

  describe('of versions and moments', () => {
    it('tells what differs between any two versions, with their links', async () => {
      const [a, b, c, deletion] = await versions();
      expect(await diff(a!, b!)).toEqual({ name: ['a', 'b'] });
      expect(await diff(a!, c!)).toEqual({ name: ['a', 'b'], category: [1, 2], tags: [[1], [1, 2]] });
      expect(await diff(c!, a!)).toEqual({ name: ['b', 'a'], category: [2, 1], tags: [[1, 2], [1]] });
      expect(await diff(a!, a!)).toEqual({});
      expect(await diff(c!, deletion!)).toEqual({
        id: [1, null],
        name: ['b', null],
        category: [2, null],
        tags: [[1, 2], []],
      });
    });

    it('compares versions of several managers, and of several rows', async () => {
      const [a] = await versions();
      const [, b] = await versions();
      expect(await diff(a!, b!)).toEqual({ name: ['a', 'b'] });
      const [first, second] = await orm.em
        .fork()
        .find(versionOf(Comment), { operationType: Operation.INSERT }, { orderBy: { id: 'asc' } });
      expect(await diff(first!, second!)).toEqual({ id: [1, 2], text: ['hi', 'ho'] });
    });

    it('tells what differs between two moments of a row, its links as of the moments themselves', async () => {
      const [version] = await versions();
      expect(await diff(version!, ids[1]!, ids[2]!)).toEqual({ tags: [[1], [1, 2]] });
      expect(await diff(version!, new Date(0), ids[0]!)).toEqual({
        id: [null, 1],
        name: [null, 'a'],
        category: [null, 1],
        tags: [[], [1]],
      });
      expect(await diff(version!, ids[3]!, 'latest')).toMatchObject({ name: ['b', null] });
      expect(await diff(version!, new Date(0), 'latest')).toEqual({});
      const category = await orm.em.fork().findOneOrFail(Category, 1);
      expect(await diff(category, ids[0]!, 'latest')).toEqual({ name: ['c1', 'renamed'], articles: undefined });
    });

    it('refuses what can’t be compared', async () => {
      const em = orm.em.fork();
      const [article] = await versions();
      const category = await em.findOneOrFail(versionOf(Category), { name: 'renamed' });
      await expect(diff(article!, category as never)).rejects.toThrow(
        /^diff\(\) can't compare a ArticleVersion and a CategoryVersion/,
      );
      await expect(diff(article!, await em.findOneOrFail(Category, 1))).rejects.toThrow(/^diff\(\) was given Category/);
      await expect(diff('a' as never, null)).rejects.toThrow(/^diff\(\) can't compare a\./);
      await expect(diff(await em.findOneOrFail(Tag, 1), ids[0]!, ids[1]!)).rejects.toThrow(
        expect.objectContaining({ code: ErrorCode.NOT_VERSIONED }),
      );
      const partial = await orm.em.fork().findOneOrFail(versionOf(Article), { name: 'a' }, { fields: ['id'] });
      await expect(diff(partial as never, article!)).rejects.toThrow(
        expect.objectContaining({ code: ErrorCode.NOT_LOADED }),
      );
    });
  });

  describe('of graphs', () => {
    const at = (number: number, populate: string[]) =>
      asOf(orm.em.fork(), ids[number - 1]!).findOneOrFail(Article, 1, { populate: populate as never });

    const told = async (before: Parameters<typeof diff>[0], after: Parameters<typeof diff>[0]) =>
      (await diff(before, after)).map(({ entity, key, path, operation, changeset }) => [
        `${entity.name} ${String(key)}`,
        path,
        ['INSERT', 'UPDATE', 'DELETE'][operation],
        changeset,
      ]);

    it('lists each entity that differs, by what is loaded in both', async () => {
      const populate = ['category', 'tags', 'comments'];
      expect(await told(await at(1, populate), await at(4, populate))).toEqual([
        [
          'Article 1',
          '',
          'UPDATE',
          { name: ['a', 'b'], category: [1, 2], tags: [[1], [1, 2]], comments: [[1], [1, 2]] },
        ],
        ['Category 1', 'category', 'DELETE', { id: [1, null], name: ['c1', null] }],
        ['Category 2', 'category', 'INSERT', { id: [null, 2], name: [null, 'c2'] }],
        ['Tag 2', 'tags', 'INSERT', { id: [null, 2], name: [null, 't2'] }],
        ['Comment 2', 'comments', 'INSERT', { id: [null, 2], text: [null, 'ho'], article: [null, 1] }],
      ]);
      expect(await told(await at(1, []), await at(3, populate))).toEqual([
        ['Article 1', '', 'UPDATE', { name: ['a', 'b'] }],
      ]);
      expect(await told(await at(2, populate), await at(3, populate))).toEqual([
        ['Article 1', '', 'UPDATE', { tags: [[1], [1, 2]] }],
        ['Category 1', 'category', 'UPDATE', { name: ['c1', 'renamed'] }],
        ['Tag 2', 'tags', 'INSERT', { id: [null, 2], name: [null, 't2'] }],
      ]);
      expect(await told(await at(2, populate), await at(2, populate))).toEqual([]);
    });

    it('compares the past with the present, without what has no history', async () => {
      const past = await asOf(orm.em.fork(), ids[0]!).find(Category, {}, { orderBy: { id: 'desc' } });
      const present = await orm.em.fork().find(Category, {}, { orderBy: { id: 'asc' } });
      expect(await told(past, present)).toEqual([['Category 1', '', 'UPDATE', { name: ['c1', 'renamed'] }]]);
      const em = orm.em.fork();
      em.create(Article, { id: 1, name: 'a', views: 7 });
      await em.flush();
      const again = await em.fork().findOneOrFail(Article, 1);
      expect(await told(await at(1, []), again)).toEqual([['Article 1', '', 'UPDATE', { category: [1, null] }]]);
      again.name = 'not flushed';
      expect(await told(await at(1, []), again)).toMatchObject([
        ['Article 1', '', 'UPDATE', { name: ['a', 'not flushed'] }],
      ]);
    });

    it('takes lists, and null for a side that has nothing', async () => {
      const past = await at(1, []);
      expect(await told(null, past)).toEqual([
        ['Article 1', '', 'INSERT', { id: [null, 1], name: [null, 'a'], category: [null, 1] }],
      ]);
      expect(await told([past], [])).toMatchObject([['Article 1', '', 'DELETE', {}]]);
      expect(await told(null, null)).toEqual([]);
    });

    it('tells new entities apart, which have no key yet', async () => {
      const em = orm.em.fork();
      const added = ['x', 'y'].map(name => em.create(Category, { name }));
      expect((await told([], added)).map(([, , operation, changeset]) => [operation, changeset])).toEqual([
        ['INSERT', { name: [null, 'x'] }],
        ['INSERT', { name: [null, 'y'] }],
      ]);
    });

    it('ends at cycles, and pairs what both sides reach on different paths', async () => {
      const populate = ['category.articles.comments.article'];
      const found = await told(await at(1, populate), await at(4, populate));
      expect(found.map(([name, path, operation]) => [name, path, operation])).toEqual([
        ['Article 1', '', 'UPDATE'],
        ['Category 1', 'category', 'DELETE'],
        ['Category 2', 'category', 'INSERT'],
        ['Comment 2', 'comments', 'INSERT'],
      ]);
    });
  });

  it('knows polymorphic relations', async () => {
    const posts = await createOrm(db, { entities: ENTITIES, extensions: [Versioning] });
    const em = posts.em.fork();
    const post = em.create(Post, { id: 1, title: 'p' } as never);
    const comment = em.create(PostComment, { id: 1, text: 'c' } as never);
    const cover = em.create(Cover, { id: 1, colour: 'red', of: post } as never);
    post.attachments.add(em.create(Image, { id: 5, file: 'i' } as never));
    await em.flush();
    cover.of = comment;
    post.attachments.add(em.create(Video, { id: 5, file: 'v' } as never));
    await em.flush();
    const [a, b] = await posts.em.fork().find(versionOf(Cover), {}, { orderBy: { transaction: 'asc' } });
    expect(await diff(a!, b!)).toEqual({
      of: [
        ['post', 1],
        ['comment', 1],
      ],
    });
    expect(await diff(post, a!, 'latest')).toEqual({
      attachments: [
        [['image', 5]],
        [
          ['image', 5],
          ['video', 5],
        ],
      ],
    });
    const read = (moment: Parameters<typeof asOf>[1]) =>
      asOf(posts.em.fork(), moment).find(Cover, {}, { populate: ['of'] as never });
    expect(await diff(await read(a!), await read('latest'))).toMatchObject([
      {
        entity: Cover,
        operation: Operation.UPDATE,
        changeset: {
          of: [
            ['post', 1],
            ['comment', 1],
          ],
        },
      },
      { entity: Post, operation: Operation.DELETE },
      { entity: PostComment, operation: Operation.INSERT },
    ]);
  });
});
