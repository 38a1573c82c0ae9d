import type { Collection, EntityClass, InferEntity, PrimaryKeyProp, Reference, ScalarReference } from '@mikro-orm/core';
import type { Operation } from './Operation.ts';
import type { VersionTransaction } from './VersionTransaction.ts';

/** `{ property: [old, new] }`, the same order everywhere. */
export type Changeset<T = Record<string, unknown>> = {
  readonly [K in keyof T]?: readonly [old: unknown, new: unknown];
};

/** What every version has besides the properties of its entity. */
export interface VersionMembers<T = unknown> {
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
  readonly previous: Version<T> | null;
  /** The version after; `null` for the last. A relation like any other: `populate: ['next']`. */
  readonly next: Version<T> | null;
  /**
   * What changed against the previous version, `{ name: ['New article', 'Updated article'] }`. The first version, and a
   * first one after a DELETE, list every non-null property with old `null`; a DELETE lists them with new `null`.
   * Needs `previous`: `article.versions`, `populate: ['previous']`, or `loadHistory(version)`.
   */
  readonly changeset: Changeset<T>;
  /** The changeset with the many-to-many changes, `{ tags: [[…old keys], […new keys]] }`: one query per relation. */
  changesetWithLinks(): Promise<Changeset<T>>;
  [PrimaryKeyProp]?: 'versionId';
}

// `any` is the only type that a collection of anything, in either parameter, is assignable to
// eslint-disable-next-line typescript/no-explicit-any
type AnyCollection = Collection<any, any>;

type IsAny<T> = 0 extends 1 & T ? true : false;

/** Whether a type declares the collection of its versions. */
type IsVersioned<T> = IsAny<T> extends true ? false : T extends { readonly versions: AnyCollection } ? true : false;

/** The version of a versioned target; any other target stays what it is. */
type Target<T> = IsVersioned<T> extends true ? Version<T> : T;

type VersionProperty<V> =
  IsAny<V> extends true
    ? V
    : V extends Collection<infer U, infer _O>
      ? Collection<Target<U>>
      : V extends ScalarReference<infer _S>
        ? V
        : V extends Reference<infer U>
          ? VersionReference<Target<U>>
          : V extends Date | Uint8Array | readonly unknown[]
            ? V
            : V extends object
              ? Target<V>
              : V;

/** A relation that the entity wraps in `Ref` is an entity on the version: loaded or a plain reference. */
type VersionReference<T> = T;

// eslint-disable-next-line typescript/no-explicit-any
type Methods<T> = { [K in keyof T]: T[K] extends (...args: any[]) => unknown ? K : never }[keyof T];

/**
 * One state of one row over a span of transactions, with the entity's properties, readonly: `article#7, [3, 8)` held
 * after transaction 3 and before 8. Relations to versioned targets lead to the target's version as of the same
 * transaction, others to the live target. `Renamed` repeats the `rename` option: `Version<Order, { transaction: 'payment' }>`.
 */
export type Version<T, Renamed extends Partial<Record<keyof T, string>> = Record<never, never>> = {
  readonly [
    K in keyof T as K extends symbol | 'versions' | Methods<T>
      ? never
      : K extends keyof Renamed
        ? Extract<Renamed[K], string>
        : K extends keyof VersionMembers
          ? never
          : K
  ]: VersionProperty<T[K]>;
} & VersionMembers<T>;

/** Type of the `versions` property: `declare readonly versions: Versions<Article>`. */
export type Versions<T extends object> = Collection<Version<T>, T>;

/** A schema whose entity has `versions`. */
export type VersionedSchema<Schema> = Schema extends { '~entity': infer Entity extends object }
  ? Omit<Schema, '~entity'> & {
      '~entity': Entity & { readonly versions: Versions<Entity & { readonly versions: AnyCollection }> };
    }
  : Schema;

/** The class of an entity's versions, for `em.find(versionOf(Article), …)`. */
export type VersionClass<Entity> = EntityClass<Version<InferEntity<Entity>>>;
