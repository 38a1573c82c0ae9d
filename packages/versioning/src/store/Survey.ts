import type { EntityMetadata, Platform } from '@mikro-orm/core';
import { holderOf } from '../metadata/joinedTables.ts';
import { columnsOf } from '../metadata/properties.ts';
import { inSchema, isWildcard, otherSchema, qualified } from '../metadata/schemas.ts';
import { endValues } from '../model/linkEnds.ts';
import type { Leaving, ReplacedUnseen } from '../model/Leaving.ts';
import { serializeKey, type Frame, type KeyValues, type Touched } from '../model/Touched.ts';
import type { Dependent, VersioningModel } from '../model/VersioningModel.ts';
import type { Connection, LiveTable, Store } from './Store.ts';

/** What a survey works with: the transaction's connection, and where to put what it finds. */
export interface SurveyTarget {
  readonly connection: Connection;
  readonly touched: Touched;
  readonly frame: Frame;
  /** Whether a savepoint's touches still count. */
  readonly isAlive: (frame: Frame) => boolean;
  /** Rows that the flush itself makes children of rows that go. */
  readonly follow: (gone: readonly Leaving[]) => Leaving[];
}

/**
 * Looks up, before a flush writes, what the database will change by itself: the children of rows that are deleted or
 * get another key, level by level along the foreign keys' rules, and the children that a replaced collection leaves.
 * Rows without a version yet leave an image, since afterwards nothing tells what they were. Costs nothing for a flush
 * that deletes nothing.
 */
export class Survey {
  readonly #model: VersioningModel;
  readonly #store: Store;
  readonly #platform: Platform;

  constructor(model: VersioningModel, store: Store, platform: Platform) {
    this.#model = model;
    this.#store = store;
    this.#platform = platform;
  }

