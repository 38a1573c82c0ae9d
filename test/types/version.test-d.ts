import type { Collection, Hidden, LazyRef, Opt, Ref, ScalarRef } from '@mikro-orm/core';
import {
  Operation,
  versionOf,
  type Changeset,
  type Version,
  type VersionMembers,
  type VersionTransaction,
  type Versions,
} from 'mikro-orm-versioning';
import { describe, expectTypeOf, it } from 'vitest';

import { Article, Category, Tag, User, type Address, type Cover, type Status } from './entities.ts';

type ArticleVersion = Version<Article>;
type Json = string | number | Json[] | { [key: string]: Json };

describe('Version<Article>', () => {
  it('has the properties of the entity with their types, and a version’s own', () => {
    expectTypeOf<Exclude<keyof ArticleVersion, keyof VersionMembers>>().toEqualTypeOf<
      Exclude<keyof Article, 'versions' | 'publish'>
    >();
    expectTypeOf<ArticleVersion['id']>().toEqualTypeOf<number>();
    expectTypeOf<ArticleVersion['name']>().toEqualTypeOf<string>();
    expectTypeOf<ArticleVersion['note']>().toEqualTypeOf<string | null | undefined>();
    expectTypeOf<ArticleVersion['status']>().toEqualTypeOf<Opt<Status>>();
    expectTypeOf<ArticleVersion['createdAt']>().toEqualTypeOf<Opt<Date>>();
    expectTypeOf<ArticleVersion['meta']>().toEqualTypeOf<{ source: string; pages: number[] }>();
    expectTypeOf<ArticleVersion['keywords']>().toEqualTypeOf<string[]>();
    expectTypeOf<ArticleVersion['body']>().toEqualTypeOf<ScalarRef<string>>();
    expectTypeOf<ArticleVersion['address']>().toEqualTypeOf<Address>();
    expectTypeOf<ArticleVersion['addresses']>().toEqualTypeOf<Opt<Address[]>>();
  });

  it('leads to the versions of versioned targets', () => {
    expectTypeOf<ArticleVersion['category']>().toEqualTypeOf<Version<Category>>();
    expectTypeOf<ArticleVersion['second']>().toEqualTypeOf<Version<Category> | null>();
    expectTypeOf<ArticleVersion['wrapped']>().toEqualTypeOf<Ref<Version<Category>> | null>();
    expectTypeOf<Version<{ id: number; category: LazyRef<Category> }>['category']>().toEqualTypeOf<
      LazyRef<Version<Category>>
    >();
    expectTypeOf<ArticleVersion['cover']>().toEqualTypeOf<Version<Cover> | null | undefined>();
    expectTypeOf<ArticleVersion['tags']>().toEqualTypeOf<Collection<Version<Tag>>>();
    expectTypeOf<Version<Category>['articles']>().toEqualTypeOf<Collection<ArticleVersion>>();
    expectTypeOf<Version<Category>['parent']>().toEqualTypeOf<Version<Category> | null>();
  });

  it('leads to each target of a polymorphic relation, whose keys have the class before them', () => {
    interface Like {
      id: number;
      subject: Article | Category | null;
      seenOn: Ref<Article> | Ref<User> | null;
      marks: Collection<Tag | User>;
      versions: Versions<Like>;
    }
    expectTypeOf<Version<Like>['subject']>().toEqualTypeOf<Version<Article> | Version<Category> | null>();
    expectTypeOf<Version<Like>['seenOn']>().toEqualTypeOf<Ref<Version<Article>> | Ref<User> | null>();
    expectTypeOf<Version<Like>['marks']>().toEqualTypeOf<Collection<Version<Tag> | User>>();
    type Key = readonly [type: string, key: number];
    type Mark = Key | readonly [type: string, key: string];
    expectTypeOf<Changeset<Like>['subject']>().toEqualTypeOf<readonly [old: Key | null, new: Key | null] | undefined>();
    expectTypeOf<Changeset<Like>['seenOn']>().toEqualTypeOf<readonly [old: Key | null, new: Key | null] | undefined>();
    expectTypeOf<Changeset<Like>['marks']>().toEqualTypeOf<
      readonly [old: readonly Mark[] | null, new: readonly Mark[] | null] | undefined
    >();
  });

  it('leads to the live rows of other targets', () => {
    expectTypeOf<ArticleVersion['author']>().toEqualTypeOf<User>();
    expectTypeOf<ArticleVersion['editor']>().toEqualTypeOf<Ref<User>>();
    expectTypeOf<ArticleVersion['readers']>().toEqualTypeOf<Collection<User>>();
  });

  it('keeps values of any type', () => {
    class Money {
      amount!: bigint;
      add(other: Money): Money {
        return other;
      }
    }
    interface Values {
      id: bigint;
      flag: boolean;
      bytes: Uint8Array;
      pair: readonly [number, string];
      choice: 'a' | 'b' | null;
      record: Record<string, unknown>;
      anything: object;
      empty: {};
      unknown: unknown;
      any: any;
      json: Json;
      money: Money;
      secret: Hidden<string>;
      optional?: number;
      handler?: () => void;
      versions: Versions<Values>;
    }
    expectTypeOf<Pick<Version<Values>, Exclude<keyof Values, 'versions' | 'handler'>>>().toEqualTypeOf<
      Readonly<Omit<Values, 'versions' | 'handler'>>
    >();
    expectTypeOf<Version<Values>>().not.toHaveProperty('handler');
    expectTypeOf<Changeset<Values>['money']>().toEqualTypeOf<readonly [Money | null, Money | null] | undefined>();
    expectTypeOf<Changeset<Values>['id']>().toEqualTypeOf<readonly [bigint | null, bigint | null] | undefined>();
    expectTypeOf<Changeset<Values>['unknown']>().toEqualTypeOf<readonly [unknown, unknown] | undefined>();
    expectTypeOf<Changeset<Values>['record']>().toEqualTypeOf<
      readonly [Record<string, unknown> | null, Record<string, unknown> | null] | undefined
    >();
  });

  it('keeps keys that were mapped to keys', () => {
    expectTypeOf<ArticleVersion['categoryId']>().toEqualTypeOf<number>();
  });

  it('knows its transaction, its neighbours and the live entity', () => {
    expectTypeOf<ArticleVersion['transaction']>().toEqualTypeOf<VersionTransaction>();
    expectTypeOf<ArticleVersion['endTransaction']>().toEqualTypeOf<VersionTransaction | null>();
    expectTypeOf<ArticleVersion['entity']>().toEqualTypeOf<Article | null>();
    expectTypeOf<ArticleVersion['previous']>().toEqualTypeOf<ArticleVersion | null>();
    expectTypeOf<ArticleVersion['operationType']>().toEqualTypeOf<Operation>();
  });

  it('is the same type through `versions` and through `versionOf`', () => {
    expectTypeOf<Article['versions'][number]>().toEqualTypeOf<ArticleVersion>();
    expectTypeOf<Article['versions']>().toEqualTypeOf<Versions<Article>>();
    expectTypeOf(versionOf(Article).prototype).toEqualTypeOf<ArticleVersion>();
  });

  it('of an entity that does not declare its versions is derived from the entity', () => {
    expectTypeOf(versionOf(User).prototype).toEqualTypeOf<Version<User>>();
    expectTypeOf<Version<User>['entity']>().toEqualTypeOf<User | null>();
  });

  it('is readonly', () => {
    const version = {} as ArticleVersion;
    expectTypeOf(version.category.parent?.name).toEqualTypeOf<string | undefined>();
    // @ts-expect-error a scalar
    version.name = 'x';
    // @ts-expect-error a relation
    version.category = {} as Version<Category>;
    // @ts-expect-error a collection
    version.tags = {} as Collection<Version<Tag>>;
    // @ts-expect-error a version's own member
    version.operationType = Operation.DELETE;
    // @ts-expect-error live tags are not versions of tags
    version.tags.add({} as Tag);
    // @ts-expect-error versions are not made by hand
    void new (versionOf(Article))();
  });

  it('has neither versions nor methods', () => {
    const version = {} as ArticleVersion;
    expectTypeOf(version).not.toHaveProperty('versions');
    // @ts-expect-error a version has no versions
    void version.versions;
    // @ts-expect-error methods belong to the entity
    version.publish();
    // @ts-expect-error neither has the version of a target
    void version.category.versions;
  });

  it('is not an article, nor the other way round', () => {
    expectTypeOf<ArticleVersion>().not.toExtend<Article>();
    // @ts-expect-error a version is no live entity
    const article: Article = {} as ArticleVersion;
    // @ts-expect-error a live entity is no version
    const version: ArticleVersion = {} as Article;
    void [article, version];
  });
});

