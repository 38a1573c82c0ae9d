import {
  defineEntity,
  EntitySchema,
  p,
  type Collection,
  type InferEntity,
  type Opt,
  type Ref,
  type ScalarRef,
} from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/sql';
import {
  revert,
  Versioned,
  versioned,
  versionOf,
  type Version,
  type VersionOf,
  type Versions,
  type VersionTransaction,
} from 'mikro-orm-versioning';
import { describe, expectTypeOf, it } from 'vitest';

declare const em: EntityManager;

describe('versioned(defineEntity({ … }))', () => {
  const User = defineEntity({ name: 'User', properties: { id: p.integer().primary(), name: p.string() } });
  const Tag = versioned(defineEntity({ name: 'Tag', properties: { code: p.string().primary(), name: p.string() } }));
  const Category = versioned(
    defineEntity({
      name: 'Category',
      properties: {
        id: p.integer().primary().autoincrement(),
        name: p.string(),
        parent: () => p.manyToOne(Category).nullable(),
        // a circle of two versioned entities
        articles: () => p.oneToMany(Article).mappedBy('category'),
      },
    }),
  );
  const Article = versioned(
    defineEntity({
      name: 'Article',
      properties: {
        id: p.integer().primary().autoincrement(),
        name: p.string(),
        note: p.text().nullable(),
        body: p.text().lazy().ref(),
        views: p.integer().default(0),
        category: () => p.manyToOne(Category),
        wrapped: () => p.manyToOne(Category).ref().nullable(),
        lazy: () => p.manyToOne(Category).lazyRef(),
        key: () => p.manyToOne(Category).mapToPk(),
        editor: () => p.manyToOne(User).ref(),
        tags: () => p.manyToMany(Tag),
      },
    }),
    { exclude: ['views'] },
  );

  it('adds `versions` to the type of the entity', async () => {
    const article = await em.findOneOrFail(Article, 1, {
      populate: ['versions.category.parent', 'versions.tags', 'versions.wrapped', 'versions.lazy', 'versions.editor'],
    });
    const version = article.versions[0]!;
    expectTypeOf(version.name).toEqualTypeOf<string>();
    expectTypeOf(version.category.name).toEqualTypeOf<string>();
    expectTypeOf(version.category.parent?.name).toEqualTypeOf<string | undefined>();
    expectTypeOf(version.wrapped?.$.name).toEqualTypeOf<string | undefined>();
    expectTypeOf(version.lazy.name).toEqualTypeOf<string>();
    expectTypeOf(version.editor.$.name).toEqualTypeOf<string>();
    expectTypeOf(version.key).toEqualTypeOf<number>();
    expectTypeOf(version.tags.$[0]!.name).toEqualTypeOf<string>();
    expectTypeOf(version.body).toEqualTypeOf<ScalarRef<string>>();
    expectTypeOf(version.changeset.category).toEqualTypeOf<
      readonly [old: Opt<number> | null, new: Opt<number> | null] | undefined
    >();
    expectTypeOf(version.changeset.tags?.[1]).toEqualTypeOf<readonly string[] | null | undefined>();
    expectTypeOf(version.entity).toEqualTypeOf<InferEntity<typeof Article> | null>();
    expectTypeOf(revert(version)).toEqualTypeOf<Promise<InferEntity<typeof Article> | null>>();
    // @ts-expect-error readonly
    version.name = 'x';
    // @ts-expect-error not populated relation of a target
    void version.category.articles.$;
    // @ts-expect-error excluded
    void version.views;
    // @ts-expect-error no such relation
    await em.findOne(Article, 1, { populate: ['versions.categori'] });
  });

  it('leads from version to version, and to live rows', () => {
    type ArticleVersion = InferEntity<typeof Article>['versions'][number];
    type CategoryVersion = InferEntity<typeof Category>['versions'][number];
    expectTypeOf<ArticleVersion['category']>().toEqualTypeOf<CategoryVersion>();
    expectTypeOf<CategoryVersion['articles']>().toEqualTypeOf<Collection<ArticleVersion>>();
    expectTypeOf<ArticleVersion['editor']>().toEqualTypeOf<Ref<InferEntity<typeof User>>>();
    expectTypeOf<CategoryVersion>().toEqualTypeOf<Version<InferEntity<typeof Category>>>();
    expectTypeOf<ArticleVersion>().toEqualTypeOf<VersionOf<InferEntity<typeof Article>>>();
  });

  it('is still a schema', async () => {
    em.create(Article, { name: 'x', body: 'text', category: 1, lazy: 1, key: 1, editor: 1 });
    // @ts-expect-error without a name
    em.create(Article, { body: 'text', category: 1, lazy: 1, key: 1, editor: 1 });
    const article = await em.findOneOrFail(Article, { category: { name: 'x' } });
    em.assign(article, { name: 'x' });
    expectTypeOf(Article.name).toEqualTypeOf<'Article'>();
    expectTypeOf(Article.properties.name).toHaveProperty('nullable');
    expectTypeOf<InstanceType<typeof Article.class>['versions'][number]['name']>().toEqualTypeOf<string>();
  });

  it('has versions that are found through the schema', async () => {
    const [version] = await em.find(
      versionOf(Article),
      { category: { name: 'x' }, transaction: { actor: 'kim' } },
      { populate: ['category', 'previous'], orderBy: { transaction: 'desc' } },
    );
    expectTypeOf(version!.category.name).toEqualTypeOf<string>();
    expectTypeOf(version!.previous?.name).toEqualTypeOf<string | undefined>();
    // @ts-expect-error unknown property
    await em.find(versionOf(Article), { nome: 'x' });
  });
});

