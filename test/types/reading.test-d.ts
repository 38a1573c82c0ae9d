import type { Loaded, Ref } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/sql';
import {
  changeset,
  countVersions,
  isModified,
  loadHistory,
  Operation,
  revert,
  versionOf,
  VersionTransaction,
  type Changeset,
  type Version,
  type Versions,
} from 'mikro-orm-versioning';
import { describe, expectTypeOf, it } from 'vitest';

import { Article, Category, Tag, User } from './entities.ts';

declare const em: EntityManager;

describe('article.versions', () => {
  it('is populated at any depth', async () => {
    const article = await em.findOneOrFail(Article, 1, {
      populate: [
        'versions.category',
        'versions.tags',
        'versions.category.parent',
        'versions.wrapped',
        'versions.author',
      ],
    });
    const version = article.versions[0]!;
    expectTypeOf(version.category.name).toEqualTypeOf<string>();
    expectTypeOf(version.category.parent?.name).toEqualTypeOf<string | undefined>();
    expectTypeOf(version.second?.id).toEqualTypeOf<number | undefined>();
    expectTypeOf(version.wrapped?.$.name).toEqualTypeOf<string | undefined>();
    expectTypeOf(version.author.name).toEqualTypeOf<string>();
    expectTypeOf(version.tags.$[0]!.code).toEqualTypeOf<string>();
    expectTypeOf(version.tags.map(tag => tag.name)).toEqualTypeOf<string[]>();
    expectTypeOf(version.operationType === Operation.INSERT).toEqualTypeOf<boolean>();
    expectTypeOf(version.transaction.actor).toEqualTypeOf<string | null>();
    expectTypeOf(version.address.city).toEqualTypeOf<string>();
    expectTypeOf(article.versions[1]!.changeset).toEqualTypeOf<Changeset<Article>>();
  });

  it('is loaded, filtered and counted like any collection', async () => {
    const article = await em.findOneOrFail(Article, 1);
    await article.versions.init({ where: { operationType: Operation.UPDATE }, orderBy: { transaction: 'desc' } });
    await article.versions.loadCount();
    const versions = await article.versions.matching({
      where: { category: { name: 'x' } },
      populate: ['tags'],
      limit: 2,
    });
    expectTypeOf(versions[0]!.tags.$[0]!.name).toEqualTypeOf<string>();
  });

  it('refuses what is not populated, and paths that do not exist', async () => {
    const article = await em.findOneOrFail(Article, 1, { populate: ['versions'] });
    expectTypeOf(article.versions[0]!.wrapped).toEqualTypeOf<Ref<Version<Category>> | null>();
    // @ts-expect-error not populated
    void article.versions[0]!.wrapped!.$;
    // @ts-expect-error no such relation
    await em.findOne(Article, 1, { populate: ['versions.categori'] });
    // @ts-expect-error no such relation of the target's version
    await em.findOne(Article, 1, { populate: ['versions.category.parents'] });
    // @ts-expect-error versions have no versions
    await em.findOne(Article, 1, { populate: ['versions.versions'] });
    // @ts-expect-error nor do those of targets
    await em.findOne(Article, 1, { populate: ['versions.category.versions'] });
  });

  it('is not asked for when an entity is created', () => {
    em.create(Category, { name: 'x', parent: null });
    expectTypeOf(em.create(Category, { name: 'x' }).versions).toExtend<Versions<Category>>();
    // @ts-expect-error the name is
    em.create(Category, { parent: null });
  });
});

