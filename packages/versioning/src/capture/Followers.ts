import { Reference, type ChangeSet, type EntityMetadata, type Platform } from '@mikro-orm/core';

import type { Leaving } from '../model/Leaving.ts';
import { serializeKey } from '../model/Touched.ts';
import type { VersioningModel } from '../model/VersioningModel.ts';
import { databaseValues, keyOf } from './keys.ts';

/** In which schema the row of an entity is, where its class has tables in several. */
type SchemaOf = (entity: object, meta: EntityMetadata) => string | undefined;

/**
 * The rows that a flush makes children of rows that go, before the database deletes them along. The survey finds children
 * as they were before the flush, which is too early for these.
 */
export class Followers {
  readonly #platform: Platform;
  readonly #schemaOf: SchemaOf;
  /** Staying change sets by what their cascading foreign keys lead to: an entity, or a class and key. */
  readonly #byTarget = new Map<unknown, ChangeSet<object>[]>();
  readonly #followed = new Set<ChangeSet<object>>();

  constructor(staying: readonly ChangeSet<object>[], model: VersioningModel, platform: Platform, schemaOf: SchemaOf) {
    this.#platform = platform;
    this.#schemaOf = schemaOf;
    const foreignKeys = [...model.dependents.values()].flat().filter(({ cascades }) => cascades);
    for (const changeSet of staying) {
      const { entity, meta } = changeSet;
      for (const { property } of foreignKeys.filter(({ child }) => child.class === meta.root.class)) {
        this.#index(changeSet, meta, property, (entity as Record<string, unknown>)[property]);
      }
    }
  }

  /** What follows the entities and keys that go, and what follows that. Each row is found once. */
  of(entities: readonly object[], rows: readonly Leaving[]): Leaving[] {
    const found: Leaving[] = [];
    const targets: unknown[] = [...entities, ...rows.map(({ meta, key }) => identify(meta, serializeKey(key)))];
    for (let i = 0; i < targets.length; i++) {
      for (const changeSet of this.#byTarget.get(targets[i]) ?? []) {
        if (this.#followed.has(changeSet)) {
          continue;
        }
        this.#followed.add(changeSet);
        const { entity, meta } = changeSet;
        targets.push(entity);
        const key = keyOf(entity, meta, this.#platform);
        if (key) {
          targets.push(identify(meta, serializeKey(key)));
          found.push({ meta, key, schema: this.#schemaOf(entity, meta) });
        }
      }
    }
    return found;
  }

  #index(changeSet: ChangeSet<object>, meta: EntityMetadata, property: string, value: unknown): void {
    const prop = meta.properties[property as never];
    if (!prop || value === undefined || value === null) {
      return;
    }
    const key = databaseValues(prop, value, this.#platform);
    const target = (prop as { targetMeta: EntityMetadata }).targetMeta;
    const ids = [Reference.unwrapReference(value as object), key && identify(target, serializeKey(key))];
    for (const id of ids.filter(each => each !== undefined)) {
      const list = this.#byTarget.get(id);
      if (list) {
        list.push(changeSet);
      } else {
        this.#byTarget.set(id, [changeSet]);
      }
    }
  }
}

function identify(meta: EntityMetadata, key: string): string {
  return `${meta.root.className}:${key}`;
}
