import type { Collection } from '@mikro-orm/core';
import { Entity, ManyToMany, ManyToOne, OneToMany, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import { changeset, countVersions, ErrorCode, revert, Versioned, Versioning, versionOf } from 'mikro-orm-versioning';
import { beforeEach, describe, expect, it } from 'vitest';

import { covers, expectRefusal, refuses } from './support/compatibility/covers.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';
import { historyOf } from './support/history.ts';
import { Album, Clip, Label, Media, Photo, Video } from './support/media.ts';

@Entity({ discriminatorColumn: 'kind', discriminatorValue: 'animal' })
class Animal {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @ManyToOne(() => Keeper, { nullable: true })
  keeper?: Keeper | null;
}

@Entity({ discriminatorValue: 'dog' })
class Dog extends Animal {
  @Property({ type: 'string' })
  name!: string;
}

@Entity({ discriminatorValue: 'puppy' })
class Puppy extends Dog {
  @Property({ type: 'integer' })
  weeks!: number;
}

@Entity()
class Keeper {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @OneToMany(() => Animal, animal => animal.keeper)
  animals!: Collection<Animal>;

  @ManyToMany(() => Dog)
  dogs!: Collection<Dog>;

  @ManyToOne(() => Animal)
  oldest!: Animal;

  @ManyToOne(() => Dog)
  dearest!: Dog;
}

describeEachDatabase('a single-table hierarchy whose base classes have rows of their own', db => {
  const STRATEGIES = ['select-in', 'joined', 'balanced'] as const;
  const MARKED = [
    ['versioned', [Animal, Keeper]],
    ['not versioned', [Keeper]],
  ] as const;
  const CASES = MARKED.flatMap(([name, entities]) => STRATEGIES.map(strategy => [name, strategy, entities] as const));

  it.each(CASES)('%s, is related to with its subclasses, %s', async (_, strategy, entities) => {
    const orm = await createOrm(db, {
      entities: [Animal, Dog, Keeper, Puppy],
      extensions: [Versioning.with({ entities })],
    });
    const writing = orm.em.fork();
    const animal = writing.create(Animal, { id: 1 });
    const dog = writing.create(Dog, { id: 2, name: 'a' });
    const puppy = writing.create(Puppy, { id: 3, name: 'b', weeks: 7 });
    await writing.flush();
    const animals = [animal, dog, puppy];
    writing.create(Keeper, { id: 1, oldest: puppy, dearest: puppy, animals, dogs: [dog, puppy] });
    await writing.flush();

    const em = orm.em.fork();
    const populate = ['animals', 'dogs', 'oldest', 'dearest'] as const;
    const version = await em.findOneOrFail(versionOf(Keeper), { id: 1 }, { populate, strategy });
    const kinds = (items: Iterable<object>) => [...items].map(item => item.constructor.name).toSorted();
    const suffix = entities.length > 1 ? 'Version' : '';
    expect(kinds(version.animals)).toEqual(['Animal', 'Dog', 'Puppy'].map(name => name + suffix));
    expect(kinds(version.dogs)).toEqual(['Dog', 'Puppy'].map(name => name + suffix));
    expect(version.dogs.find(({ id }) => id === 3)).toMatchObject({ name: 'b', weeks: 7 });
    for (const related of [version.oldest, version.dearest]) {
      expect(related.constructor.name).toBe(`Puppy${suffix}`);
      expect(related).toMatchObject({ id: 3, name: 'b', weeks: 7 });
    }
    for (const condition of [
      { animals: { id: 3 } },
      { dogs: { name: 'b' } },
      { oldest: { keeper: 1 } },
      { dearest: { name: 'b' } },
    ]) {
      expect(await em.count(versionOf(Keeper), condition)).toBe(1);
    }
  });
});

describeEachDatabase('single-table inheritance', db => {
  let orm: Orm;

  beforeEach(async () => {
    orm = await createOrm(db, { entities: [Label, Album, Media, Photo, Video, Clip], extensions: [Versioning] });
    const em = orm.em.fork();
    const album = em.create(Album, { id: 1, title: 'A1' });
    const photo = em.create(Photo, { id: 1, kind: 'photo', title: 'P1', width: 10, album } as never);
    const copy = em.create(Photo, { id: 2, kind: 'photo', title: 'C1', width: 5, original: photo } as never) as Photo;
    em.create(Video, { id: 3, kind: 'video', title: 'V1', seconds: 60, album, stills: [photo, copy] } as never);
    em.create(Clip, {
      id: 4,
      kind: 'clip',
      title: 'K1',
      seconds: 30,
      song: 'la',
      labels: [em.create(Label, { id: 1, name: 'l' })],
    } as never);
    await em.flush();
    album.cover = photo as never;
    (photo as Photo).title = 'P2';
    await em.flush();
  });

  it(
    'keeps one history for the table, whose rows come back as the right classes with their properties',
    covers('Inheritance: single table', 'Inheritance: discriminatorColumn, discriminatorValue, discriminatorMap'),
    async () => {
      const versions = await orm.em.fork().find(versionOf(Media), {}, { orderBy: { id: 'asc', versionId: 'asc' } });
      expect(versions.map(version => [version.constructor.name, version.title])).toEqual([
        ['PhotoVersion', 'P1'],
        ['PhotoVersion', 'P2'],
        ['PhotoVersion', 'C1'],
        ['VideoVersion', 'V1'],
        ['ClipVersion', 'K1'],
      ]);
      expect(versions[1]).toBeInstanceOf(versionOf(Media));
      expect(versions[0]).toMatchObject({ width: 10, kind: 'photo' });
      expect(versions[4]).toMatchObject({ seconds: 30, song: 'la' });
      expect(versions[4]).not.toHaveProperty('width');
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    },
  );

  it('is asked through a subclass for that subclass', async () => {
    const em = orm.em.fork();
    expect(await em.count(versionOf(Photo))).toBe(3);
    expect(await em.count(versionOf(Video))).toBe(2);
    expect((await em.find(versionOf(Clip), { song: 'la' })).map(version => version.title)).toEqual(['K1']);
    const photo = await em.findOneOrFail(Photo, 1, { populate: ['versions'] });
    expect(photo.versions.map(version => version.changeset)).toEqual([
      { id: [null, 1], kind: [null, 'photo'], title: [null, 'P1'], album: [null, 1], width: [null, 10] },
      { title: ['P1', 'P2'] },
    ]);
    const media = await em.fork().findOneOrFail(Media, 1, { populate: ['versions'] });
    expect(media.versions.map(version => version.title)).toEqual(['P1', 'P2']);
    expect(await countVersions(media)).toBe(2);
  });

  it.each(['select-in', 'joined', 'balanced'] as const)(
    'relations lead to and from the base class and its subclasses, %s',
    async strategy => {
      const em = orm.em.fork();
      const [copy] = await em.find(versionOf(Photo), { id: 2 }, { populate: ['original', 'album'], strategy });
      expect(copy!.original).toMatchObject({ title: 'P1', width: 10 });
      expect(copy!.album).toBeNull();
      const [video] = await em.find(versionOf(Video), { id: 3 }, { populate: ['stills', 'labels', 'album'], strategy });
      expect(video!.stills.map(photo => photo.title).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['C1', 'P1']);
      expect(video!.album).toMatchObject({ title: 'A1' });
      const [clip] = await em.find(versionOf(Clip), {}, { populate: ['labels', 'stills'], strategy });
      expect(clip!.labels.map(label => label.name)).toEqual(['l']);
      const albums = await em.find(
        versionOf(Album),
        {},
        { populate: ['cover', 'media'], orderBy: { versionId: 'asc' }, strategy },
      );
      expect(albums.map(album => album.cover?.title ?? null)).toEqual([null, 'P2']);
      expect(albums[1]!.cover).toMatchObject({ width: 10 });
      expect(albums.map(album => album.media.map(each => each.title).toSorted((a, b) => (a < b ? -1 : 1)))).toEqual([
        ['P1', 'V1'],
        ['P2', 'V1'],
      ]);
    },
  );

  it('records updates, deletions and links of subclasses', async () => {
    const em = orm.em.fork();
    const clip = await em.findOneOrFail(Clip, 4, { populate: ['labels'] });
    clip.song = 'lo';
    clip.labels.removeAll();
    expect(changeset(clip)).toEqual({ song: ['la', 'lo'], labels: [[1], []] });
    await em.flush();
    const video = await em.findOneOrFail(Video, 3);
    video.plays = 9;
    await em.flush();
    em.remove(video);
    await em.flush();
    const history = await historyOf(orm, [Media], ['media_labels_version', 'video_stills_version']);
    expect(history.filter(line => line.startsWith('Media#4'))).toHaveLength(2);
    expect(history.filter(line => line.startsWith('Media#3'))).toEqual([
      expect.stringMatching(/INSERT .* \[1, 4\)$/) as string,
      expect.stringMatching(/DELETE .* \[4, \)$/) as string,
    ]);
    expect(history.filter(line => line.includes('->'))).toEqual([
      'media_id 4 -> label_id 1 [1, 3)',
      'video_id 3 -> photo_id 1 [1, 4)',
      'video_id 3 -> photo_id 2 [1, 4)',
    ]);
  });

  it('a deleted row comes back as its class', async () => {
    const em = orm.em.fork();
    em.remove(await em.findOneOrFail(Clip, 4));
    await em.flush();
    const other = orm.em.fork();
    const [version] = await other.find(versionOf(Media), { id: 4 }, { orderBy: { versionId: 'asc' } });
    await revert(version!, { relations: ['labels'] });
    await other.flush();
    const back = await orm.em.fork().findOneOrFail(Media, 4, { populate: ['labels'] });
    expect(back).toBeInstanceOf(Clip);
    expect(back).toMatchObject({ song: 'la', seconds: 30, title: 'K1' });
    expect(back.labels.map(label => label.name)).toEqual(['l']);
  });

  describe('a subclass marked without its root', () => {
    @Entity({ discriminatorColumn: 'kind' })
    class Unmarked {
      @PrimaryKey({ type: 'integer' })
      id!: number;
    }

    @Entity()
    @Versioned()
    class Alone extends Unmarked {}

    it(
      'is refused with the reason',
      refuses('Inheritance: a subclass in the single table of a root without a mark'),
      async ({ task }) => {
        await expectRefusal(
          task,
          createOrm(db, { entities: [Unmarked, Alone], extensions: [Versioning] }),
          ErrorCode.UNSUPPORTED,
          "Alone can't be versioned without Unmarked, with which it shares a table. Mark Unmarked: its subclasses are versioned with it.",
        );
      },
    );
  });
});
