import { FlushMode, ReferenceKind, type EntityManager, type EntityProperty } from '@mikro-orm/core';
import { metaOf, schemaOption } from '../internals/entityState.ts';
import { VersioningError } from '../errors.ts';
import { discriminatorValueOf, isPolymorphicToOne, isToOne } from '../metadata/properties.ts';
import type { VersionInfo } from '../metadata/versionClass.ts';
import { shownKeyOf } from '../read/shownValue.ts';
import { identify, infoOf, isDeletion, versionKey } from '../read/versions.ts';
import { HistoryAt } from '../read/HistoryAt.ts';
import { stateOf, type Values } from './LiveRows.ts';
import type { RelationTree } from './relationPaths.ts';
import { RestorePlan, type RowPlan } from './RestorePlan.ts';

/**
 * Sets live entities to the state of their versions, and the relations that were asked for to the rows and links of the
 * same transaction. Changes managed entities only; the next flush writes.
 */
export class Reverter {
  readonly #em: EntityManager;
  /** Of what has its tables in several. */
  readonly #schema: string | undefined;
  readonly #history: HistoryAt;
  readonly #plan: RestorePlan;
  /** On which path a row was reached, for errors. */
  readonly #paths = new Map<RowPlan, string>();
  /** Children that came to a parent later. */
  readonly #later: {
    readonly entity: object;
    readonly foreignKey: EntityProperty;
    readonly relation: EntityProperty;
  }[] = [];

  constructor(em: EntityManager, transaction: number, schema: string | undefined) {
    this.#em = em;
    this.#schema = schema;
    this.#history = new HistoryAt(em, transaction, schema);
    this.#plan = new RestorePlan(em, schema);
  }

  /** Returns the live entity, or `null` when the version is a DELETE and the row is removed. */
  async revert(version: object, relations: RelationTree): Promise<object | null> {
    if (!isDeletion(version)) {
      return this.restore(version, relations);
    }
    const info = infoOf(version);
    const found = await this.#plan.rows.find(info.live, versionKey(version, info));
    if (found) {
      this.#em.remove(found);
    }
    return null;
  }

  /** Sets or recreates the row with the state of the version, also that of a DELETE, which has its last one. */
  async restore(version: object, relations: RelationTree): Promise<object> {
    const { info, key } = await this.#bringBack(version, relations, '');
    this.#unlinkLater();
    const [missing] = await this.#plan.findMissing();
    if (missing) {
      const { row, property } = missing;
      throw VersioningError.targetGone(row.info.live.className, property, join(this.#paths.get(row)!, property));
    }
    await this.#plan.apply();
    return this.#plan.entityOf({ target: info.live, key })!;
  }

  /** Plans the row, and what hangs on it by the relations; a row that is reached on several paths follows each. */
  async #bringBack(version: object, relations: RelationTree, path: string): Promise<RowPlan> {
    const info = infoOf(version);
    const row = await this.#plan.plan(info, versionKey(version, info));
    if (!this.#paths.has(row)) {
      this.#paths.set(row, path);
    }
    Object.assign(row.state, stateOf(version, info));
    await this.#planToOnes(row, version, relations, path);
    for (const [name, branch] of Object.entries(relations)) {
      const prop = info.live.properties[name as never] as EntityProperty;
      if (prop.kind === ReferenceKind.MANY_TO_MANY) {
        await this.#planLinks(row, prop, branch, join(path, name));
      } else if (prop.kind === ReferenceKind.ONE_TO_MANY || (prop.kind === ReferenceKind.ONE_TO_ONE && !prop.owner)) {
        await this.#planChildren(row, prop, branch, join(path, name));
      }
    }
    return row;
  }

  /** The targets of the version's own foreign keys; as of then where the relation was asked for. */
  async #planToOnes(row: RowPlan, version: object, relations: RelationTree, path: string): Promise<void> {
    for (const property of row.info.properties) {
      const name = property.live;
      const prop = row.info.live.properties[name as never] as EntityProperty;
      if (!isToOne(prop) || prop.primary || prop.mapToPk) {
        continue;
      }
      const target = this.#plan.rows.targetThen(version, property, prop) ?? null;
      const branch = relations[name];
      if (target && branch) {
        await this.#bringBackAll(this.#plan.rows.infoOf(target.target), [target.key], branch, join(path, name));
      }
      row.toOnes.set(name, target);
    }
  }

  /** The rows that had a version then; others stay what they are. */
  async #bringBackAll(
    info: VersionInfo | undefined,
    keys: readonly Values[],
    branch: RelationTree,
    path: string,
  ): Promise<void> {
    for (const then of info ? await this.#history.versions(info, keys) : []) {
      await this.#bringBack(then, branch, path);
    }
  }

  async #planLinks(row: RowPlan, prop: EntityProperty, branch: RelationTree, path: string): Promise<void> {
    const link = row.info.links.find(each => each.live === prop.name);
    if (!link) {
      return;
    }
    const linked = await this.#history.linked(link, shownKeyOf(row.key));
    const ends = linked.map(raw => this.#plan.rows.endThen(prop, raw));
    await this.#plan.link(row, prop, ends);
    for (const [target, group] of Map.groupBy(ends, end => end.target)) {
      const keys = group.map(end => end.key);
      await this.#bringBackAll(this.#plan.rows.infoOf(target), keys, branch, path);
    }
  }

  /** Children as of then come back to this parent; children that came later leave it. */
  async #planChildren(row: RowPlan, prop: EntityProperty, branch: RelationTree, path: string): Promise<void> {
    const child = prop.targetMeta!;
    const foreignKey = child.properties[prop.mappedBy as never] as EntityProperty;
    const childInfo = this.#plan.rows.infoOf(child);
    if (!childInfo) {
      return;
    }
    const { live, key } = row;
    const own = row.info.live;
    const type = isPolymorphicToOne(foreignKey) ? discriminatorValueOf(foreignKey, own.class) : undefined;
    const owner = type === undefined ? shownKeyOf(key) : [type, shownKeyOf(key)].flat();
    const kept = new Set<string>();
    for (const version of await this.#history.children(childInfo, foreignKey.name, owner)) {
      const { info, key: childKey } = await this.#bringBack(version, branch, path);
      kept.add(identify(info.live, childKey));
    }
    const now = live
      ? await this.#em.find<Values>(
          child.class,
          { [foreignKey.name]: type === undefined ? shownKeyOf(key) : live },
          { flushMode: FlushMode.COMMIT, filters: false, ...schemaOption(child, this.#schema) },
        )
      : [];
    for (const entity of now.filter(each => !kept.has(identify(metaOf(each), each)))) {
      this.#later.push({ entity, foreignKey, relation: prop });
    }
  }

  /** What another parent has back is not unlinked. */
  #unlinkLater(): void {
    for (const { entity, foreignKey, relation } of this.#later) {
      if (this.#plan.isPlanned(entity)) {
        continue;
      }
      if (relation.orphanRemoval) {
        this.#plan.remove(entity);
      } else if (foreignKey.nullable) {
        this.#plan.move(entity, foreignKey.name, null);
      } else {
        throw VersioningError.cannotUnlink(metaOf(entity).className, foreignKey.name, relation.name);
      }
    }
  }
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
