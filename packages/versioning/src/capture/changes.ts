import {
  ChangeSetType,
  ReferenceKind,
  type ChangeSet,
  type Collection,
  type EntityMetadata,
  type EntityProperty,
  type Platform,
  type UnitOfWork,
} from '@mikro-orm/core';
import { metaOf, ownSchemaOf, snapshotOf } from '../internals/entityState.ts';
import { isWildcard, otherSchema } from '../metadata/schemas.ts';
import type { Leaving, ReplacedUnseen } from '../model/Leaving.ts';
import { serializeKey, type Frame, type KeyValues, type TouchedRows } from '../model/Touched.ts';
import type { LinkHistory, VersioningModel } from '../model/VersioningModel.ts';
import { Followers } from './Followers.ts';
import { databaseValues, keyOf, snapshotKey } from './keys.ts';
import { endValues, linkColumns } from '../model/linkEnds.ts';
import type { TransactionState } from './TransactionState.ts';

/** Reads from the unit of work which rows and links a flush touches. Decides nothing: the database says what they became. */
export class ChangeReader {
  readonly #model: VersioningModel;
  readonly #platform: Platform;
  readonly #linksByPivot: ReadonlyMap<unknown, readonly LinkHistory[]>;
  readonly #linkEnds: ReadonlySet<object>;

  constructor(model: VersioningModel, platform: Platform) {
    this.#model = model;
    this.#platform = platform;
    this.#linksByPivot = Map.groupBy(model.links, link => link.pivot.class);
    this.#linkEnds = new Set(model.links.flatMap(link => [link.owner.root.class, link.target.root.class]));
  }

  /** Whether a change of this class can matter: it is versioned, is an end of versioned links, or cascades to something versioned. */
  concerns(meta: EntityMetadata): boolean {
    const root = meta.root.class;
    return (
      this.#model.rows.has(root) ||
      this.#linkEnds.has(root) ||
      this.#model.dependents.has(root) ||
      this.#linksByPivot.has(root)
    );
  }

  /** Adds change sets to the state, and returns the rows that leave their key. */
  readChangeSets(changeSets: readonly ChangeSet<object>[], state: TransactionState): Leaving[] {
    const leaving: Leaving[] = [];
    // what existed before comes first, so that a row which is deleted and created again is not taken for a new one
    for (const changeSet of changeSets.toSorted((a, b) => Number(isCreate(a)) - Number(isCreate(b)))) {
      if (this.concerns(changeSet.meta)) {
        this.#readChangeSet(changeSet, state, leaving);
      }
    }
    return leaving;
  }

  /** Follows the rows that the change sets move to rows that go. */
  followersOf(
    changeSets: readonly ChangeSet<object>[],
    state: TransactionState,
  ): { readonly followers: Followers; readonly deleted: object[] } {
    const deleted = changeSets.filter(isDelete).map(({ entity }) => entity);
    const staying = changeSets.filter(changeSet => !isDelete(changeSet));
    return {
      followers: new Followers(staying, this.#model, this.#platform, (entity, meta) =>
        this.#schemaOf(entity, meta, state),
      ),
      deleted,
    };
  }