describe('a schema with a class', () => {
  const NoteSchema = versioned(
    defineEntity({ name: 'Note', properties: { id: p.integer().primary(), text: p.string() } }),
  );
  class Note extends NoteSchema.class {
    shout(): string {
      return this.text.toUpperCase();
    }
  }
  NoteSchema.setClass(Note);

  const PageSchema = defineEntity({
    name: 'Page',
    properties: {
      id: p.integer().primary(),
      note: () => p.manyToOne(Note),
      parent: () => p.manyToOne(Page).nullable(),
    },
  });
  class Page extends PageSchema.class {
    declare readonly versions: Versions<Page>;

    turn(): void {}
  }
  PageSchema.setClass(Page);
  versioned(PageSchema, { exclude: ['note'] });

  class Plain {
    id!: number;
    name!: string;
    declare readonly versions: Versions<Plain>;
  }
  const PlainSchema = versioned(
    defineEntity({ class: Plain, properties: { id: p.integer().primary(), name: p.string() } }),
  );

  it('that extends a versioned schema has its versions', async () => {
    const note = await em.findOneOrFail(Note, 1, { populate: ['versions'] });
    expectTypeOf(note.versions[0]!.text).toEqualTypeOf<string>();
    expectTypeOf(note.shout()).toEqualTypeOf<string>();
    // @ts-expect-error methods belong to the entity
    note.versions[0]!.shout();
    expectTypeOf(versionOf(Note).prototype).toEqualTypeOf<Note['versions'][number]>();
  });

  it('can declare its versions itself', async () => {
    const page = await em.findOneOrFail(Page, 1, { populate: ['versions.parent', 'versions.note'] });
    expectTypeOf(page.versions[0]!.parent?.id).toEqualTypeOf<number | undefined>();
    expectTypeOf(page.versions[0]!.note.text).toEqualTypeOf<string>();
    // @ts-expect-error methods belong to the entity
    page.versions[0]!.turn();
    expectTypeOf(page.versions[0]!.entity).toEqualTypeOf<Page | null>();
  });

  it('that declares its versions stays as it is', () => {
    expectTypeOf<InferEntity<typeof PlainSchema>>().toEqualTypeOf<Plain>();
    expectTypeOf(versionOf(PlainSchema).prototype).toEqualTypeOf<Version<Plain>>();
  });
});

describe('versioned(new EntitySchema({ … }))', () => {
  interface Author {
    id: number;
    name: string;
    mentor: Author | null;
    readonly versions: Versions<Author>;
  }
  // MikroORM asks for every property of the interface but those of the base: the versions are none of the schema's
  const AuthorSchema: EntitySchema<Author, Pick<Author, 'versions'>> = new EntitySchema({
    name: 'Author',
    properties: {
      id: { type: 'integer', primary: true },
      name: { type: 'string' },
      mentor: { kind: 'm:1', entity: () => AuthorSchema, nullable: true },
    },
  });
  versioned(AuthorSchema, { tableName: 'author_history' });

  interface Town {
    id: number;
    name: string;
  }
  const TownSchema = versioned(
    new EntitySchema<Town>({
      name: 'Town',
      properties: { id: { type: 'integer', primary: true }, name: { type: 'string' } },
    }),
  );

  it('takes the versions that the interface declares', async () => {
    const author = await em.findOneOrFail(AuthorSchema, 1, { populate: ['versions.mentor'] });
    expectTypeOf(author.versions[0]!.mentor?.name).toEqualTypeOf<string | undefined>();
    expectTypeOf(author.versions[0]!.entity).toEqualTypeOf<Author | null>();
    expectTypeOf(versionOf(AuthorSchema).prototype).toEqualTypeOf<Version<Author>>();
    // @ts-expect-error unknown property
    await em.find(versionOf(AuthorSchema), { nome: 'x' });
    // @ts-expect-error unknown property
    versioned(AuthorSchema, { exclude: ['nome'] });
  });

  it('adds `versions` where it declares none', async () => {
    const town = await em.findOneOrFail(TownSchema, 1, { populate: ['versions.previous'] });
    expectTypeOf(town.versions[0]!.previous?.name).toEqualTypeOf<string | undefined>();
    expectTypeOf(revert(town.versions[0]!)).toEqualTypeOf<Promise<InferEntity<typeof TownSchema> | null>>();
  });
});

