import { FlushMode, type Collection, type EntityManager, type EntityProperty } from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import { metaOf } from '../internals/entityState.ts';
import type { VersionInfo } from '../metadata/versionClass.ts';
import { identify, rowName } from '../read/versions.ts';
import { LiveRows, type RowKey, type Values } from './LiveRows.ts';

/** What a row is to become. */
export interface RowPlan {
  readonly info: VersionInfo;
  readonly key: Values;
  /** The live entity; `null` where it will be recreated. */
  readonly live: object | null;
  /** New values of properties that are no relations. */
  readonly state: Values;
  /** New targets of to-one relations, by property. */
  readonly toOnes: Map<string, RowKey | null>;
  /** New ends of the links of many-to-many relations. */
  readonly links: Map<EntityProperty, readonly RowKey[]>;
}

/** A to-one relation whose target is neither there nor about to come back. */
export interface MissingTarget {
  readonly row: RowPlan;
  readonly property: string;
  readonly target: RowKey;
}

/**
 * Everything that one revert or undo will do, read and checked before anything is changed: rows that need each other come
 * back together, and an error leaves the manager as it was.
 */
export class RestorePlan {
  readonly rows: LiveRows;
  readonly #em: EntityManager;
  readonly #plans = new Map<string, RowPlan>();
  readonly #removed = new Set<object>();
  readonly #moved: { readonly entity: object; readonly property: string; readonly to: RowKey | null }[] = [];
  readonly #entities = new Map<string, object | null>();

  constructor(em: EntityManager, schema: string | undefined) {
    this.#em = em;
    this.rows = new LiveRows(em, schema);
  }

  /** The plan of a row, the same one each time. */
  async plan(info: VersionInfo, key: Values): Promise<RowPlan> {
    const id = identify(info.live, key);
    const known = this.#plans.get(id);
    if (known) {
      return known;
    }
    const live = await this.rows.find(info.live, key);
    const other = live ?? (info.live.root.inheritanceType ? await this.rows.find(info.live.root, key) : null);
    if (other && metaOf(other).class !== info.live.class) {
      throw VersioningError.otherClass(rowName(info.live, key), metaOf(other).className);
    }
    const plan: RowPlan = { info, key, live, state: {}, toOnes: new Map(), links: new Map() };
    this.#plans.set(id, plan);
    return plan;
  }

  /** Whether the row of a live entity has a plan of its own. */
  isPlanned(entity: object): boolean {
    return this.#plans.has(identify(metaOf(entity), entity));
  }

  /** Whether a to-one relation of a live entity gets another target. */
  sets(entity: object, property: string): boolean {
    return this.#plans.get(identify(metaOf(entity), entity))?.toOnes.has(property) ?? false;
  }

  remove(entity: object): void {
    this.#removed.add(entity);
  }

  /** Another target for a live entity that has no plan of its own. */
  move(entity: object, property: string, to: RowKey | null): void {
    this.#moved.push({ entity, property, to });
  }

  /** The links of a row. What the collection holds is loaded first: loading it later would write over its items. */
  async link(plan: RowPlan, prop: EntityProperty, ends: readonly RowKey[]): Promise<void> {
    const collection = plan.live && collectionOf(plan.live, prop);
    if (collection && !collection.isInitialized()) {
      await collection.init({ flushMode: FlushMode.COMMIT, filters: false } as never);
    }
    plan.links.set(prop, ends);
  }

  /** Whether a row is there or will be. */
  async exists(row: RowKey): Promise<boolean> {
    const entity = await this.#find(row);
    return entity !== null && !this.#removed.has(entity);
  }

  async findMissing(): Promise<MissingTarget[]> {
    const missing: MissingTarget[] = [];
    for (const row of this.#plans.values()) {
      for (const [property, target] of row.toOnes) {
        if (target && !(await this.exists(target))) {
          missing.push({ row, property, target });
        }
      }
    }
    return missing;
  }

  /** Changes managed entities; the next flush writes. */
  async apply(): Promise<void> {
    await this.#lookUp();
    for (const { info, key, live, state } of this.#plans.values()) {
      const entity = live ? Object.assign(live, state) : this.rows.create(info, key, state);
      this.#em.persist(entity);
      this.#entities.set(identify(info.live, key), entity);
    }
    for (const { info, key, toOnes, links } of this.#plans.values()) {
      const entity = this.entityOf({ target: info.live, key })!;
      for (const [property, to] of toOnes) {
        (entity as Values)[property] = to && this.entityOf(to);
      }
      for (const [prop, ends] of links) {
        collectionOf(entity, prop).set(ends.flatMap(end => this.entityOf(end) ?? []));
      }
    }
    for (const { entity, property, to } of this.#moved) {
      (entity as Values)[property] = to && this.entityOf(to);
    }
    this.#removed.forEach(entity => this.#em.remove(entity));
  }

  /** Finds what the plans point to and have no plan for. */
  async #lookUp(): Promise<void> {
    for (const { toOnes, links } of this.#plans.values()) {
      for (const row of [...toOnes.values(), ...[...links.values()].flat()]) {
        await (row && this.#find(row));
      }
    }
  }

  /** The entity of a row that was planned or looked up; `null` where there is none, or it is removed. */
  entityOf({ target, key }: RowKey): object | null {
    const entity = this.#entities.get(identify(target, key)) ?? null;
    return entity && this.#removed.has(entity) ? null : entity;
  }

  /** `null` where there is none; of a row that will be recreated, its plan stands for it. */
  async #find({ target, key }: RowKey): Promise<object | null> {
    const id = identify(target, key);
    const plan = this.#plans.get(id);
    if (plan) {
      return plan.live ?? plan;
    }
    const known = this.#entities.get(id);
    const entity = known === undefined ? await this.rows.find(target, key) : known;
    this.#entities.set(id, entity);
    return entity;
  }
}

function collectionOf(entity: object, prop: EntityProperty): Collection<object> {
  return (entity as Values)[prop.name] as Collection<object>;
}