describe('em.find(versionOf(Article), …)', () => {
  it('takes conditions, order, populate and pagination', async () => {
    const versions = await em.find(
      versionOf(Article),
      {
        category: { name: 'x', transaction: { id: { $lte: 7 } } },
        tags: { code: ['a', 'b'] },
        operationType: Operation.UPDATE,
        transaction: { actor: 'kim', issuedAt: { $gt: new Date() } },
        endTransaction: null,
        validFrom: { $lt: new Date() },
        address: { city: 'Oslo' },
        author: 1,
      },
      {
        populate: ['category', 'transaction', 'previous', 'entity', 'previous.category'],
        orderBy: { transaction: 'desc', category: { name: 'asc' } },
        limit: 10,
        offset: 20,
      },
    );
    expectTypeOf(versions[0]!).toExtend<Version<Article>>();
    expectTypeOf(versions[0]!.category.name).toEqualTypeOf<string>();
    expectTypeOf(versions[0]!.previous?.category.name).toEqualTypeOf<string | undefined>();
    versions[0]!.entity?.publish();
  });

  it('takes a version’s own key', async () => {
    const version = await em.findOne(versionOf(Article), 7, { populate: ['wrapped'] });
    expectTypeOf(version?.wrapped?.$.name).toEqualTypeOf<string | undefined>();
    await em.findOneOrFail(versionOf(Article), { id: 1, endTransaction: null });
    expectTypeOf(em.getReference(versionOf(Article), 7)).toEqualTypeOf<Version<Article>>();
    expectTypeOf(await em.count(versionOf(Article), { id: 1 })).toEqualTypeOf<number>();
    const [page, total] = await em.findAndCount(versionOf(Tag), { articles: { name: 'x' } });
    expectTypeOf(page[0]!.code).toEqualTypeOf<string>();
    expectTypeOf(total).toEqualTypeOf<number>();
  });

  it('takes fields', async () => {
    const [version] = await em.find(versionOf(Article), {}, { fields: ['name', 'category.name'] });
    expectTypeOf(version!.name).toEqualTypeOf<string>();
    expectTypeOf(version!.category.name).toEqualTypeOf<string>();
    // @ts-expect-error not among the fields
    void version!.note;
  });

  it('streams', async () => {
    for await (const version of em.stream(versionOf(Article), { where: { id: 1 } })) {
      expectTypeOf(version.name).toEqualTypeOf<string>();
    }
  });

  it('refuses properties that a version does not have', async () => {
    expectTypeOf(await em.count(versionOf(Article), { name: 'x' })).toEqualTypeOf<number>();
    // @ts-expect-error unknown property
    await em.find(versionOf(Article), { nome: 'x' });
    // @ts-expect-error another type
    await em.find(versionOf(Article), { name: 1 });
    // @ts-expect-error a version has no versions
    await em.find(versionOf(Article), { versions: 1 });
    // @ts-expect-error nor methods
    await em.find(versionOf(Article), { publish: 1 });
    // @ts-expect-error unknown property of a target's version
    await em.find(versionOf(Article), { category: { nome: 'x' } });
    // @ts-expect-error unknown relation
    await em.find(versionOf(Article), {}, { populate: ['categori'] });
    // @ts-expect-error unknown property
    await em.find(versionOf(Article), {}, { orderBy: { nome: 'asc' } });
    // @ts-expect-error a key of another type
    await em.findOne(versionOf(Article), true);
    // @ts-expect-error not an entity
    versionOf('Article');
  });

  it('answers a query builder', async () => {
    const versions = await em
      .createQueryBuilder(versionOf(Article), 'v')
      .leftJoinAndSelect('v.category', 'c')
      .where({ 'c.name': 'x', operationType: Operation.UPDATE })
      .orderBy({ 'v.transaction': 'desc' })
      .getResultList();
    expectTypeOf(versions[0]!.category.name).toEqualTypeOf<string>();
    // @ts-expect-error unknown relation
    em.createQueryBuilder(versionOf(Article), 'v').leftJoinAndSelect('v.categori', 'c');
  });

  it('finds transactions', async () => {
    const [transaction] = await em.find(VersionTransaction, { actor: 'kim' }, { orderBy: { id: 'desc' } });
    expectTypeOf(transaction!.issuedAt).toEqualTypeOf<Date>();
  });
});

describe('to-many relations of a version', () => {
  it('are collections', async () => {
    const version = await em.findOneOrFail(versionOf(Article), 7);
    const tags = await version.tags.loadItems({ where: { name: 'x' }, orderBy: { name: 'asc' } });
    expectTypeOf(tags).toEqualTypeOf<Loaded<Version<Tag>>[]>();
    expectTypeOf(await version.tags.loadCount({ where: { code: 'a' } })).toEqualTypeOf<number>();
    const matching = await version.tags.matching({ where: { name: 'x' }, limit: 1, populate: ['articles'] });
    expectTypeOf(matching[0]!.articles.$[0]!.name).toEqualTypeOf<string>();
    const readers = await version.readers.loadItems();
    expectTypeOf(readers).toEqualTypeOf<Loaded<User>[]>();
    // @ts-expect-error unknown property
    await version.tags.loadItems({ where: { nome: 'x' } });
  });

  it('load their wrapped references', async () => {
    const version = await em.findOneOrFail(versionOf(Article), 7);
    expectTypeOf(version.wrapped).toEqualTypeOf<Ref<Version<Category>> | null>();
    expectTypeOf((await version.wrapped!.loadOrFail()).name).toEqualTypeOf<string>();
    expectTypeOf(await version.body.load()).toEqualTypeOf<string | undefined>();
  });
});