  /** Adds the updates that MikroORM splits off; an entity that changes nothing but a swapped unique value is only here. */
  readExtraUpdates(uow: UnitOfWork, state: TransactionState): void {
    for (const [entity] of uow.getExtraUpdates()) {
      const meta = this.#metaOf(entity);
      const snapshot = snapshotOf(entity);
      const history = this.#model.rows.get(meta.root.class);
      const key = snapshot && snapshotKey(snapshot, meta.getPrimaryProps(), this.#platform);
      if (history && key) {
        // an entity without a snapshot is a new one, and has a change set
        const schema = this.#schemaOf(entity, meta, state);
        state.touched.rowsOf(history.table.name, schema).addKey(key, 'changed', state.frame);
        state.stale.add(entity);
      }
    }
  }

  /** Adds every changed collection to the state, and returns the owners whose children are replaced unseen. */
  readCollections(uow: UnitOfWork, state: TransactionState): ReplacedUnseen[] {
    const unseen: ReplacedUnseen[] = [];
    for (const collection of uow.getCollectionUpdates() as Iterable<Collection<object>>) {
      const property = this.#propertyOf(collection);
      if (!collection.isDirty()) {
        continue;
      }
      if (property.kind === ReferenceKind.MANY_TO_MANY) {
        this.#readLinks(collection, state);
      } else if (collection.getSnapshot() === undefined && this.concerns(property.targetMeta!)) {
        const child = property.targetMeta!;
        const owner = databaseValues(child.properties[property.mappedBy]!, collection.owner, this.#platform);
        if (owner) {
          const schema = isWildcard(child, this.#platform) ? this.#schemaOf(collection.owner, child, state) : undefined;
          unseen.push({ child, foreignKey: property.mappedBy, owner, schema });
        }
      }
    }
    // a self-referencing collection waits in the extra updates
    for (const [, , value] of uow.getExtraUpdates()) {
      const collection = value as Partial<Collection<object>> | undefined;
      if (collection?.property?.pivotEntity) {
        this.#readLinks(value as Collection<object>, state);
      }
    }
    return unseen;
  }

  /**
   * Moves what has a key by now from `unresolved` to `touched`; with `final`, forgets the rest, which was never written. What
   * a flush that failed did not get to insert is unsure.
   */
  resolve(state: TransactionState, final: boolean): void {
    state.unresolved = state.unresolved.filter(entry => {
      if (entry.kind === 'row') {
        const key = keyOf(entry.entity, entry.meta, this.#platform);
        if (key) {
          state.touched
            .rowsOf(entry.history.table.name, entry.schema)
            .addKey(key, entry.changeSet.persisted ? 'created' : 'unsure', entry.frame);
        }
        return !key && !final;
      }
      const owner = this.#endKey(entry.owner, entry.link, 'owner');
      const target = this.#endKey(entry.target, entry.link, 'target');
      if (owner && target) {
        addLink(
          state.touched.rowsOf(entry.link.table.name, entry.schema),
          entry.link,
          [...owner, ...target],
          entry.frame,
        );
      }
      return !(owner && target) && !final;
    });
  }

  /** An entity knows the metadata of the MikroORM instance that was started last with its class. */
  #metaOf(entity: object): EntityMetadata {
    return this.#model.metadata.find(metaOf(entity).class as never) ?? metaOf(entity);
  }

  #propertyOf({ owner, property }: Collection<object>): EntityProperty {
    return (this.#metaOf(owner).properties[property.name as never] as EntityProperty | undefined) ?? property;
  }

  /** Where the rows of a class with tables in several schemas are, going by an entity; `undefined` for the configured schema. */
  #schemaOf(entity: object, meta: EntityMetadata, state: TransactionState): string | undefined {
    return isWildcard(meta, this.#platform)
      ? otherSchema(ownSchemaOf(entity) ?? state.schema, this.#platform)
      : undefined;
  }

  /** The columns of one end of a link, from its entity; of a pivot entity they are known already. */
  #endKey(end: unknown, link: LinkHistory, which: 'owner' | 'target'): KeyValues | undefined {
    if (Array.isArray(end)) {
      return end as KeyValues;
    }
    const key = keyOf(end as object, link[which], this.#platform);
    return key && endValues(link, which, key);
  }

  #readChangeSet(changeSet: ChangeSet<object>, state: TransactionState, leaving: Leaving[]): void {
    const { entity, meta } = changeSet;
    const history = this.#model.rows.get(meta.root.class);
    const schema = this.#schemaOf(entity, meta, state);
    if (history) {
      state.stale.add(entity);
    }
    for (const link of (this.#linksByPivot.get(meta.class) ?? []).filter(each => each.table.kind === 'link')) {
      this.#readPivotEntity(changeSet, link, state);
    }
    if (isCreate(changeSet)) {
      if (history) {
        state.unresolved.push({ kind: 'row', history, entity, meta, changeSet, frame: state.frame, schema });
      }
      return;
    }
    if (isDelete(changeSet)) {
      this.#readDeletion(changeSet, state, leaving);
      return;
    }
    const key = this.#oldKey(changeSet);
    if (!key) {
      return;
    }
    if (history) {
      state.touched.rowsOf(history.table.name, schema).addKey(key, 'changed', state.frame);
    }
    const written = writtenProperties(changeSet);
    const movedTo = meta.primaryKeys.some(name => written.has(name)) && keyOf(entity, meta, this.#platform);
    if (movedTo && serializeKey(movedTo) !== serializeKey(key)) {
      leaving.push({ meta, key, schema, movedTo });
    } else if (this.#changesReferenced(changeSet)) {
      leaving.push({ meta, key, schema, stays: this.#referencedValues(changeSet) });
    }
  }

  /** MikroORM deletes by the key that the entity has now, also where it was changed after it was loaded. */
  #readDeletion(changeSet: ChangeSet<object>, state: TransactionState, leaving: Leaving[]): void {
    const { entity, meta } = changeSet;
    const history = this.#model.rows.get(meta.root.class);
    const schema = this.#schemaOf(entity, meta, state);
    const keys = [this.#oldKey(changeSet), keyOf(entity, meta, this.#platform)].filter(key => key !== undefined);
    for (const key of new Map(keys.map(each => [serializeKey(each), each])).values()) {
      if (history) {
        state.touched.rowsOf(history.table.name, schema).addKey(key, 'left', state.frame);
      }
      leaving.push({ meta, key, schema });
    }
  }

  /** Whether a property changed, other than the key, that children refer to. */
  #changesReferenced(changeSet: ChangeSet<object>): boolean {
    const { meta } = changeSet;
    const written = writtenProperties(changeSet);
    return (this.#model.dependents.get(meta.root.class) ?? []).some(({ referencedProperties }) =>
      referencedProperties.some(name => written.has(name) && !meta.primaryKeys.includes(name as never)),
    );
  }

  /** The new values of the properties that children refer to, by column. */
  #referencedValues(changeSet: ChangeSet<object>): Record<string, unknown> {
    const { entity, meta } = changeSet;
    const written = writtenProperties(changeSet);
    const names = (this.#model.dependents.get(meta.root.class) ?? []).flatMap(each => each.referencedProperties);
    const values: Record<string, unknown> = {};
    for (const name of names.filter(each => written.has(each))) {
      const prop = meta.properties[name as never]!;
      const value = databaseValues(prop, (entity as Record<string, unknown>)[name], this.#platform);
      (prop as { fieldNames: string[] }).fieldNames.forEach((column, i) => (values[column] = value?.[i] ?? null));
    }
    return values;
  }

  #oldKey({ entity, meta, originalEntity }: ChangeSet<object>): KeyValues | undefined {
    const snapshot = (originalEntity ?? snapshotOf(entity)) as Record<string, unknown> | undefined;
    return (
      (snapshot && snapshotKey(snapshot, meta.getPrimaryProps(), this.#platform)) ?? keyOf(entity, meta, this.#platform)
    );
  }

  /** The user's own pivot entity, changed as an entity. */
  #readPivotEntity(
    { entity, meta, originalEntity }: ChangeSet<object>,
    link: LinkHistory,
    state: TransactionState,
  ): void {
    const ends = [link.property.joinColumns, link.property.inverseJoinColumns].map(columns =>
      meta.relations.find(prop => prop.fieldNames?.every(column => columns.includes(column)))!,
    );
    const snapshot = (originalEntity ?? snapshotOf(entity)) as Record<string, unknown> | undefined;
    const before = snapshot && snapshotKey(snapshot, ends, this.#platform);
    const schema = this.#schemaOf(entity, meta, state);
    if (before) {
      addLink(state.touched.rowsOf(link.table.name, schema), link, before, state.frame);
    }
    const [owner, target] = ends.map(prop => {
      const value = (entity as Record<string, unknown>)[prop.name];
      return databaseValues(prop, value, this.#platform) ?? value;
    });
    const { frame } = state;
    if (owner && target) {
      state.unresolved.push({ kind: 'link', link, owner, target, frame, schema });
    }
  }

  #readLinks(collection: Collection<object>, state: TransactionState): void {
    const { owner } = collection;
    const property = this.#propertyOf(collection);
    const links = this.#linksByPivot.get(property.pivotEntity) ?? [];
    const [own, other] = property.owner ? (['owner', 'target'] as const) : (['target', 'owner'] as const);
    const mine = links.filter(link => isOf(owner, link[own], links, own));
    const snapshot = collection.getSnapshot() as object[] | undefined;
    const items = collection.getItems(false);
    const key = keyOf(owner, this.#metaOf(owner), this.#platform);
    const schemaOf = ({ pivot }: LinkHistory) => this.#schemaOf(owner, pivot, state);
    if (snapshot === undefined && key && mine[0]) {
      // what was there before is unknown: every open span of this end is looked at
      state.touched.rowsOf(mine[0].table.name, schemaOf(mine[0])).addLinks(own, endValues(mine[0], own, key), false);
    }
    const before = new Set(snapshot);
    const after = new Set(items);
    const changed = property.fixedOrder
      ? new Set([...before, ...after])
      : new Set([...items.filter(item => !before.has(item)), ...(snapshot ?? []).filter(item => !after.has(item))]);
    const { frame } = state;
    for (const item of changed) {
      const link = mine.find(each => isOf(item, each[other], mine, other));
      if (link) {
        const ends = own === 'owner' ? { owner, target: item } : { owner: item, target: owner };
        state.unresolved.push({ kind: 'link', link, ...ends, frame, schema: schemaOf(link) });
      }
    }
  }
}

/** Whether an entity is at this end of a link: where a relation is polymorphic, by its class. */
function isOf(entity: object, end: EntityMetadata, links: readonly LinkHistory[], which: 'owner' | 'target'): boolean {
  return (
    links.every(link => link[which] === links[0]![which]) ||
    metaOf(entity).prototype instanceof end.class ||
    metaOf(entity).class === end.class
  );
}

/** Touches one link by its ends. Its key may have more to it, which is known to the database alone. */
function addLink(rows: TouchedRows, { table }: LinkHistory, ends: KeyValues, frame: Frame): void {
  const columns = linkColumns(table, 'both').map(column => column.name);
  const key = table.key.map(column => columns.indexOf(column.name));
  if (key.includes(-1)) {
    rows.addLinks('both', ends, true);
  } else {
    const values = key.map(at => ends[at]);
    // whether the row of a versioned pivot entity is a new one, its collection does not tell
    rows.addKey(values, table.kind === 'row' ? 'unsure' : 'changed', frame);
  }
}

/** Names of what the flush writes; in a joined hierarchy every table has a change set of its own. */
function writtenProperties({ payload, tptChangeSets }: ChangeSet<object>): Set<string> {
  return new Set([payload, ...(tptChangeSets ?? []).map(each => each.payload)].flatMap(each => Object.keys(each)));
}

function isCreate(changeSet: ChangeSet<object>): boolean {
  return changeSet.type === ChangeSetType.CREATE;
}

function isDelete(changeSet: ChangeSet<object>): boolean {
  return changeSet.type === ChangeSetType.DELETE || changeSet.type === ChangeSetType.DELETE_EARLY;
}
