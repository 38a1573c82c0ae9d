import {
  FlushMode,
  ScalarReference,
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
} from '@mikro-orm/core';
import { isEntity, metaOf, schemaOption } from '../internals/entityState.ts';
import { isPolymorphicToMany, isToOne } from '../metadata/properties.ts';
import { versionInfos, type VersionedProperty, type VersionInfo } from '../metadata/versionClass.ts';
import { chunksOf, identify, keyFrom } from '../read/versions.ts';

export type Values = Record<string, unknown>;

/** A row by its class and key. */
export interface RowKey {
  readonly target: EntityMetadata;
  readonly key: Values;
}

/** Finds and recreates live rows in one manager, without flushing what is pending. */
export class LiveRows {
  readonly #em: EntityManager;
  /** Of what has its tables in several. */
  readonly #schema: string | undefined;

  constructor(em: EntityManager, schema: string | undefined) {
    this.#em = em;
    this.#schema = schema;
  }

  async find(meta: EntityMetadata, key: Values): Promise<object | null> {
    const uow = this.#em.getUnitOfWork();
    // what was not written yet: a row that an earlier revert recreates would be recreated twice
    const pending = [...uow.getRemoveStack(), ...uow.getPersistStack()].find(
      entity => metaOf(entity).root.class === meta.root.class && identify(meta, entity) === identify(meta, key),
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

  /** Loads rows into the manager, in one query for each class, so that `find` needs none. */
  async load(rows: readonly RowKey[]): Promise<void> {
    for (const [meta, group] of Map.groupBy(rows, ({ target }) => target.root)) {
      for (const some of chunksOf(group)) {
        await this.#em.find<Values>(
          meta.class,
          { $or: some.map(({ key }) => key) },
          { flushMode: FlushMode.COMMIT, filters: false, ...schemaOption(meta, this.#schema) },
        );
      }
    }
  }

  /** A reference to the row that is gone would be taken for a row that is there; `version.entity` is one for composite keys. */
  create({ live, version }: VersionInfo, key: Values, values: Values): object {
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
  infoOf(target: EntityMetadata): VersionInfo | undefined {
    return versionInfos.get(this.#em.getMetadata(target.class) as unknown as EntityMetadata);
  }

  /** The class and key that a foreign key had; `undefined` where it was null. */
  targetThen(version: object, { value, parts }: VersionedProperty, prop: EntityProperty): RowKey | undefined {
    if (!parts) {
      const raw = (version as Values)[value] ?? null;
      return raw === null ? undefined : { target: prop.targetMeta!, key: keyFrom(raw, prop.targetMeta!) };
    }
    const [type, ...raw] = parts.map(part => (version as Values)[part] ?? null);
    return type === null || raw.includes(null) ? undefined : this.#typed(prop, type as string, raw);
  }

  /** The class and key at the other end of a link. */
  endThen(prop: EntityProperty, raw: unknown): RowKey {
    return isPolymorphicToMany(prop)
      ? this.#typed(prop, (raw as [string, unknown])[0], [(raw as [string, unknown])[1]])
      : { target: prop.targetMeta!, key: keyFrom(raw, prop.targetMeta!) };
  }

  /** A class of a polymorphic relation by what it is called there, and a key. */
  #typed(prop: EntityProperty, type: string, raw: readonly unknown[]): RowKey {
    const target = this.#em.getMetadata(prop.discriminatorMap![type] as never) as unknown as EntityMetadata;
    return { target, key: keyFrom(raw.length === 1 ? raw[0] : raw, target) };
  }
}

/** The version's values under the live entity's property names, as copies that share nothing with the version. */
export function stateOf(version: object, info: VersionInfo): Values {
  const plain = info.properties.filter(({ live: name }) => {
    const prop = info.live.properties[name as never] as EntityProperty;
    return !prop.primary && (!isToOne(prop) || prop.mapToPk);
  });
  return Object.fromEntries(
    plain.map(({ live: name, value }) => [name, copyValue((version as Values)[value] ?? null)]),
  );
}

/** A deep copy of dates, bytes, JSON and embeddables; an object of any other class is a value, and stays. */
export function copyValue(value: unknown): unknown {
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