describe('functions', () => {
  it('revert() gives the live entity', async () => {
    const article = await em.findOneOrFail(Article, 1, { populate: ['versions'] });
    expectTypeOf(revert(article.versions[0]!)).toEqualTypeOf<Promise<Article | null>>();
    expectTypeOf(revert(article, 2)).toEqualTypeOf<Promise<Article | null>>();
    const version = await em.findOneOrFail(versionOf(Article), 7, { populate: ['category'] });
    expectTypeOf(revert(version)).toEqualTypeOf<Promise<Article | null>>();
    await revert(version, { relations: ['category', 'tags', 'category.parent'] });
    await revert(article, 2, { relations: ['tags'] });
  });

  it('revert() refuses what it can not go back to', async () => {
    const article = await em.findOneOrFail(Article, 1, { populate: ['versions'] });
    expectTypeOf(article.versions[0]!.entity).toEqualTypeOf<Article | null>();
    // @ts-expect-error a live entity without a number
    await revert(article);
    // @ts-expect-error unknown relation
    await revert(article.versions[0]!, { relations: ['categori'] });
    // @ts-expect-error unknown relation of a relation
    await revert(article, 2, { relations: ['category.parents'] });
    // @ts-expect-error unknown option
    await revert(article, 2, { relation: ['tags'] });
  });

  it('loadHistory() gives what it was given', async () => {
    const versions = await em.find(versionOf(Article), { id: 1 }, { populate: ['category'] });
    expectTypeOf(await loadHistory(versions)).toEqualTypeOf(versions);
    expectTypeOf(await loadHistory(versions[0]!)).toEqualTypeOf(versions[0]!);
    // @ts-expect-error not a version
    await loadHistory(new User());
    // @ts-expect-error not versions
    await loadHistory([new User()]);
  });

  it('countVersions() and isModified() take an entity', async () => {
    const article = await em.findOneOrFail(Article, 1);
    expectTypeOf(await countVersions(article)).toEqualTypeOf<number>();
    expectTypeOf(isModified(article)).toEqualTypeOf<boolean>();
  });

  it('changeset() is typed by the entity, however it was loaded', async () => {
    expectTypeOf(changeset(await em.findOneOrFail(Article, 1))).toEqualTypeOf<Changeset<Article>>();
    expectTypeOf(changeset(await em.findOneOrFail(Article, 1, { populate: ['tags'] }))).toEqualTypeOf<
      Changeset<Article>
    >();
    expectTypeOf(changeset(await em.findOneOrFail(Article, 1, { fields: ['name'] }))).toEqualTypeOf<
      Changeset<Article>
    >();
    expectTypeOf(changeset({} as Article)).toEqualTypeOf<Changeset<Article>>();
  });
});

describe('Changeset<Article>', () => {
  const changes = {} as Changeset<Article>;

  it('has pairs of old and new', () => {
    expectTypeOf(changes.name).toEqualTypeOf<readonly [old: string | null, new: string | null] | undefined>();
    expectTypeOf(changes.note).toEqualTypeOf<readonly [old: string | null, new: string | null] | undefined>();
    expectTypeOf(changes.meta?.[1]?.pages).toEqualTypeOf<number[] | undefined>();
    expectTypeOf(changes.address?.[1]?.city).toEqualTypeOf<string | undefined>();
    expectTypeOf(changes.keywords?.[0]).toEqualTypeOf<string[] | null | undefined>();
    expectTypeOf(changes.body).toEqualTypeOf<readonly [old: string | null, new: string | null] | undefined>();
  });

  it('has keys for relations', () => {
    type Keys = readonly [old: number | null, new: number | null] | undefined;
    expectTypeOf(changes.category).toEqualTypeOf<Keys>();
    expectTypeOf(changes.second).toEqualTypeOf<Keys>();
    expectTypeOf(changes.wrapped).toEqualTypeOf<Keys>();
    expectTypeOf(changes.author).toEqualTypeOf<Keys>();
    expectTypeOf(changes.categoryId).toEqualTypeOf<Keys>();
    expectTypeOf(changes.tags).toEqualTypeOf<
      readonly [old: readonly string[] | null, new: readonly string[] | null] | undefined
    >();
  });

  it('has nothing else', () => {
    expectTypeOf(changes).not.toHaveProperty('versions');
    expectTypeOf(changes).not.toHaveProperty('publish');
    // @ts-expect-error readonly
    changes.name = ['a', 'b'];
  });
});
