import type {
  Collection,
  EntityClass,
  EntityCtor,
  EntitySchema,
  EntitySchemaWithMeta,
  LazyRef,
  Primary,
  PrimaryKeyProp,
  Ref,
  Reference,
  Scalar,
  ScalarReference,
} from '@mikro-orm/core';
import type { Operation } from './Operation.ts';
import type { VersionTransaction } from './VersionTransaction.ts';

/**
 * One state of one row over a span of transactions, with the entity's properties, readonly: `article#7, [3, 8)` held
 * after transaction 3 and before 8. Inferred from the entity, however it is defined:
 *
 *     class Article {                                 Version<Article>
 *       id!: number;                                    readonly id: number;
 *       note?: string | null;                           readonly note?: string | null;
 *       category!: Category;       // versioned         readonly category: Version<Category>;
 *       parent!: Category | null;                       readonly parent: Version<Category> | null;
 *       author!: User;             // not versioned     readonly author: User;
 *       tags = new Collection<Tag>(this);               readonly tags: Collection<Version<Tag>>;
 *       declare readonly versions: Versions<Article>;   // absent
 *       publish() {}                                    // absent
 *     }                                                 readonly operationType: Operation; …of VersionMembers
 *
 * `Ref`, `LazyRef` and `ScalarRef` stay around their targets. A relation that the entity requires is `null` at runtime
 * where the target had no version yet, or none any more.
 *
 * `Renamed` repeats the `rename` option, and says `never` for properties that a version does not have: excluded ones,
 * getters, and what is not persisted: `Version<Order, { transaction: 'payment'; viewCount: never }>`.
 */
export type Version<T, Renamed = unknown> = {
  readonly [K in keyof T as VersionKey<T, K, Renamed>]: VersionProperty<T[K]>;
} & VersionMembers<T, Renamed>;

/** What every version has besides the properties of its entity. */
export interface VersionMembers<T = unknown, Renamed = unknown> {
  readonly versionId: number;
  readonly operationType: Operation;
  /** The transaction that began this state. */
  readonly transaction: VersionTransaction;
  /** The transaction that ended it; `null` while the state still holds. */
  readonly endTransaction: VersionTransaction | null;
  /** When `transaction` was issued. */
  readonly validFrom: Date;
  /** When `endTransaction` was issued; `null` while the state still holds. */
  readonly validUntil: Date | null;
  /** The live entity; `null` where it is deleted. */
  readonly entity: T | null;
  /** Whether this is the row's newest version; true for the DELETE version of a deleted row. */
  readonly isCurrent: boolean;
  /** Whether this version records a deletion. */
  readonly isDeleted: boolean;
  /** Position among the row's versions, from 0. Needs the versions before it: `article.versions`, or `loadHistory(version)`. */
  readonly index: number;
  /** Position among the row's versions, from 1. Needs what `index` needs. */
  readonly number: number;
  /** The version before; `null` for the first. A relation like any other: `populate: ['previous']`. */
  readonly previous: Version<T, Renamed> | null;
  /** The version after; `null` for the last. A relation like any other: `populate: ['next']`. */
  readonly next: Version<T, Renamed> | null;
  /**
   * What changed against the previous version, `{ name: ['New article', 'Updated article'] }`. The first version, and a
   * first one after a DELETE, list every non-null property with old `null`; a DELETE lists them with new `null`.
   * Needs `previous`: `article.versions`, `populate: ['previous']`, or `loadHistory(version)`.
   */
  readonly changeset: Changeset<T, Renamed>;
  /** The changeset with the many-to-many changes, `{ tags: [[…old keys], […new keys]] }`: one query per relation. */
  changesetWithLinks(): Promise<Changeset<T, Renamed>>;
  [PrimaryKeyProp]?: 'versionId';
}

/**
 * Type of the `versions` property of a versioned entity:
 *
 *     declare readonly versions: Versions<Article>;
 *     declare readonly versions: Versions<Order, { transaction: 'payment' }>;
 *
 * `versionOf(Order)` and relations to `Order` take the version's type from here.
 */
