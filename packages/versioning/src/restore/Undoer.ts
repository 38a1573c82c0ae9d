import { FlushMode, Reference, type EntityManager, type EntityProperty } from '@mikro-orm/core';
import { metaOf, ownMetaOf, schemaOption } from '../internals/entityState.ts';
import { VersioningError, type UndoConflict } from '../errors.ts';
import { isToOne } from '../metadata/properties.ts';
import { versionInfos, type VersionedProperty } from '../metadata/versionClass.ts';
import type { VersioningModel } from '../model/VersioningModel.ts';
import { findDiffering } from '../read/changesets.ts';
import { areSameKeys, keyText } from '../read/links.ts';
import type { LinkChange, RowChange } from '../read/RowChanges.ts';
import { shownKeyOf } from '../read/shownValue.ts';
import {
  chunksOf,
  identify,
  infoOf,
  isDeletion,
  keyCondition,
  liveKey,
  rowName,
  versionKey,
} from '../read/versions.ts';
import { HistoryAt } from '../read/HistoryAt.ts';
import { copyValue, stateOf, type RowKey, type Values } from './LiveRows.ts';
import { findReferrers, type Referrer } from './referrers.ts';
import { RestorePlan, type RowPlan } from './RestorePlan.ts';

/**
 * Takes back what a transaction did to each row and each link, and leaves alone what it did not do: a three-way merge of
 * the state before the transaction, the state after it, and the newest one.
 */
export class Undoer {
  readonly #em: EntityManager;
  readonly #model: VersioningModel;
  readonly #schema: string | undefined;
  readonly #before: HistoryAt;
  readonly #now: HistoryAt;
  readonly #plan: RestorePlan;
  readonly #conflicts: UndoConflict[] = [];
  /** Rows that the transaction inserted, with their live entities. */
  readonly #inserted = new Map<string, object>();
  readonly #referring: Referrer[] = [];

  constructor(em: EntityManager, model: VersioningModel, transaction: number) {
    this.#em = em;
    this.#model = model;
    this.#schema = em.schema;
    this.#before = new HistoryAt(em, transaction - 1, this.#schema);
    this.#now = new HistoryAt(em, model.openEnd - 1, this.#schema);
    this.#plan = new RestorePlan(em, this.#schema);
  }

