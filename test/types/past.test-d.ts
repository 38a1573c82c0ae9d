import type { EntityManager } from '@mikro-orm/sql';
import {
  asOf,
  between,
  diff,
  history,
  restore,
  undo,
  versionOf,
  VersionTransaction,
  type Change,
  type Changeset,
  type Difference,
  type Operation,
  type Version,
} from 'mikro-orm-versioning';
import { describe, expectTypeOf, it } from 'vitest';

import { Article, Category, Tag } from './entities.ts';

declare const em: EntityManager;
declare const transaction: VersionTransaction;

describe('the past', () => {
  it('is a manager of the same class, with entities as they are', async () => {
    const past = asOf(em, transaction);
    expectTypeOf(past).toEqualTypeOf<EntityManager>();
    const article = await past.findOneOrFail(Article, { category: { name: 'x' } }, { populate: ['tags'] });
    expectTypeOf(article.tags.$[0]!.code).toEqualTypeOf<string>();
    asOf(em, await em.findOneOrFail(versionOf(Article), 1));
    asOf(em, 'latest');
    // @ts-expect-error no moment
    asOf(em, '2024');
  });

  it('is restored by the key of the class', async () => {
    expectTypeOf(await restore(em, Tag, 'a', { relations: ['articles.category'] })).toEqualTypeOf<Tag>();
    // @ts-expect-error another type of key
    await restore(em, Tag, 1);
    // @ts-expect-error no such relation
    await restore(em, Tag, 'a', { relations: ['article'] });
  });

  it('is undone by transaction', async () => {
    expectTypeOf(await undo(em, transaction, { force: true })).toEqualTypeOf<Change[]>();
    // @ts-expect-error a time is no transaction
    await undo(em, new Date());
  });
});

describe('between', () => {
  it('has the changes of the classes that were asked for', async () => {
    const [change] = await between(em, 1, new Date(), { entities: [Article] });
    expectTypeOf(change!.key).toEqualTypeOf<number>();
    expectTypeOf(change!.operation).toEqualTypeOf<Operation | null>();
    expectTypeOf(change!.changeset).toEqualTypeOf<Changeset<Article>>();
    expectTypeOf(change!.versions[0]!.category.name).toEqualTypeOf<string>();
    expectTypeOf(change!.entity).toExtend<abstract new (...args: never[]) => Article>();
    expectTypeOf(await between(em, 1, 2)).toExtend<Change[]>();
    // @ts-expect-error no moment
    await between(em, 1, 'now');
  });
});

describe('history', () => {
  it('has versions by conditions on the entity, with what is populated', async () => {
    const versions = await history(
      em,
      Article,
      { category: { name: 'x' }, tags: 'a' },
      { from: 1, to: new Date(), populate: ['category', 'previous'], orderBy: { transaction: 'desc' }, limit: 3 },
    );
    expectTypeOf(versions[0]!).toExtend<Version<Article>>();
    expectTypeOf(versions[0]!.category.name).toEqualTypeOf<string>();
    await history(em, Category, 1);
    // @ts-expect-error no such property
    await history(em, Category, { nome: 'x' });
    // @ts-expect-error no such relation of a version
    await history(em, Category, {}, { populate: ['versions'] });
  });
});

describe('diff', () => {
  it('knows the properties of versions and of a row at two moments, and lists graphs', async () => {
    const article = await em.findOneOrFail(Article, 1, { populate: ['versions'] });
    const changes = await diff(article.versions[0]!, article.versions[1]!);
    expectTypeOf(changes.name).toEqualTypeOf<Changeset<Article>['name']>();
    expectTypeOf((await diff(article, 1, 'latest')).tags).toEqualTypeOf<Changeset<Article>['tags']>();
    expectTypeOf((await diff(article.versions[0]!, 1, transaction)).name).toEqualTypeOf<Changeset<Article>['name']>();
    expectTypeOf(await diff(await asOf(em, 1).find(Article, {}), [article])).toEqualTypeOf<Difference[]>();
    // @ts-expect-error one moment is none too few
    await diff(article, 1);
  });
});