export type Versions<T, Renamed = unknown> = Collection<Version<T, Renamed>> & ItsVersions<Version<T, Renamed>>;

declare const itsVersion: unique symbol;

/**
 * Marks the collection of an entity's versions; not there at runtime. To compare the collection's items instead would
 * need the members of `Version<T>` while they are being found out, and TypeScript then takes them for none.
 */
interface ItsVersions<V extends object> {
  readonly [itsVersion]: V;
}

/**
 * `{ property: [old, new] }`, the same order everywhere; `null` for a value that is not there. Relations have keys, those
 * of a composite key as an array in the order of the primary key:
 *
 *     name?: readonly [old: string | null, new: string | null]            { name: ['New article', 'Updated article'] }
 *     category?: readonly [old: number | null, new: number | null]       { category: [1, 2] }
 *     tags?: readonly [old: readonly number[] | null, new: …]            { tags: [[1, 2], [2]] }
 *     subject?: readonly [old: readonly [string, number] | null, …]      { subject: [['post', 1], null] }, polymorphic
 */
export type Changeset<T = Record<string, unknown>, Renamed = unknown> = {
  readonly [K in keyof T as VersionKey<T, K, Renamed>]?: Change<
    true extends IsUnion<Extract<T[K], object>> ? ChangedUnion<T[K]> : ChangedValue<T[K]>
  >;
};

type Change<V> = readonly [old: V | null, new: V | null];

/** The type of an entity's versions: as its `versions` property declares it, else `Version<T>`. */
export type VersionOf<T> = [VersionIn<T>] extends [never] ? Version<T> : VersionIn<T>;

/** The class of an entity's versions, for `em.find(versionOf(Article), …)`. Versions are not made by hand: it has no `new`. */
export type VersionClass<Entity> = ClassOf<VersionOf<EntityOf<Entity>>>;

// MikroORM's own EntityClass loses its type in an alias: it contains Function, whose `prototype` is any
type ClassOf<T> = (abstract new () => T) & { readonly prototype: T };

/** What `versioned(schema)` adds to the schema's entity. `VersionsProperty` repeats the option of that name. */
export type WithVersions<T, Renamed = unknown, VersionsProperty extends string = 'versions'> = T & {
  readonly [K in VersionsProperty]: Versions<WithVersions<T, Renamed, VersionsProperty>, Renamed>;
};

/**
 * A schema of `defineEntity` or `EntitySchema` whose entity has `versions`. One whose entity declares them itself stays
 * as it is. The other parameters repeat the options: `never` where they say nothing.
 */
export type VersionedSchema<
  Schema,
  Excluded extends string = never,
  Renamed = never,
  VersionsProperty extends string = 'versions',
> = Schema extends { readonly '~entity': infer Entity }
  ? VersionsProperty extends keyof Entity
    ? Schema
    : WithEntity<Schema, WithVersions<Entity, RenamedBy<Excluded, Renamed>, VersionsProperty>>
  : Schema;

/** `exclude` and `rename` as the one parameter of `Version`: `{ views: never; transaction: 'payment' }`. */
type RenamedBy<Excluded extends string, Renamed> = [Excluded | Renamed] extends [never]
  ? unknown
  : Readonly<Record<Excluded, never>> & ([Renamed] extends [never] ? unknown : Renamed);

/** The schema with another entity type. */
type WithEntity<Schema, Entity> =
  Schema extends EntitySchemaWithMeta<
    infer Name,
    infer Table,
    infer _Entity,
    infer Base,
    infer Properties,
    infer _Class,
    infer Discriminator
  >
    ? EntitySchemaWithMeta<Name, Table, Entity, Base, Properties, EntityCtor<Entity>, Discriminator>
    : Schema extends EntitySchema<infer _Entity, infer Base, infer _Class>
      ? EntitySchema<Entity, Base, EntityCtor<Entity>>
      : never;

/** Names of a schema's properties, for `exclude` and `rename`. */
export type PropertyName<Schema> = Schema extends { readonly '~entity': infer Entity }
  ? Extract<keyof Entity, string>
  : never;

