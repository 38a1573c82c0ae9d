import { history, ErrorCode, Versioning, VersionTransaction } from 'mikro-orm-versioning';
import { beforeEach, expect, it } from 'vitest';

import { Article, BLOG, Category, Comment, Tag } from './support/blog.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';
import { Album, Clip, Label, Media, Photo, Video } from './support/media.ts';

describeEachDatabase('history', db => {
  let orm: Orm;
  let ids: number[];

  beforeEach(async () => {
    orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
    const em = orm.em.fork();
    const category = em.create(Category, { id: 1, name: 'Old' });
    const article = em.create(Article, { id: 1, name: 'a', category });
    const [x] = [1, 2].map(id => em.create(Tag, { id, name: `t${id}` }));
    await em.flush(); // 1
    category.name = 'News';
    await em.flush(); // 2
    article.name = 'b';
    await em.flush(); // 3
    category.name = 'Latest';
    article.tags.add(x!);
    await em.flush(); // 4
    article.name = 'c';
    article.category = null;
    await em.flush(); // 5
    article.tags.removeAll();
    await em.flush(); // 6
    em.remove(article);
    await em.flush(); // 7
    ids = (await orm.em.fork().find(VersionTransaction, {}, { orderBy: { id: 'asc' } })).map(({ id }) => id);
  });

  const names = async (where: Parameters<typeof history<typeof Article>>[2], options = {}) =>
    (await history(orm.em.fork(), Article, where, options)).map(version => version.name);

  it('finds every version that met a condition of its own, in the order of their transactions', async () => {
    expect(await names({})).toEqual(['a', 'b', 'c']);
    expect(await names({ name: { $in: ['c', 'a'] } })).toEqual(['a', 'c']);
    expect(await names({ category: 1 })).toEqual(['a', 'b']);
    expect(await names({ category: null })).toEqual(['c']);
    expect(await names(1 as never)).toEqual(['a', 'b', 'c']);
    expect(await names({ name: 'none' })).toEqual([]);
  });

  it('finds versions that met a condition over relations, where only the related rows changed', async () => {
    expect(await names({ category: { name: 'Old' } })).toEqual(['a']);
    expect(await names({ category: { name: 'News' } })).toEqual(['a', 'b']);
    expect(await names({ category: { name: 'Latest' } })).toEqual(['b']);
    expect(await names({ tags: { name: 't1' } } as never)).toEqual(['b', 'c']);
    expect(await names({ tags: { $none: { name: 't1' } } } as never)).toEqual(['a', 'b', 'c']);
    // never both at one moment
    expect(await names({ category: { name: 'News' }, tags: 1 } as never)).toEqual([]);
    expect(await names({ category: { name: 'Latest' }, tags: 1 } as never)).toEqual(['b']);
  });

  it('limits the moments that count', async () => {
    const met = (from: number | undefined, to: number | undefined, where: object) =>
      names(where, {
        ...(from === undefined ? {} : { from: ids[from - 1]! }),
        ...(to === undefined ? {} : { to: ids[to - 1]! }),
      });
    expect(await met(2, 2, {})).toEqual(['a']);
    expect(await met(4, undefined, {})).toEqual(['b', 'c']);
    expect(await met(undefined, 3, {})).toEqual(['a', 'b']);
    expect(await met(3, 3, { category: { name: 'News' } })).toEqual(['b']);
    expect(await met(2, 3, { category: { name: 'Old' } })).toEqual([]);
    expect(await met(undefined, 2, { category: { name: 'News' } })).toEqual(['a']);
    expect(await names({ category: { name: 'News' } }, { to: new Date(0) })).toEqual([]);
    expect(await names({}, { to: new Date(0) })).toEqual([]);
    expect(await met(7, undefined, { category: null })).toEqual([]);
  });

  it('takes the options of find', async () => {
    const em = orm.em.fork();
    const [version] = await history(
      em,
      Article,
      { category: { name: 'News' } },
      {
        populate: ['category', 'previous', 'transaction'],
        orderBy: { transaction: 'desc' },
        limit: 1,
      },
    );
    expect(version!.name).toBe('b');
    expect(version!.previous?.name).toBe('a');
    expect(version!.category?.name).toBe('News');
    expect(version!.changeset).toEqual({ name: ['a', 'b'] });
    expect(version!.transaction.issuedAt).toBeInstanceOf(Date);
    expect(await names({}, { offset: 1, limit: 1 })).toEqual(['b']);
  });

  it('knows subclasses and links from the other end', async () => {
    const media = await createOrm(db, {
      entities: [Label, Album, Media, Photo, Video, Clip],
      extensions: [Versioning],
    });
    const em = media.em.fork();
    const photo = em.create(Photo, { id: 1, title: 'p', width: 3 } as never);
    const clip = em.create(Clip, { id: 2, title: 'c', seconds: 1, song: 's' } as never);
    await em.flush();
    clip.stills.add(photo);
    await em.flush();
    clip.stills.removeAll();
    clip.seconds = 2;
    await em.flush();
    const seen = async (entity: unknown, where: object) =>
      (await history<typeof Media>(media.em.fork(), entity as typeof Media, where as never)).map(each => [
        each.constructor.name,
        (each as unknown as { seconds?: number }).seconds,
      ]);
    expect(await seen(Video, { stills: { width: 3 } })).toEqual([['ClipVersion', 1]]);
    expect(await seen(Video, { seconds: 2 })).toEqual([['ClipVersion', 2]]);
    expect(await seen(Media, { title: 'p' })).toEqual([['PhotoVersion', undefined]]);
    expect(await seen(Photo, {})).toEqual([['PhotoVersion', undefined]]);
  });

  it('refuses excluded properties and what is not versioned', async () => {
    const em = orm.em.fork();
    await expect(history(em, Article, { views: 1 })).rejects.toThrow(
      expect.objectContaining({ code: ErrorCode.NOT_IN_THE_PAST }),
    );
    await expect(history(em, Tag, { name: 't1' })).rejects.toThrow(/^Tag is not versioned/);
    await expect(history(em, Article, {}, { from: 999 })).rejects.toThrow(
      expect.objectContaining({ code: ErrorCode.NO_SUCH_TRANSACTION }),
    );
    const plain = await createOrm(db, { entities: BLOG });
    await expect(history(plain.em.fork(), Article)).rejects.toThrow(/^history\(\) was given a manager/);
    expect(await history(em, Comment, { article: { name: 'a' } })).toEqual([]);
  });
});