  /** Reads what there is to do, without changing anything, and returns what stands in the way. */
  async plan(changes: readonly RowChange[]): Promise<readonly UndoConflict[]> {
    refuseOtherClasses(changes);
    const newest = await this.#findNewest(changes);
    await this.#plan.rows.load(changes.map(({ info, key }) => ({ target: info.live, key })));
    for (const change of changes.filter(({ versions }) => versions.length > 0)) {
      await this.#planRow(change, newest.get(change)!);
    }
    await this.#findReferring();
    for (const change of changes.filter(({ info, key }) => !this.#inserted.has(identify(info.live, key)))) {
      for (const link of change.links.filter(each => this.#isOurs(each))) {
        await this.#planLinks(change, link);
      }
    }
    for (const { row, property, target } of await this.#plan.findMissing()) {
      this.#conflict(row, property, `led to ${rowName(target.target, target.key)}, which does not exist any more`);
    }
    return this.#conflicts;
  }

  /** Changes managed entities, whatever stands in the way: where something is gone, relations become `null`. */
  async apply(): Promise<void> {
    for (const { row, property, target } of await this.#plan.findMissing()) {
      if (!(row.info.live.properties[property as never] as EntityProperty).nullable) {
        throw VersioningError.cannotUndo(
          `${rowName(row.info.live, row.key)}.${property}`,
          `led to ${rowName(target.target, target.key)}, which is gone`,
        );
      }
      row.toOnes.set(property, null);
    }
    for (const { entity, prop, target } of this.#referring) {
      if (prop.nullable) {
        this.#plan.move(entity, prop.name, null);
      } else if (prop.deleteRule !== 'cascade') {
        const subject = `${rowName(metaOf(entity), entity)}.${prop.name}`;
        throw VersioningError.cannotUndo(subject, `leads to ${target}, which has to be removed`);
      }
    }
    await this.#plan.apply();
  }

  /** The newest version of each row, which is a DELETE where the row is gone. */
  async #findNewest(changes: readonly RowChange[]): Promise<Map<RowChange, object>> {
    const newest = new Map<RowChange, object>();
    const later = new Map<string, RowChange>();
    for (const change of changes) {
      const last = change.versions.at(-1) as { endTransaction: unknown } | undefined;
      if (last?.endTransaction === null) {
        newest.set(change, last);
      } else if (last) {
        later.set(identify(change.info.live, change.key), change);
      }
    }
    for (const [version, group] of Map.groupBy(later.values(), ({ info }) => info.version.root)) {
      for (const some of chunksOf(group)) {
        const keys = some.map(({ info, key }) => keyCondition(info, key));
        const found = await this.#em.find<Values>(
          version.class,
          { $or: keys, endTransactionId: this.#model.openEnd } as never,
          { flushMode: FlushMode.COMMIT, filters: false, ...schemaOption(version, this.#schema) },
        );
        for (const each of found) {
          newest.set(later.get(identify(infoOf(each).live, versionKey(each, infoOf(each))))!, each);
        }
      }
    }
    return newest;
  }

  async #planRow(change: RowChange, newest: object): Promise<void> {
    const { before, after, info, key, versions, isOlder } = change;
    const isLater = newest !== versions.at(-1);
    const isGone = isDeletion(newest);
    if (after !== null && before !== null) {
      return this.#planUpdate(change, before, after, newest, isGone);
    }
    if (after === null) {
      if (isLater && !isGone) {
        this.#conflict(change, null, 'was inserted again');
      }
      return this.#setAll(await this.#plan.plan(info, key), before!);
    }
    if (isOlder) {
      this.#conflict(change, null, 'is older than its history, so that its state before is not known');
      return undefined;
    }
    if (!isGone) {
      await this.#planRemoval(change, isLater ? findDiffering(after, newest) : []);
    }
    return undefined;
  }

  async #planUpdate(change: RowChange, before: object, after: object, newest: object, isGone: boolean): Promise<void> {
    const { info, key, versions } = change;
    const changed = findDiffering(before, after);
    const row = await this.#plan.plan(info, key);
    if (isGone) {
      this.#conflict(change, null, 'was deleted');
    } else if (newest !== versions.at(-1)) {
      const differsFrom = (state: object) => new Set(findDiffering(state, newest).map(({ name }) => name));
      const [fromAfter, fromBefore] = [differsFrom(after), differsFrom(before)];
      for (const { name } of changed.filter(each => fromAfter.has(each.name) && fromBefore.has(each.name))) {
        this.#conflict(change, name, 'was changed again');
      }
    }
    if (!row.live) {
      // the key may have been that of a row of another class since
      this.#setAll(row, infoOf(newest) === info ? newest : after);
    }
    this.#set(row, before, changed);
  }

  /** The whole state of a version. */
  #setAll(row: RowPlan, version: object): void {
    Object.assign(row.state, stateOf(version, row.info));
    this.#set(row, version, infoOf(version).properties);
  }

  #set(row: RowPlan, version: object, properties: readonly VersionedProperty[]): void {
    for (const property of properties) {
      const prop = row.info.live.properties[property.live as never] as EntityProperty;
      if (prop.primary) {
        continue;
      }
      if (isToOne(prop) && !prop.mapToPk) {
        row.toOnes.set(prop.name, this.#plan.rows.targetThen(version, property, prop) ?? null);
      } else {
        row.state[prop.name] = copyValue((version as Values)[property.value] ?? null);
      }
    }
  }