/** Any version. Names what tells it from other entities, and nothing that would cost much to compare. */
export interface AnyVersion {
  readonly versionId: number;
  readonly operationType: Operation;
}

type IsAny<T> = 0 extends 1 & T ? true : false;

/** A collection by what tells it from other types: comparing all of its methods would cost a hundred times as much. */
interface CollectionOf<T> {
  [k: number]: T;
  readonly loadCount: unknown;
}

/** Item of the collection of versions that `T` declares, by whatever name; `never` where it declares none. */
type VersionIn<T> = { [K in keyof T]-?: T[K] extends ItsVersions<infer V> ? V : never }[keyof T];

/** The version of a versioned target; any other target stays what it is. */
type AsOf<T> = T extends unknown ? ([VersionIn<T>] extends [never] ? T : VersionIn<T>) : never;

/** Name on the version of a property of `T`; `never` where it has none. */
type VersionKey<T, K extends keyof T, Renamed> = K extends keyof Renamed
  ? Renamed[K] & string
  : K extends symbol | keyof VersionMembers
    ? never
    : IsAny<T[K]> extends true
      ? K
      : NonNullable<T[K]> extends ((...args: never[]) => unknown) | ItsVersions<object>
        ? never
        : K;

type VersionProperty<V> = unknown extends V
  ? V
  : V extends Scalar | readonly unknown[] | ScalarReference<infer _S>
    ? V
    : V extends CollectionOf<infer U extends object>
      ? Collection<AsOf<U>>
      : V extends Reference<infer U>
        ? Ref<AsOf<U>>
        : V extends object
          ? [LazyTarget<V>] extends [never]
            ? AsOf<V>
            : LazyRef<AsOf<LazyTarget<V>>>
          : V;

type ChangedValue<V> = unknown extends V
  ? V
  : V extends null | undefined
    ? never
    : V extends Scalar | readonly unknown[]
      ? V
      : V extends ScalarReference<infer S>
        ? NonNullable<S>
        : V extends CollectionOf<infer U>
          ? readonly (true extends IsUnion<U> ? ClassAndKey<U> : KeyOf<U>)[]
          : V extends Reference<infer U>
            ? KeyOf<U>
            : V extends object
              ? [LazyTarget<V>] extends [never]
                ? KeyOf<V>
                : KeyOf<LazyTarget<V>>
              : V;

/** A value of several classes of objects: the class and key where they are entities. */
type ChangedUnion<V> = true extends IsUnion<Keyed<V>> ? ClassAndKey<Keyed<V>> : ChangedValue<V>;

/** The targets of a polymorphic relation; an object with an `id` passes for one. */
type Keyed<V> = V extends Scalar | readonly unknown[]
  ? never
  : V extends Reference<infer U>
    ? U
    : V extends object
      ? unknown extends Primary<V>
        ? never
        : V
      : never;

type IsUnion<T, All = T> = T extends unknown ? ([All] extends [T] ? false : true) : never;

/** The key of a polymorphic relation: the class as the database calls it, and the key. */
type ClassAndKey<T> = T extends unknown
  ? KeyOf<T> extends infer Key
    ? Key extends readonly unknown[]
      ? readonly [type: string, ...key: Key]
      : readonly [type: string, key: Key]
    : never
  : never;

/** Target of a `LazyRef`, `never` for anything else: its optional brand fits a type without properties as well. */
type LazyTarget<V> = V extends LazyRef.Brand<infer U extends object> ? (object extends U ? never : U) : never;

/** The key of an entity; any other object itself, as an embeddable or JSON. One with an `id` passes for an entity. */
type KeyOf<V> = unknown extends Primary<V> ? V : Primary<V>;

/** The entity behind a class or a schema. */
type EntityOf<E> = E extends { readonly '~entity': infer T }
  ? T
  : E extends abstract new (...args: never[]) => infer T
    ? T
    : E extends EntityClass<infer T>
      ? T
      : never;
