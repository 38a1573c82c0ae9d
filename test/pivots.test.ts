import { defineEntity, p, type Collection } from '@mikro-orm/core';
import { Entity, ManyToMany, ManyToOne, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import {
  changeset,
  ErrorCode,
  revert,
  Versioned,
  Versioning,
  versioned,
  versionOf,
  type Versions,
} from 'mikro-orm-versioning';
import { describe, expect, it } from 'vitest';

import { covers, expectRefusal, refuses } from './support/compatibility/covers.ts';
import { createOrm, describeEachDatabase } from './support/databases.ts';
import { historyOf } from './support/history.ts';

/** A pivot entity whose key is that of its ends. */
function keyedByEnds(versionedTags: boolean) {
  @Entity()
  @Versioned()
  class Article {
    @PrimaryKey({ type: 'integer' })
    id!: number;

    @Property({ type: 'string' })
    name!: string;

    @ManyToMany({ entity: () => Tag, pivotEntity: () => Tagging })
    tags!: Collection<Tag>;

    declare readonly versions: Versions<Article>;
  }

  @Entity()
  class Tag {
    @PrimaryKey({ type: 'integer' })
    id!: number;

    @Property({ type: 'string' })
    name!: string;

    @ManyToMany(() => Article, article => article.tags)
    articles!: Collection<Article>;
  }
  if (versionedTags) {
    Versioned()(Tag);
  }

  @Entity()
  @Versioned()
  class Tagging {
    // not in the order of the ends
    @ManyToOne(() => Tag, { primary: true })
    tag!: Tag;

    @ManyToOne(() => Article, { primary: true })
    article!: Article;

    @Property({ type: 'integer', default: 1 })
    weight?: number;

    declare readonly versions: Versions<Tagging>;
  }

  return { Article, Tag, Tagging };
}

/** A pivot entity with a key of its own. */
function keyedByItself(versionedTags: boolean) {
  @Entity()
  @Versioned()
  class Article {
    @PrimaryKey({ type: 'integer' })
    id!: number;

    @Property({ type: 'string' })
    name!: string;

    @ManyToMany({ entity: () => Tag, pivotEntity: () => Tagging })
    tags!: Collection<Tag>;

    declare readonly versions: Versions<Article>;
  }

  @Entity()
  class Tag {
    @PrimaryKey({ type: 'integer' })
    id!: number;

    @Property({ type: 'string' })
    name!: string;

    @ManyToMany(() => Article, article => article.tags)
    articles!: Collection<Article>;
  }
  if (versionedTags) {
    Versioned()(Tag);
  }

  @Entity()
  @Versioned()
  class Tagging {
    @PrimaryKey({ type: 'integer' })
    id!: number;

    @ManyToOne(() => Article, { deleteRule: 'cascade' })
    article!: Article;

    @ManyToOne(() => Tag, { deleteRule: 'cascade' })
    tag!: Tag;

    @Property({ type: 'integer', default: 1 })
    weight?: number;

    declare readonly versions: Versions<Tagging>;
  }

  return { Article, Tag, Tagging };
}

describeEachDatabase('a pivot entity with versions of its own', db => {
  describe.each([
    ['keyed by its ends', keyedByEnds, false],
    ['keyed by its ends, between versions', keyedByEnds, true],
    ['keyed by itself', keyedByItself, false],
    ['keyed by itself, between versions', keyedByItself, true],
  ] as const)('%s', (_, define, versionedTags) => {
    async function setUp() {
      const classes = define(versionedTags) as unknown as ReturnType<typeof keyedByItself>;
      const { Article, Tag, Tagging } = classes;
      const orm = await createOrm(db, { entities: Object.values(classes), extensions: [Versioning] });
      const em = orm.em.fork();
      const article = em.create(Article, { id: 1, name: 'a1' } as never) as InstanceType<typeof Article>;
      const [x, y] = ['x', 'y'].map((name, i) => em.create(Tag, { id: i + 1, name } as never));
      article.tags.set([x, y] as never);
      await em.flush();
      const other = orm.em.fork();
      const tagging = await other.findOneOrFail(Tagging, { tag: 1 } as never);
      (tagging as { weight: number }).weight = 5;
      await other.flush();
      const last = orm.em.fork();
      const again = await last.findOneOrFail(Article, 1, { populate: ['tags'] as never });
      again.tags.remove(again.tags.getItems().find(tag => tag.id === 1) as never);
      again.name = 'a2';
      await last.flush();
      return { orm, ...classes };
    }

    it(
      'keeps one history, which is that of the links too',
      covers('Relations: pivotEntity with versions of its own'),
      async () => {
        const { orm, Tagging } = await setUp();
        const lines = (await historyOf(orm, [Tagging])).map(line => line.replace(/^Tagging#\d+ /, ''));
        expect(lines.map(line => line.replace(/ \{.*\}/, ''))).toEqual([
          'INSERT [1, 2)',
          'INSERT [1, )',
          'UPDATE [2, 3)',
          'DELETE [3, )',
        ]);
        expect(await orm.em.fork().count(versionOf(Tagging), { weight: 5 } as never)).toBe(2);
        expect(Object.keys(orm.getMetadata().getAll()).filter(name => /Article.*Tags/.test(name))).toEqual([]);
        expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
      },
    );

    it.each(['select-in', 'joined', 'balanced'] as const)('relations go through it, %s', async strategy => {
      const { orm, Article, Tag, Tagging } = await setUp();
      const em = orm.em.fork();
      const names = (items: Iterable<{ name: string }>) =>
        [...items].map(({ name }) => name).toSorted((a, b) => (a < b ? -1 : 1));
      const articles = await em.find(
        versionOf(Article),
        {},
        { populate: ['tags'] as never, orderBy: { versionId: 'asc' }, strategy },
      );
      expect(articles.map(each => names(each.tags as never))).toEqual([['x', 'y'], ['y']]);
      const taggings = await em.find(versionOf(Tagging), { weight: 5, operationType: 1 } as never, {
        populate: ['article', 'tag'] as never,
        strategy,
      });
      expect(taggings).toMatchObject([{ article: { name: 'a1' }, tag: { name: 'x' } }]);
      const tagged = versionedTags
        ? await em.find(versionOf(Tag), {}, { populate: ['articles'] as never, orderBy: { id: 'asc' } as never })
        : [];
      const found = tagged.map(tag => names((tag as unknown as { articles: Iterable<{ name: string }> }).articles));
      expect(found).toEqual(versionedTags ? [['a1'], ['a1']] : []);
    });

    it('changesets list it, and a revert brings the links back', async () => {
      const { orm, Article } = await setUp();
      const em = orm.em.fork();
      const versions = await em.find(
        versionOf(Article),
        {},
        { populate: ['previous'] as never, orderBy: { versionId: 'asc' } },
      );
      const changes = await Promise.all(versions.map(version => version.changesetWithLinks()));
      expect(changes).toEqual([
        { id: [null, 1], name: [null, 'a1'], tags: [[], expect.arrayContaining([1, 2])] },
        { name: ['a1', 'a2'], tags: [expect.arrayContaining([1, 2]), [2]] },
      ]);
      const live = await revert(versions[0]!, { relations: ['tags'] as never });
      expect(changeset(live!)).toMatchObject({ name: ['a2', 'a1'] });
      await em.flush();
      const back = await orm.em.fork().findOneOrFail(Article, 1, { populate: ['tags'] as never });
      expect(back.tags).toHaveLength(2);
    });

    it('sees links that are replaced unseen, and those of a deleted row', async () => {
      const { orm, Article, Tagging } = await setUp();
      const em = orm.em.fork();
      const article = await em.findOneOrFail(Article, 1);
      article.tags.removeAll();
      await em.flush();
      article.tags.add(em.getReference(classesTag(orm), 1) as never);
      await em.flush();
      em.remove(article);
      await em.flush();
      const lines = (await historyOf(orm, [Tagging])).map(line =>
        line.replace(/^.*?(INSERT|UPDATE|DELETE) .* (\[.*)$/, '$1 $2'),
      );
      expect(lines.toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
        ...(define === keyedByEnds ? ['DELETE [3, 5)'] : ['DELETE [3, )']),
        'DELETE [4, )',
        'DELETE [6, )',
        'INSERT [1, 2)',
        'INSERT [1, 4)',
        'INSERT [5, 6)',
        'UPDATE [2, 3)',
      ]);
    });
  });

  it(
    'is refused by name where it leaves out an end',
    refuses('Relations: pivotEntity with versions that leave out an end'),
    async ({ task }) => {
      const { Article, Tag, Tagging } = keyedByItself(false);
      const extension = Versioning.with({ entities: [[Tagging, { exclude: ['tag'] }]] });
      await expectRefusal(
        task,
        createOrm(db, { entities: [Article, Tag, Tagging], extensions: [extension] }),
        ErrorCode.UNSUPPORTED,
        'Tagging is versioned, but not with the target of Article.tags. Give it a relation to it, and keep it out of exclude; or remove its mark, and its links have a history of their own.',
      );
    },
  );

  it(
    'is refused by name where it leaves out the order',
    refuses('Relations: pivotEntity with versions that leave out the order'),
    async ({ task }) => {
      const Track = defineEntity({ name: 'Track', properties: { id: p.integer().primary() } });
      const Entry = defineEntity({
        name: 'Entry',
        properties: {
          list: () => p.manyToOne(List as never).primary(),
          track: () => p.manyToOne(Track).primary(),
          position: p.integer(),
        },
      });
      const List = versioned(
        defineEntity({
          name: 'List',
          properties: {
            id: p.integer().primary(),
            tracks: () =>
              p
                .manyToMany(Track)
                .pivotEntity(() => Entry)
                .fixedOrder()
                .fixedOrderColumn('position'),
          },
        }),
      ) as never;
      const extension = Versioning.with({ entities: [[Entry, { exclude: ['position'] }]] });
      await expectRefusal(
        task,
        createOrm(db, { entities: [List, Track, Entry], extensions: [extension] }),
        ErrorCode.UNSUPPORTED,
        'Entry is versioned, but not with the order of List.tracks. Keep position out of exclude.',
      );
    },
  );
});

describeEachDatabase('an ordered collection of several classes', db => {
  const Song = versioned(defineEntity({ name: 'Song', properties: { id: p.integer().primary(), name: p.string() } }));
  const Film = versioned(defineEntity({ name: 'Film', properties: { id: p.integer().primary(), name: p.string() } }));

  @Entity()
  @Versioned()
  class Programme {
    @PrimaryKey({ type: 'integer' })
    id!: number;

    @ManyToMany({ entity: () => [Song, Film] as never, discriminator: 'item', fixedOrder: true })
    items!: Collection<{ id: number; name: string }>;

    declare readonly versions: Versions<Programme>;
  }

  it('comes back in its order', async () => {
    const orm = await createOrm(db, { entities: [Song, Film, Programme], extensions: [Versioning] });
    const em = orm.em.fork();
    const items = [em.create(Film, { id: 2, name: 'F2' }), em.create(Song, { id: 1, name: 'S1' })];
    items.push(em.create(Film, { id: 1, name: 'F1' }));
    const programme = em.create(Programme, { id: 1 } as never) as Programme;
    programme.items.set(items);
    await em.flush();
    programme.items.set([items[2]!]);
    await em.flush();
    const other = orm.em.fork();
    const [version] = await other.find(versionOf(Programme), {});
    const changes = await version!.changesetWithLinks();
    expect((changes as Record<string, unknown>)['items']).toEqual([
      [],
      [
        ['film', 2],
        ['song', 1],
        ['film', 1],
      ],
    ]);
    await revert(version!, { relations: ['items'] as never });
    await other.flush();
    const back = await orm.em.fork().findOneOrFail(Programme, 1, { populate: ['items'] });
    expect(back.items.map(item => item.name)).toEqual(['F2', 'S1', 'F1']);
  });
});

function classesTag(orm: { getMetadata(): { getByClassName(name: string): { class: object } } }): never {
  return orm.getMetadata().getByClassName('Tag').class as never;
}
