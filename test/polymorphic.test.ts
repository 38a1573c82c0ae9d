import { Entity, ManyToOne, PrimaryKey } from '@mikro-orm/decorators/es';
import { changeset, ErrorCode, revert, Versioned, Versioning, versionOf } from 'mikro-orm-versioning';
import { beforeEach, describe, expect, it } from 'vitest';

import { covers, expectRefusal, refuses } from './support/compatibility/covers.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';
import { historyOf } from './support/history.ts';
import { Comment, Cover, ENTITIES, Image, Like, Post, Tag, User, Video } from './support/posts.ts';

describeEachDatabase('polymorphic relations', db => {
  let orm: Orm;

  beforeEach(async () => {
    orm = await createOrm(db, { entities: ENTITIES, extensions: [Versioning] });
    const em = orm.em.fork();
    const post = em.create(Post, { id: 1, title: 'P1' } as never) as Post;
    const comment = em.create(Comment, { id: 1, text: 'C1' } as never) as Comment;
    const user = em.create(User, { id: 1, name: 'U' });
    const like = em.create(Like, { id: 1, subject: post, seenOn: user } as never) as Like;
    const [x, y] = ['x', 'y'].map((name, i) => em.create(Tag, { id: i + 1, name } as never)) as [Tag, Tag];
    const image = em.create(Image, { id: 1, file: 'i1' } as never) as Image;
    const video = em.create(Video, { id: 1, file: 'v1' });
    post.tags.set([x, y]);
    comment.tags.set([x]);
    post.attachments.set([image, video] as never);
    await em.flush();
    like.subject = comment;
    like.seenOn = post;
    post.title = 'P2';
    await em.flush();
    comment.text = 'C2';
    post.tags.remove(y);
    post.attachments.remove(image as never);
    x.name = 'xx';
    await em.flush();
    like.subject = null;
    await em.flush();
  });

  it(
    'records the class and the key, and the links with their class',
    covers('Relations: polymorphic to-one', 'Relations: polymorphic many-to-many'),
    async () => {
      expect(await historyOf(orm, [Like], ['taggable_version', 'attachment_version'])).toEqual([
        'Like#1 INSERT { subject_type: post, subject_id: 1, seen_on_type: user, seen_on_id: 1 } [1, 2)',
        'post_id 1 -> attachable_type image -> attachable_id 1 [1, 3)',
        'post_id 1 -> attachable_type video -> attachable_id 1 [1, )',
        'taggable_type comment -> taggable_id 1 -> tag_id 1 [1, )',
        'taggable_type post -> taggable_id 1 -> tag_id 1 [1, )',
        'taggable_type post -> taggable_id 1 -> tag_id 2 [1, 3)',
        'Like#1 UPDATE { subject_type: comment, subject_id: 1, seen_on_type: post, seen_on_id: 1 } [2, 4)',
        // MikroORM 7.2 clears the class alone
        'Like#1 UPDATE { subject_type: null, subject_id: 1, seen_on_type: post, seen_on_id: 1 } [4, )',
      ]);
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    },
  );

  it.each(['select-in', 'joined', 'balanced'] as const)(
    'a to-one leads to the version of the right class as of then, %s',
    async strategy => {
      const versions = await orm.em
        .fork()
        .find(versionOf(Like), {}, { populate: ['subject', 'seenOn'], strategy, orderBy: { versionId: 'asc' } });
      expect(
        versions.map(({ subject, seenOn }) => [
          subject && [subject.constructor.name, subject],
          seenOn && [seenOn.constructor.name, seenOn],
        ]),
      ).toMatchObject([
        [
          ['PostVersion', { id: 1, title: 'P1' }],
          ['User', { id: 1, name: 'U' }],
        ],
        [
          ['CommentVersion', { id: 1, text: 'C1' }],
          ['PostVersion', { id: 1, title: 'P2' }],
        ],
        [null, ['PostVersion', { id: 1, title: 'P2' }]],
      ]);
    },
  );

  it('conditions on a to-one itself are of what it led to', async () => {
    const em = orm.em.fork();
    const [first] = await em.find(versionOf(Like), {}, { orderBy: { versionId: 'asc' } });
    const counts = [null, { $ne: null }, first!.subject].map(subject =>
      em.count(versionOf(Like), { subject } as never),
    );
    expect(await Promise.all(counts)).toEqual([1, 2, 1]);
  });

  it('a one-to-one leads both ways', covers('Relations: polymorphic one-to-one'), async () => {
    const em = orm.em.fork();
    const cover = em.create(Cover, { id: 1, colour: 'red', of: em.getReference(Post, 1) } as never) as Cover;
    await em.flush();
    cover.of = em.getReference(Comment, 1);
    await em.flush();
    const other = orm.em.fork();
    (await other.findOneOrFail(Post, 1)).title = 'P3';
    (await other.findOneOrFail(Comment, 1)).text = 'C3';
    await other.flush();
    const versions = await orm.em
      .fork()
      .find(versionOf(Cover), {}, { populate: ['of'], orderBy: { versionId: 'asc' } });
    expect(versions.map(each => each.of)).toMatchObject([{ title: 'P2' }, { text: 'C2' }]);
    const posts = await orm.em.fork().find(versionOf(Post), {}, { populate: ['cover'], orderBy: { versionId: 'asc' } });
    expect(posts.map(post => [post.title, post.cover?.colour ?? null])).toEqual([
      ['P1', null],
      ['P2', null],
      ['P3', null],
    ]);
  });

  it('is loaded later, or through another version', async () => {
    const em = orm.em.fork();
    const versions = await em.find(versionOf(Like), {}, { orderBy: { versionId: 'asc' } });
    await em.populate(versions, ['subject'] as never);
    expect(versions.map(({ subject }) => subject)).toMatchObject([{ title: 'P1' }, { text: 'C1' }, null]);
    const [last] = await orm.em
      .fork()
      .find(
        versionOf(Like),
        {},
        { populate: ['previous.subject'] as never, orderBy: { versionId: 'desc' }, limit: 1, strategy: 'joined' },
      );
    expect((last as unknown as { previous: Like }).previous.subject).toMatchObject({ text: 'C1' });
  });

  it('the other side has the children of then', async () => {
    const em = orm.em.fork();
    const posts = await em.find(versionOf(Post), {}, { populate: ['likes'], orderBy: { versionId: 'asc' } });
    expect(posts.map(post => post.likes.map(like => like.versionId))).toEqual([[expect.any(Number)], []]);
    const comments = await em.find(versionOf(Comment), {}, { populate: ['likes'], orderBy: { versionId: 'asc' } });
    expect(comments.map(comment => comment.likes.length)).toEqual([0, 1]);
  });

  it.each(['select-in', 'joined', 'balanced'] as const)(
    'many-to-many of either kind, from both sides, %s',
    async strategy => {
      const em = orm.em.fork();
      const names = (items: Iterable<{ name?: string; file?: string; title?: string }>) =>
        [...items].map(({ name, file, title }) => name ?? file ?? title).toSorted((a, b) => (a! < b! ? -1 : 1));
      const order = { orderBy: { versionId: 'asc' }, strategy } as const;
      const posts = await em.find(versionOf(Post), {}, { ...order, populate: ['tags', 'attachments'] as never });
      expect(posts.map(post => [names(post.tags), names(post.attachments as never)])).toEqual([
        [
          ['x', 'y'],
          ['i1', 'v1'],
        ],
        [
          ['x', 'y'],
          ['i1', 'v1'],
        ],
      ]);
      const [first] = [...(posts[0]!.attachments as Iterable<object>)].toSorted((a, b) =>
        a.constructor.name < b.constructor.name ? -1 : 1,
      );
      expect(first!.constructor.name).toBe('ImageVersion');
      const comments = await em.find(versionOf(Comment), {}, { ...order, populate: ['tags'] });
      expect(comments.map(comment => names(comment.tags))).toEqual([['x'], ['xx']]);
      const tags = await em.find(versionOf(Tag), { id: 1 }, { ...order, populate: ['posts'] });
      expect(tags.map(tag => names(tag.posts))).toEqual([['P1'], ['P2']]);
      const images = await em.find(versionOf(Image), {}, { ...order, populate: ['posts'] });
      expect(images.map(image => names(image.posts))).toEqual([['P1']]);
      expect(await em.count(versionOf(Post), { tags: { name: 'y' } } as never)).toBe(2);
    },
  );

  it('changesets have the class before the key', async () => {
    const em = orm.em.fork();
    const like = await em.findOneOrFail(Like, 1, { populate: ['versions'] });
    expect(like.versions.map(version => version.changeset)).toEqual([
      { id: [null, 1], subject: [null, ['post', 1]], seenOn: [null, ['user', 1]] },
      {
        subject: [
          ['post', 1],
          ['comment', 1],
        ],
        seenOn: [
          ['user', 1],
          ['post', 1],
        ],
      },
      { subject: [['comment', 1], null] },
    ]);
    like.seenOn = await em.findOneOrFail(User, 1);
    expect(changeset(like)).toEqual({
      seenOn: [
        ['post', 1],
        ['user', 1],
      ],
    });
    const post = await em.findOneOrFail(Post, 1, { populate: ['attachments', 'tags', 'versions'] as never });
    const [video] = post.attachments;
    post.attachments.remove(video as never);
    post.tags.removeAll();
    expect(changeset(post)).toEqual({ attachments: [[['video', 1]], []], tags: [[1], []] });
    await em.flush();
    post.title = 'P3';
    await em.flush();
    const other = orm.em.fork();
    const [first] = await other.find(versionOf(Post), {}, { populate: ['previous'], orderBy: { versionId: 'asc' } });
    expect(await first!.changesetWithLinks()).toEqual({
      id: [null, 1],
      title: [null, 'P1'],
      tags: [[], [1, 2]],
      attachments: [
        [],
        [
          ['image', 1],
          ['video', 1],
        ],
      ],
    });
  });

  it('comes back', async () => {
    const em = orm.em.fork();
    const [like] = await em.find(versionOf(Like), {}, { orderBy: { versionId: 'asc' } });
    await revert(like!, { relations: ['subject'] as never });
    const [post] = await em.find(versionOf(Post), {}, { orderBy: { versionId: 'asc' } });
    await revert(post!, { relations: ['tags', 'attachments', 'likes'] as never });
    await em.flush();
    const live = await orm.em.fork().findOneOrFail(Post, 1, { populate: ['tags', 'attachments', 'likes'] as never });
    expect(live.title).toBe('P1');
    expect(live.tags.map(tag => tag.name).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['x', 'y']);
    expect(live.attachments.map(each => each.file).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['i1', 'v1']);
    expect(live.likes).toHaveLength(1);
  });

  it('sees collections that were never loaded, and deletions', async () => {
    const em = orm.em.fork();
    const post = await em.findOneOrFail(Post, 1);
    const comment = await em.findOneOrFail(Comment, 1);
    post.tags.removeAll();
    comment.likes.add(em.getReference(Like, 1));
    await em.flush();
    const fresh = orm.em.fork();
    fresh.remove(await fresh.findOneOrFail(Tag, 1));
    fresh.remove(await fresh.findOneOrFail(Post, 1));
    await fresh.flush();
    expect(await historyOf(orm, [], ['taggable_version'])).toEqual([
      // MikroORM gives a polymorphic pivot no foreign keys: the tag is gone, this row of the pivot is not
      'taggable_type comment -> taggable_id 1 -> tag_id 1 [1, )',
      'taggable_type post -> taggable_id 1 -> tag_id 1 [1, 5)',
      'taggable_type post -> taggable_id 1 -> tag_id 2 [1, 3)',
    ]);
  });

  describe('a key that does not fit', () => {
    @Entity()
    class Word {
      @PrimaryKey({ type: 'string' })
      id!: string;
    }

    @Entity()
    @Versioned()
    class Page {
      @PrimaryKey({ type: 'string' })
      id!: string;
    }

    @Entity()
    @Versioned()
    class Mention {
      @PrimaryKey({ type: 'integer' })
      id!: number;

      @ManyToOne({ entity: () => [Page, Word] as never, nullable: true })
      of?: Page | Word | null;
    }

    it('is refused by name', refuses('Relations: polymorphic, keys that do not fit together'), async ({ task }) => {
      await expectRefusal(
        task,
        createOrm(db, { entities: [Word, Page, Mention], extensions: [Versioning] }),
        ErrorCode.UNSUPPORTED,
        "Mention.of leads to versions of some classes and to live rows of Word, whose key is not a number as a version's is. Mark Word as versioned too, or exclude the relation.",
      );
    });
  });
});