describe('base entities', () => {
  const Base = defineEntity({
    name: 'Base',
    abstract: true,
    properties: { id: p.integer().primary(), createdAt: p.datetime().defaultRaw('now()') },
  });
  const Photo = versioned(defineEntity({ name: 'Photo', extends: Base, properties: { title: p.string() } }));

  it('give their properties to the version', () => {
    type PhotoVersion = InferEntity<typeof Photo>['versions'][number];
    expectTypeOf<PhotoVersion['id']>().toEqualTypeOf<number>();
    expectTypeOf<PhotoVersion['title']>().toEqualTypeOf<string>();
    expectTypeOf<PhotoVersion['createdAt']>().toExtend<Date>();
  });
});

describe('composite keys', () => {
  const Room = versioned(
    defineEntity({
      name: 'Room',
      primaryKeys: ['house', 'number'],
      properties: { house: p.string().primary(), number: p.integer().primary(), name: p.string() },
    }),
    { rename: { number: 'roomNumber' } },
  );
  const Desk = versioned(
    defineEntity({ name: 'Desk', properties: { id: p.integer().primary(), room: () => p.manyToOne(Room) } }),
  );

  it('are arrays in a changeset', () => {
    type Keys = readonly [string, number];
    type DeskVersion = InferEntity<typeof Desk>['versions'][number];
    expectTypeOf<NonNullable<NonNullable<DeskVersion['changeset']['room']>[0]>>().toEqualTypeOf<Keys>();
    expectTypeOf<DeskVersion['room']['roomNumber']>().toEqualTypeOf<number>();
  });
});

describe('options of versioned()', () => {
  const schema = defineEntity({
    name: 'Order',
    properties: { id: p.integer().primary(), transaction: p.string(), total: p.integer() },
  });

  it('are known to the version', () => {
    const Order = versioned(schema, { rename: { transaction: 'payment' }, exclude: ['total'] });
    type OrderVersion = InferEntity<typeof Order>['versions'][number];
    expectTypeOf<OrderVersion['payment']>().toEqualTypeOf<string>();
    expectTypeOf<OrderVersion['transaction']>().toEqualTypeOf<VersionTransaction>();
    expectTypeOf<OrderVersion>().not.toHaveProperty('total');
    expectTypeOf(versionOf(Order).prototype).toEqualTypeOf<OrderVersion>();
  });

  it('name the collection of versions', async () => {
    const Order = versioned(schema, { versionsProperty: 'history' });
    const order = await em.findOneOrFail(Order, 1, { populate: ['history.transaction'] });
    expectTypeOf(order.history[0]!.total).toEqualTypeOf<number>();
    expectTypeOf(order).not.toHaveProperty('versions');
    expectTypeOf(order.history[0]!).not.toHaveProperty('history');
  });

  it('are checked', () => {
    const Order = versioned(schema, { tableName: 'orders_history' });
    expectTypeOf(versionOf(Order).prototype.total).toEqualTypeOf<number>();
    // @ts-expect-error unknown option
    versioned(schema, { tableNam: 'x' });
    // @ts-expect-error unknown property
    versioned(schema, { exclude: ['typo'] });
    // @ts-expect-error one of them is unknown
    versioned(schema, { exclude: ['total', 'typo'] });
    // @ts-expect-error unknown property
    versioned(schema, { rename: { typo: 'x' } });
    // @ts-expect-error not a name
    versioned(schema, { rename: { total: 1 } });
    // @ts-expect-error not a schema
    versioned('Order');
    // @ts-expect-error unknown option
    Versioned({ tableNam: 'x' });
  });
});