  async #planRemoval(change: RowChange, changed: readonly VersionedProperty[]): Promise<void> {
    const { info, key, links } = change;
    for (const { name } of changed) {
      this.#conflict(change, name, 'was changed');
    }
    for (const linked of info.links) {
      const then = links.find(each => each.linked.link === linked.link && each.linked.end === linked.end)?.after ?? [];
      const now = await this.#now.linked(linked, shownKeyOf(key));
      if (!areSameKeys(then, now, linked.link.property.fixedOrder ?? false)) {
        this.#conflict(change, linked.name, 'was changed');
      }
    }
    const entity = await this.#plan.rows.find(info.live, key as Values);
    if (entity) {
      this.#plan.remove(entity);
      this.#inserted.set(identify(info.live, key), entity);
    }
  }

  /** Rows that lead to one that has to be removed. */
  async #findReferring(): Promise<void> {
    const removed = [...this.#inserted.values()];
    for (const each of await findReferrers(this.#em, this.#model, removed)) {
      const { entity, prop, target } = each;
      const isUndone = this.#inserted.has(identify(metaOf(entity), entity)) || this.#plan.sets(entity, prop.name);
      if (!isUndone && !(await this.#ledThere(entity, prop))) {
        this.#referring.push(each);
        const row = { target: metaOf(entity), key: entity as Values };
        this.#addConflict(row, prop.name, `leads to ${target}, which has to be removed`);
      }
    }
  }

  /** Whether a row led to a key before the transaction, which without a foreign key's constraint it may, whoever had it. */
  async #ledThere(entity: object, prop: EntityProperty): Promise<boolean> {
    const info = versionInfos.get(ownMetaOf(entity));
    const property = info?.properties.find(({ live }) => live === prop.name);
    if (!info || !property || prop.mapToPk) {
      return false;
    }
    const [version] = await this.#before.versions(info, [liveKey(entity, info)]);
    const then = version && this.#plan.rows.targetThen(version, property, prop);
    const now = Reference.unwrapReference((entity as Record<string, object>)[prop.name]!);
    return then !== undefined && identify(then.target, then.key) === identify(metaOf(now), now);
  }

  /** Whether links are undone from this end: from the owner's where that has them, and not where they are rows themselves. */
  #isOurs({ linked: { link, end } }: LinkChange): boolean {
    const ofOwner = versionInfos.get(link.owner)?.links.some(each => each.link === link && each.end === 'owner');
    return link.table.kind === 'link' && (end === 'owner' || !ofOwner);
  }

  async #planLinks(change: RowChange, { linked, before, after }: LinkChange): Promise<void> {
    const prop = change.info.live.properties[linked.live as never] as EntityProperty;
    const target = { target: change.info.live, key: change.key as Values };
    if (!(await this.#plan.exists(target))) {
      if (without(before, after).length > 0) {
        this.#conflict(change, linked.name, 'can have no links, since the row was deleted');
      }
      return;
    }
    const row = await this.#plan.plan(change.info, change.key as Values);
    const now = row.live ? await this.#now.linked(linked, shownKeyOf(change.key)) : before;
    const isOrdered = prop.fixedOrder ?? false;
    if (isOrdered && !areSameKeys(now, after, true) && !areSameKeys(now, before, true)) {
      this.#conflict(change, linked.name, 'was changed again');
    }
    const opened = without(after, before);
    const closed = without(before, after);
    const back = without(closed, now);
    const ends = areSameKeys(now, after, isOrdered) ? before : [...without(now, opened), ...back];
    for (const end of back.map(key => this.#plan.rows.endThen(prop, key))) {
      if (!(await this.#plan.exists(end))) {
        this.#conflict(change, linked.name, `led to ${rowName(end.target, end.key)}, which does not exist any more`);
      }
    }
    await this.#plan.link(
      row,
      prop,
      ends.map(key => this.#plan.rows.endThen(prop, key)),
    );
  }

  #conflict({ info, key }: Pick<RowChange, 'info' | 'key'>, property: string | null, what: string): void {
    this.#addConflict({ target: info.live, key }, property, what);
  }

  #addConflict(row: RowKey, property: string | null, what: string): void {
    const key = shownKeyOf(Object.fromEntries(row.target.primaryKeys.map(name => [name, row.key[name]])));
    const name = rowName(row.target, row.key);
    const subject = property === null ? name : `${name}.${property}`;
    this.#conflicts.push({ entity: row.target.className, key, property, message: `${subject} ${what}` });
  }
}

/** MikroORM can't make a row one of another class. */
function refuseOtherClasses(changes: readonly RowChange[]): void {
  const seen = new Map<string, RowChange>();
  for (const change of changes) {
    const id = identify(change.info.live, change.key);
    const other = seen.get(id);
    if (other) {
      throw VersioningError.otherClass(rowName(other.info.live, other.key), change.info.live.className);
    }
    seen.set(id, change);
  }
}

function without(keys: readonly unknown[], others: readonly unknown[]): unknown[] {
  const known = new Set(others.map(keyText));
  return keys.filter(key => !known.has(keyText(key)));
}
