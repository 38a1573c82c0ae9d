import { asOf, between, ErrorCode, Versioning, versionOf, VersionTransaction, type Change } from 'mikro-orm-versioning';
import { beforeEach, describe, expect, it } from 'vitest';

import { Article, BLOG, Category, Comment, Tag } from './support/blog.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';
import { mirrorExcept } from './support/mirror.ts';
import { Clip, Label, Media, Album, Photo, Video } from './support/media.ts';
import {
  Comment as PostComment,
  Cover,
  Like,
  Post,
  Tag as PostTag,
  Image,
  Video as PostVideo,
} from './support/posts.ts';

/** `Article 1 UPDATE { name: [a, b] } of 2 versions`. */
function told({ entity, key, operation, changeset, versions }: Change): string {
  const name = operation === null ? 'nothing' : ['INSERT', 'UPDATE', 'DELETE'][operation];
  return `${entity.name} ${JSON.stringify(key)} ${name} ${JSON.stringify(changeset).replaceAll('"', '')} in ${versions.length}`;
}

async function idsOf(orm: Orm): Promise<number[]> {
  const transactions = await orm.em.fork().find(VersionTransaction, {}, { orderBy: { id: 'asc' } });
  return transactions.map(({ id }) => id);
}

describeEachDatabase('between', db => {
  describe('of a blog', () => {
    let orm: Orm;
    let ids: number[];

    beforeEach(async () => {
      orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
      const em = orm.em.fork();
      const news = em.create(Category, { id: 1, name: 'News' });
      const [x, y] = [em.create(Tag, { id: 1, name: 'x' }), em.create(Tag, { id: 2, name: 'y' })];
      const first = em.create(Article, { id: 1, name: 'first', category: news, tags: [x] });
      await em.flush(); // 1
      first.name = 'First';
      em.create(Article, { id: 2, name: 'second', category: news });
      await em.flush(); // 2
      first.tags.set([y]);
      await em.flush(); // 3
      first.name = 'first';
      em.create(Comment, { id: 1, text: 'hi', article: first } as never);
      await em.flush(); // 4
      em.remove(await em.findOneOrFail(Comment, 1));
      em.remove(await em.findOneOrFail(Article, 2));
      await em.flush(); // 5
      ids = await idsOf(orm);
    });

    const changes = async (from: number, to: number, options = {}) => {
      const moment = (number: number) => (number === 0 ? new Date(0) : ids[number - 1]!);
      return (await between(orm.em.fork(), moment(from), moment(to), options)).map(told);
    };

    it('tells what each row came to, by class and key', async () => {
      expect(await changes(0, 1)).toEqual([
        'Category 1 INSERT {id:[null,1],name:[null,News]} in 1',
        'Article 1 INSERT {id:[null,1],name:[null,first],category:[null,1],tags:[[],[1]]} in 1',
      ]);
      expect(await changes(1, 2)).toEqual([
        'Article 1 UPDATE {name:[first,First]} in 1',
        'Article 2 INSERT {id:[null,2],name:[null,second],category:[null,1]} in 1',
      ]);
      expect(await changes(4, 5)).toEqual([
        'Comment 1 DELETE {id:[1,null],text:[hi,null],article:[1,null]} in 1',
        'Article 2 DELETE {id:[2,null],name:[second,null],category:[1,null]} in 1',
      ]);
    });

    it('tells of rows whose links alone changed', async () => {
      expect(await changes(2, 3)).toEqual(['Article 1 UPDATE {tags:[[1],[2]]} in 0']);
    });

    it('sums up several transactions, and tells of rows that came and went or are as they were', async () => {
      expect(await changes(1, 5)).toEqual([
        'Comment 1 nothing {} in 2',
        'Article 1 UPDATE {tags:[[1],[2]]} in 2',
        'Article 2 nothing {} in 2',
      ]);
      expect(await changes(3, 3)).toEqual([]);
      expect(await changes(1, 4, { entities: [Comment] })).toEqual([
        'Comment 1 INSERT {id:[null,1],text:[null,hi],article:[null,1]} in 1',
      ]);
    });

    it('gives the versions of the span, with what they know', async () => {
      const em = orm.em.fork();
      const [change] = await between(em, ids[0]!, 'latest', { entities: [Article] });
      expect(change!.entity).toBe(Article);
      expect(change!.versions.map(version => [version.name, version.changeset])).toEqual([
        ['First', { name: ['first', 'First'] }],
        ['first', { name: ['First', 'first'] }],
      ]);
      expect(change!.versions[0]).toBe(await em.findOne(versionOf(Article), { name: 'First' }));
    });

    it('takes any moments, asks in the open transaction, and does not flush', async () => {
      const em = orm.em.fork();
      const version = await em.findOneOrFail(versionOf(Article), { name: 'First' });
      const latest = await em.findOneOrFail(VersionTransaction, ids[4]!);
      expect((await between(em, version, latest)).map(told)).toHaveLength(3);
      expect(await between(em, new Date(0), new Date(1))).toEqual([]);
      await em.transactional(async inner => {
        const article = await inner.findOneOrFail(Article, 1);
        article.name = 'pending';
        expect(await between(inner, 'latest', 'latest')).toEqual([]);
        expect(await between(inner, ids[4]!, 'latest')).toEqual([]);
      });
      expect((await between(em, ids[4]!, 'latest')).map(told)).toEqual([
        'Article 1 UPDATE {name:[first,pending]} in 1',
      ]);
    });

    it('refuses moments in the wrong order, unknown options and what is not versioned', async () => {
      const em = orm.em.fork();
      await expect(between(em, ids[1]!, ids[0]!)).rejects.toThrow(/^between\(\) was given moments in the wrong order/);
      await expect(between(em, 999, ids[0]!)).rejects.toThrow(
        expect.objectContaining({ code: ErrorCode.NO_SUCH_TRANSACTION }),
      );
      await expect(between(em, ids[0]!, ids[1]!, { entity: [Article] } as never)).rejects.toThrow(/Did you mean 'ent/);
      await expect(between(em, ids[0]!, ids[1]!, { entities: [Tag] })).rejects.toThrow(/^Tag is not versioned/);
      const plain = await createOrm(db, { entities: BLOG });
      await expect(between(plain.em.fork(), 1, 2)).rejects.toThrow(/^between\(\) was given a manager/);
    });

    it('tells what a row that is older than its history became, with old null', async () => {
      await orm.em.fork().execute(`insert into article (id, name, views) values (9, 'old', 0)`);
      const em = orm.em.fork();
      (await em.findOneOrFail(Article, 9)).name = 'new';
      await em.flush();
      expect((await between(em, ids[4]!, 'latest')).map(told)).toEqual([
        'Article 9 UPDATE {id:[null,9],name:[null,new]} in 1',
      ]);
    });
  });

  it('tells of subclasses as what they are, and takes a class for its subclasses', async () => {
    const orm = await createOrm(db, { entities: [Label, Album, Media, Photo, Video, Clip], extensions: [Versioning] });
    const em = orm.em.fork();
    const labels = [1, 2].map(id => em.create(Label, { id, name: `l${id}` }));
    const photo = em.create(Photo, { id: 1, title: 'p', width: 3 } as never);
    const clip = em.create(Clip, { id: 2, title: 'c', seconds: 1, song: 's' } as never);
    em.create(Album, { id: 1, title: 'a' } as never);
    await em.flush();
    const [start] = await idsOf(orm);
    clip.labels.add(labels[1]!);
    photo.width = 4;
    clip.stills.add(photo);
    await em.flush();
    const seen = async (...entities: unknown[]) =>
      (
        await between(orm.em.fork(), start!, 'latest', entities.length > 0 ? { entities: entities as never[] } : {})
      ).map(told);
    const ofClip = 'Clip 2 UPDATE {labels:[[],[2]],stills:[[],[1]]} in 0';
    expect((await seen()).toSorted()).toEqual([ofClip, 'Photo 1 UPDATE {width:[3,4]} in 1']);
    expect(await seen(Video)).toEqual([ofClip]);
    expect(await seen(Photo)).toEqual(['Photo 1 UPDATE {width:[3,4]} in 1']);
    expect(await seen(Media)).toHaveLength(2);
    expect(await seen(Album)).toEqual([]);
  });

  it('tells of polymorphic relations and links', async () => {
    const entities = [Post, PostComment, Cover, Like, PostTag, Image, PostVideo];
    const orm = await createOrm(db, { entities, extensions: [Versioning] });
    const em = orm.em.fork();
    const post = em.create(Post, { id: 1, title: 'p' } as never);
    const comment = em.create(PostComment, { id: 1, text: 'c' } as never);
    const cover = em.create(Cover, { id: 1, colour: 'red', of: post } as never);
    await em.flush();
    const [start] = await idsOf(orm);
    cover.of = comment;
    post.attachments.set([
      em.create(Image, { id: 5, file: 'i' } as never),
      em.create(PostVideo, { id: 5, file: 'v' } as never),
    ]);
    await em.flush();
    const found = (await between(orm.em.fork(), start!, 'latest', { entities: [Post, Cover] })).map(told);
    expect(found).toEqual([
      'Post 1 UPDATE {attachments:[[],[[image,5],[video,5]]]} in 0',
      'Cover 1 UPDATE {of:[[post,1],[comment,1]]} in 1',
    ]);
  });

  it('looks everywhere where a transaction names a class that had another name then', async () => {
    const orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
    mirrorExcept(orm, ['Article', 'Article.tags'], 'the class had another name');
    const em = orm.em.fork();
    em.create(Article, { id: 1, name: 'a', tags: [em.create(Tag, { id: 1, name: 't' })] });
    await em.flush();
    await orm.em.fork().execute(`update version_transaction set changed = '["Story"]'`);
    expect((await between(orm.em.fork(), new Date(0), 'latest')).map(told)).toEqual([
      'Article 1 INSERT {id:[null,1],name:[null,a],tags:[[],[1]]} in 1',
    ]);
    expect(await asOf(orm.em.fork(), 'latest').count(Article)).toBe(1);
  });
});
