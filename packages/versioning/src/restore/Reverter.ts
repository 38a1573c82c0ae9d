import {
  FlushMode,
  ReferenceKind,
  ScalarReference,
  type Collection,
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
} from '@mikro-orm/core';
import { isEntity, metaOf, ownMetaOf, schemaOption } from '../internals/entityState.ts';
import { VersioningError } from '../errors.ts';
import { discriminatorValueOf, isPolymorphicToMany, isPolymorphicToOne } from '../metadata/properties.ts';
import { versionInfos, type VersionedProperty, type VersionInfo } from '../metadata/versionClass.ts';
import { Operation } from '../model/Operation.ts';
import { shownKeyOf } from '../read/shownValue.ts';
import { identify, keyFrom, versionKey } from '../read/versions.ts';
import { HistoryAt } from './HistoryAt.ts';
import type { RelationTree } from './relationPaths.ts';

type Values = Record<string, unknown>;

/**
 * Sets live entities to the state of their versions, and the relations that were asked for to the rows and links of the
 * same transaction. Changes managed entities only; the next flush writes.
 */
export class Reverter {
  readonly #em: EntityManager;
  /** Of what has its tables in several. */
  readonly #schema: string | undefined;
  readonly #history: HistoryAt;
  /** Live entities already on their way back, by class and key, so that cycles end. */
  readonly #visited = new Map<string, object | null>();

  constructor(em: EntityManager, transaction: number, schema: string | undefined) {
    this.#em = em;
    this.#schema = schema;
    this.#history = new HistoryAt(em, transaction, schema);
  }

  /** Returns the live entity, or `null` when the version is a DELETE and the row is removed. */
  async revert(version: object, relations: RelationTree, path = ''): Promise<object | null> {
    const info = versionInfos.get(ownMetaOf(version))!;
    const key = versionKey(version, info);
    const id = identify(info.live, key);
    const visited = this.#visited.get(id);
    if (visited !== undefined) {
      return visited;
    }
    const found = await this.#findLive(info.live, key);
    if ((version as { operationType: Operation }).operationType === Operation.DELETE) {
      if (found) {
        this.#em.remove(found);
      }
      this.#visited.set(id, null);
      return null;
    }
    return this.#bringBack(version, found, relations, path);
  }

  /** Recreates the row of a DELETE version, which has its last state. */
  async restore(deletion: object, relations: RelationTree): Promise<object> {
    const info = versionInfos.get(ownMetaOf(deletion))!;
    const found = await this.#findLive(info.live, versionKey(deletion, info));
    return this.#bringBack(deletion, found, relations, '');
  }