describe('Version<Order, Renamed>', () => {
  class Order {
    id!: number;
    transaction!: string;
    number!: number;
    views!: number;
    total!: number;
    parent!: Order | null;
    declare readonly versions: Versions<Order, { transaction: 'payment'; number: 'orderNumber'; views: never }>;

    get isPaid(): boolean {
      return this.transaction !== '';
    }
  }
  type OrderVersion = Version<Order, { transaction: 'payment'; number: 'orderNumber'; views: never }>;

  it('has the renamed property beside its own', () => {
    expectTypeOf<OrderVersion['payment']>().toEqualTypeOf<string>();
    expectTypeOf<OrderVersion['orderNumber']>().toEqualTypeOf<number>();
    expectTypeOf<OrderVersion['number']>().toEqualTypeOf<number>();
    expectTypeOf<OrderVersion['transaction']>().toEqualTypeOf<VersionTransaction>();
    expectTypeOf<OrderVersion>().not.toHaveProperty('views');
  });

  it('names it so in the changeset', () => {
    expectTypeOf<OrderVersion['changeset']['payment']>().toEqualTypeOf<
      readonly [old: string | null, new: string | null] | undefined
    >();
    expectTypeOf<OrderVersion['changeset']>().not.toHaveProperty('transaction');
    expectTypeOf<OrderVersion['changeset']>().not.toHaveProperty('views');
  });

  it('is found through the `versions` property alone', () => {
    expectTypeOf(versionOf(Order).prototype).toEqualTypeOf<OrderVersion>();
    expectTypeOf<OrderVersion['parent']>().toEqualTypeOf<OrderVersion | null>();
    expectTypeOf<OrderVersion['previous']>().toEqualTypeOf<OrderVersion | null>();
  });
});
