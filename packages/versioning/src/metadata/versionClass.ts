import type { EntityMetadata } from '@mikro-orm/core';
import type { LinkHistory } from '../model/VersioningModel.ts';
import { VersionBase } from '../model/VersionBase.ts';

type Class = abstract new (...args: never[]) => object;

const versionClasses = new WeakMap<object, Class>();

/**
 * The class of an entity's versions, the same object for the life of the entity class, so that it can be named before
 * MikroORM starts. It mirrors the entity's inheritance: `PhotoVersion extends MediaVersion extends VersionBase`.
 */
export function versionClassOf(entity: object): Class {
  let versionClass = versionClasses.get(entity);
  if (!versionClass) {
    const parent: unknown = Object.getPrototypeOf(entity);
    const base = typeof parent === 'function' && parent !== Function.prototype ? versionClassOf(parent) : VersionBase;
    const name = `${(entity as { name: string }).name}Version`;
    versionClass = { [name]: class extends (base as typeof VersionBase) {} }[name]!;
    versionClasses.set(entity, versionClass);
  }
  return versionClass;
}

const known = new WeakSet<object>();
let started = false;

/** Notes that some MikroORM instance has versions of the class, by whatever kind of mark. */
export function noteVersioned(entity: object): void {
  known.add(entity);
  started = true;
}

/** Whether some MikroORM instance has versions of the class, or none has started that could tell. */
export function mayBeVersioned(entity: object): boolean {
  return !started || known.has(entity);
}

/** By the metadata of the version entity and by that of the live one; each MikroORM instance has its own. */
export const versionInfos = new WeakMap<EntityMetadata, VersionInfo>();

/** What the metadata room leaves on a version entity for the reading rooms. */
export interface VersionInfo {
  /** Metadata of the live entity, and of its versions. */
  readonly live: EntityMetadata;
  readonly version: EntityMetadata;
  /** Names of the properties that a changeset lists, as on the version, in the order of the entity. */
  readonly properties: readonly VersionedProperty[];
  /** Name of the collection of versions on the live entity. */
  readonly versionsProperty: string;
  /** Many-to-many relations with history, by their name on the version. */
  readonly links: readonly VersionedLink[];
}

/** A many-to-many relation of a version. */
export interface VersionedLink {
  readonly name: string;
  /** Name on the live entity. */
  readonly live: string;
  readonly link: LinkHistory;
  /** Which end of the link the version is. */
  readonly end: 'owner' | 'target';
}

/** One versioned property. */
export interface VersionedProperty {
  /** Name on the live entity. */
  readonly live: string;
  /** Name on the version. */
  readonly name: string;
  /** Property of the version that holds the value for a changeset: the key's property for a relation to a versioned target. */
  readonly value: string;
  /** Of a polymorphic relation: the properties that hold its key, the one that says which class it is of first. */
  readonly parts?: readonly string[];
}