  async run(into: SurveyTarget, leaving: readonly Leaving[], unseen: readonly ReplacedUnseen[]): Promise<void> {
    const visited = new Map<string, number>();
    let level = [...leaving, ...(await this.#findReplaced(into.connection, unseen))];
    while (level.length > 0) {
      const next: Leaving[] = [];
      for (const { meta, schema, group } of groupByRoot(level, visited)) {
        const going = group.filter(({ stays }) => !stays);
        next.push(...into.follow(going.filter(({ movedTo }) => !movedTo)));
        await this.#keepImages(into, meta, schema, going);
        await this.#touchLinks(into, meta, schema, going);
        const dependents = this.#model.dependents.get(meta.class) ?? [];
        if (dependents.length > 0) {
          await this.#store.lock(
            into.connection,
            this.#liveTable(meta, schema),
            group.map(({ key }) => key),
          );
        }
        for (const dependent of dependents) {
          next.push(...(await this.#findDependent(into, dependent, schema, group)));
        }
      }
      level = next;
    }
  }

  async #findReplaced(connection: Connection, unseen: readonly ReplacedUnseen[]): Promise<Leaving[]> {
    const found: Leaving[] = [];
    for (const { child, foreignKey, owner, schema } of unseen) {
      const columns = columnsOf(child.properties[foreignKey]!, this.#platform);
      const table = this.#liveTable(holderOf(child, foreignKey), schema);
      const keys = await this.#store.findBy(connection, table, columns, [owner]);
      found.push(...keys.map(key => ({ meta: child.root, key, schema })));
    }
    return found;
  }

  async #keepImages(
    { connection, touched, frame, isAlive }: SurveyTarget,
    meta: EntityMetadata,
    schema: string | undefined,
    group: readonly Leaving[],
  ): Promise<void> {
    const history = this.#model.rows.get(meta.class);
    if (!history) {
      return;
    }
    const rows = touched.rowsOf(history.table.name, schema);
    const keys = group.map(({ key }) => key).filter(key => !rows.isCreated(key, isAlive));
    if (keys.length > 0 && (await this.#store.keepImages(connection, history.table, schema, keys)) > 0) {
      touched.images = true;
    }
    for (const { key, movedTo } of group) {
      rows.addKey(key, 'left', frame);
      if (movedTo) {
        rows.addKey(movedTo, 'created', frame);
      }
    }
  }

  async #touchLinks(
    { connection, touched }: SurveyTarget,
    meta: EntityMetadata,
    schema: string | undefined,
    group: readonly Leaving[],
  ): Promise<void> {
    for (const link of this.#model.links) {
      const { pivot } = link;
      for (const part of (['owner', 'target'] as const).filter(each => link[each].root.class === meta.class)) {
        for (const each of await this.#schemasOf(connection, { child: pivot, holder: pivot, target: meta }, schema)) {
          const rows = touched.rowsOf(link.table.name, each);
          for (const { key, movedTo } of group) {
            rows.addLinks(part, endValues(link, part, key), false);
            if (movedTo) {
              rows.addLinks(part, endValues(link, part, movedTo), true);
            }
          }
        }
      }
    }
  }

  async #findDependent(
    into: SurveyTarget,
    dependent: Dependent,
    parentSchema: string | undefined,
    group: readonly Leaving[],
  ): Promise<Leaving[]> {
    const found: Leaving[] = [];
    for (const schema of await this.#schemasOf(into.connection, dependent, parentSchema)) {
      found.push(...(await this.#findDependentIn(schema, into, dependent, parentSchema, group)));
    }
    return found;
  }

  /** Where the children are: to a row of one schema, those of every manager's schema may refer. */
  async #schemasOf(
    connection: Connection,
    { child, holder, target }: Pick<Dependent, 'child' | 'holder' | 'target'>,
    parentSchema: string | undefined,
  ): Promise<(string | undefined)[]> {
    if (!isWildcard(child, this.#platform)) {
      return [undefined];
    }
    if (isWildcard(target, this.#platform)) {
      return [parentSchema];
    }
    const parent = this.#liveTable(target, parentSchema);
    const schemas = await this.#store.findReferring(connection, holder.tableName, parent);
    return schemas.map(schema => otherSchema(schema, this.#platform));
  }

  async #findDependentIn(
    schema: string | undefined,
    { connection, touched, frame }: SurveyTarget,
    dependent: Dependent,
    parentSchema: string | undefined,
    group: readonly Leaving[],
  ): Promise<Leaving[]> {
    const { child, cascades, holder, target } = dependent;
    const history = this.#model.rows.get(child.class);
    const table = this.#liveTable(holder, schema);
    const parentTable = this.#liveTable(target, parentSchema);
    const unmoved = group.filter(each => !each.movedTo);
    const found: Leaving[] = [];
    const touch = (key: KeyValues) => {
      if (history) {
        touched.rowsOf(history.table.name, schema).addKey(key, 'changed', frame);
      }
    };
    for (const rows of [unmoved.filter(each => each.stays), unmoved.filter(each => !each.stays)]) {
      const parents = rows.map(({ key }) => key);
      const keys =
        rows.length > 0 ? await this.#store.findChildren(connection, table, parentTable, dependent, parents) : [];
      keys.forEach(touch);
      if (cascades && !rows[0]?.stays) {
        found.push(...keys.map(key => ({ meta: child, key, schema })));
      }
    }
    for (const { key, stays } of group.filter(each => each.stays)) {
      const keys = await this.#store.findChildren(connection, table, parentTable, dependent, [key]);
      const values = dependent.referenced.map(column => stays![column]);
      found.push(...this.#movedChildren(dependent, table, schema, keys, values));
    }
    for (const { key, movedTo } of group.filter(each => each.movedTo)) {
      const keys = await this.#store.findChildren(connection, table, parentTable, dependent, [key]);
      keys.forEach(touch);
      const values = dependent.referenced.map(
        column => movedTo![parentTable.key.findIndex(each => each.name === column)],
      );
      found.push(...this.#movedChildren(dependent, table, schema, keys, values));
    }
    return found;
  }

  /** Children whose own key contains the foreign key move along with their parent, to its new values. */
  #movedChildren(
    { child, columns }: Dependent,
    table: LiveTable,
    schema: string | undefined,
    keys: readonly KeyValues[],
    values: readonly unknown[],
  ): Leaving[] {
    const moves = columns.flatMap((column, i) => {
      const at = table.key.findIndex(each => each.name === column);
      return at >= 0 && values[i] !== undefined ? [{ at, value: values[i] }] : [];
    });
    return moves.length === 0
      ? []
      : keys.map(key => ({
          meta: child,
          key,
          schema,
          movedTo: key.map((value, at) => moves.find(move => move.at === at)?.value ?? value),
        }));
  }

  #liveTable(meta: EntityMetadata, schema: string | undefined): LiveTable {
    return {
      name: inSchema(qualified(meta, this.#platform), schema, this.#platform),
      key: meta.getPrimaryProps().flatMap(prop => columnsOf(prop, this.#platform)),
    };
  }
}

interface Group {
  readonly meta: EntityMetadata;
  readonly schema: string | undefined;
  readonly group: Leaving[];
}

/** The rows of a level by their class and schema, each once, and again only for more: a row that stayed may yet move, or go. */
function groupByRoot(level: readonly Leaving[], visited: Map<string, number>): Group[] {
  const groups = new Map<string, Group>();
  for (const row of level) {
    const { root } = row.meta;
    const table = JSON.stringify([row.schema, root.className]);
    const id = `${table}:${serializeKey(row.key)}`;
    const strength = row.stays ? 1 : row.movedTo ? 2 : 3;
    if ((visited.get(id) ?? 0) < strength) {
      visited.set(id, strength);
      const known = groups.get(table);
      if (known) {
        known.group.push(row);
      } else {
        groups.set(table, { meta: root, schema: row.schema, group: [row] });
      }
    }
  }
  return [...groups.values()];
}