  async #bringBack(version: object, found: object | null, relations: RelationTree, path: string): Promise<object> {
    const info = versionInfos.get(ownMetaOf(version))!;
    const key = versionKey(version, info);
    const state = stateOf(version, info);
    const toOnes = await this.#resolveToOnes(version, info, relations, path);
    const live: object = found ? Object.assign(found, state, toOnes) : this.#create(info, key, { ...state, ...toOnes });
    this.#em.persist(live);
    this.#visited.set(identify(info.live, key), live);
    for (const name of Object.keys(relations)) {
      await this.#restoreToMany(live, info, key, name, relations[name]!, join(path, name));
    }
    return live;
  }

  /** A reference to the row that is gone would be taken for a row that is there; `version.entity` is one for composite keys. */
  #create({ live, version }: VersionInfo, key: Values, values: Values): object {
    const options = schemaOption(live, this.#schema);
    const uow = this.#em.getUnitOfWork();
    const stale = this.#em.getReference(live.class, key as never, options) as object;
    uow.unsetIdentity(stale);
    const created: object = this.#em.create(live.class, { ...key, ...values }, { partial: true, ...options });
    for (const each of uow
      .getIdentityMap()
      .getStore<Values>(version as never)
      .values()) {
      if (each['entity'] === stale) {
        each['entity'] = created;
      }
    }
    return created;
  }

  /** A property may hold a copy of its target's metadata. */
  #infoOf(target: EntityMetadata): VersionInfo | undefined {
    return versionInfos.get(this.#em.getMetadata(target.class) as unknown as EntityMetadata);
  }

  async #findLive(meta: EntityMetadata, key: Values): Promise<object | null> {
    const uow = this.#em.getUnitOfWork();
    // what was not written yet: a row that an earlier revert recreates would be recreated twice
    const pending = [...uow.getRemoveStack(), ...uow.getPersistStack()].find(
      entity => metaOf(entity).class === meta.class && identify(meta, entity) === identify(meta, key),
    );
    return (
      pending ??
      this.#em.findOne<Values>(meta.class, key, {
        flushMode: FlushMode.COMMIT,
        filters: false,
        ...schemaOption(meta, this.#schema),
      })
    );
  }

  /** Live targets of the version's own foreign keys; reverted first where the relation was asked for. */
  async #resolveToOnes(version: object, info: VersionInfo, relations: RelationTree, path: string): Promise<Values> {
    const values: Values = {};
    for (const property of info.properties) {
      const name = property.live;
      const prop = info.live.properties[name as never] as EntityProperty;
      if (!isToOne(prop) || prop.primary || prop.mapToPk) {
        continue;
      }
      const found = this.#targetThen(version, property, prop);
      if (!found) {
        values[name] = null;
        continue;
      }
      const { target, key } = found;
      const targetInfo = this.#infoOf(target);
      const branch = relations[name];
      const [then] = branch && targetInfo ? await this.#history.versions(targetInfo, [key]) : [];
      const entity = then ? await this.revert(then, branch!, join(path, name)) : await this.#findLive(target, key);
      if (!entity) {
        throw VersioningError.targetGone(info.live.className, name, join(path, name));
      }
      values[name] = entity;
    }
    return values;
  }

  /** The class and key that a foreign key had; `undefined` where it was null. */
  #targetThen(
    version: object,
    { value, parts }: VersionedProperty,
    prop: EntityProperty,
  ): { target: EntityMetadata; key: Values } | undefined {
    if (!parts) {
      const raw = (version as Values)[value] ?? null;
      return raw === null ? undefined : { target: prop.targetMeta!, key: keyFrom(raw, prop.targetMeta!) };
    }
    const [type, ...raw] = parts.map(part => (version as Values)[part] ?? null);
    return type === null || raw.includes(null) ? undefined : this.#typed(prop, type as string, raw);
  }

  /** A class of a polymorphic relation by what it is called there, and a key. */
  #typed(prop: EntityProperty, type: string, raw: readonly unknown[]): { target: EntityMetadata; key: Values } {
    const target = this.#em.getMetadata(prop.discriminatorMap![type] as never) as unknown as EntityMetadata;
    return { target, key: keyFrom(raw.length === 1 ? raw[0] : raw, target) };
  }

  async #restoreToMany(
    live: object,
    info: VersionInfo,
    key: Values,
    name: string,
    branch: RelationTree,
    path: string,
  ): Promise<void> {
    const prop = info.live.properties[name as never] as EntityProperty;
    if (prop.kind === ReferenceKind.MANY_TO_MANY) {
      await this.#restoreLinks(live, info, prop, key, branch, path);
    } else if (prop.kind === ReferenceKind.ONE_TO_MANY || (prop.kind === ReferenceKind.ONE_TO_ONE && !prop.owner)) {
      await this.#restoreChildren(live, prop, key, branch, path);
    }
  }

  async #restoreLinks(
    live: object,
    info: VersionInfo,
    prop: EntityProperty,
    key: Values,
    branch: RelationTree,
    path: string,
  ): Promise<void> {
    const link = info.links.find(each => each.live === prop.name);
    if (!link) {
      return;
    }
    const collection = (live as Values)[prop.name] as Collection<object>;
    if (!collection.isInitialized()) {
      // before the items are changed: loading a collection writes over them
      await collection.init({ flushMode: FlushMode.COMMIT } as never);
    }
    const linked = await this.#history.linked(link, shownKeyOf(key));
    const ends = linked.map(raw =>
      isPolymorphicToMany(prop)
        ? this.#typed(prop, (raw as [string, unknown])[0], [(raw as [string, unknown])[1]])
        : { target: prop.targetMeta!, key: keyFrom(raw, prop.targetMeta!) },
    );
    const items = new Map<object, object>();
    for (const [target, group] of Map.groupBy(ends, end => end.target)) {
      const targetInfo = this.#infoOf(target);
      const keys = group.map(end => end.key);
      const versions = targetInfo ? await this.#history.versions(targetInfo, keys) : [];
      for (const end of group) {
        const then = versions.find(
          version => identify(target, versionKey(version, targetInfo!)) === identify(target, end.key),
        );
        const item = then ? await this.revert(then, branch, path) : await this.#findLive(target, end.key);
        if (item) {
          items.set(end, item);
        }
      }
    }
    collection.set(ends.flatMap(end => items.get(end) ?? []));
  }

  /** Children as of then come back to this parent; children that came later leave it. */
  async #restoreChildren(
    live: object,
    prop: EntityProperty,
    key: Values,
    branch: RelationTree,
    path: string,
  ): Promise<void> {
    const child = prop.targetMeta!;
    const foreignKey = child.properties[prop.mappedBy as never] as EntityProperty;
    const childInfo = this.#infoOf(child);
    if (!childInfo) {
      return;
    }
    const type = isPolymorphicToOne(foreignKey) ? discriminatorValueOf(foreignKey, metaOf(live).class) : undefined;
    const owner = type === undefined ? shownKeyOf(key) : [type, shownKeyOf(key)].flat();
    const then = await this.#history.children(childInfo, foreignKey.name, owner);
    const kept = new Set<object>();
    const now = await this.#em.find<Values>(
      child.class,
      { [foreignKey.name]: type === undefined ? shownKeyOf(key) : live },
      { flushMode: FlushMode.COMMIT, filters: false, ...schemaOption(child, this.#schema) },
    );
    for (const version of then) {
      const entity = await this.revert(version, branch, path);
      if (entity) {
        (entity as Values)[foreignKey.name] = live;
        kept.add(entity);
      }
    }
    for (const entity of now.filter(each => !kept.has(each))) {
      this.#unlink(entity, foreignKey, prop);
    }
  }

  #unlink(entity: object, foreignKey: EntityProperty, relation: EntityProperty): void {
    if (relation.orphanRemoval) {
      this.#em.remove(entity);
    } else if (foreignKey.nullable) {
      (entity as Values)[foreignKey.name] = null;
    } else {
      throw VersioningError.cannotUnlink(metaOf(entity).className, foreignKey.name, relation.name);
    }
  }
}

/** The version's values under the live entity's property names, as copies that share nothing with the version. */
function stateOf(version: object, info: VersionInfo): Values {
  const plain = info.properties.filter(({ live: name }) => {
    const prop = info.live.properties[name as never] as EntityProperty;
    return !prop.primary && (!isToOne(prop) || prop.mapToPk);
  });
  return Object.fromEntries(
    plain.map(({ live: name, value }) => [name, copyValue((version as Values)[value] ?? null)]),
  );
}

/** A deep copy of dates, bytes, JSON and embeddables; an object of any other class is a value, and stays. */
function copyValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (ScalarReference.isScalarReference(value)) {
    return new ScalarReference(copyValue(value.unwrap()) as never);
  }
  if (value instanceof Date) {
    return new Date(value);
  }
  if (Array.isArray(value)) {
    return value.map(copyValue);
  }
  if (value instanceof Uint8Array) {
    // a copy of its own class, where Buffer's slice would share the memory
    return Uint8Array.prototype.slice.call(value);
  }
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null || prototype === Object.prototype || isEmbeddable(value)) {
    const entries = Object.entries(value).map(([name, part]) => [name, copyValue(part)] as const);
    return Object.assign(Object.create(prototype) as object, Object.fromEntries(entries));
  }
  return value;
}

function isEmbeddable(value: object): boolean {
  return isEntity(value) && (metaOf(value).embeddable ?? false);
}

function isToOne(prop: EntityProperty): boolean {
  return prop.kind === ReferenceKind.MANY_TO_ONE || prop.kind === ReferenceKind.ONE_TO_ONE;
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
