import {
  Reference,
  ReferenceKind,
  ScalarReference,
  type Collection,
  type EntityMetadata,
  type EntityProperty,
} from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import { isEntity, isLoaded, loadedProperties, managerOf, ownMetaOf, primaryKeyOf } from '../internals/entityState.ts';
import { hasColumns, isToMany } from '../metadata/properties.ts';
import { versionInfos } from '../metadata/versionClass.ts';
import { Operation } from '../model/Operation.ts';
import type { Changeset } from '../model/Version.ts';
import { areSameKeys } from './links.ts';
import { rootProperty, shownKey, shownValue } from './shownValue.ts';
import { identify } from './versions.ts';

/** What differs in one entity of two graphs. */
export interface Difference {
  /** Its class. */
  readonly entity: abstract new (...args: never[]) => object;
  /** Its key; of a composite one an array in the order of the primary key. */
  readonly key: unknown;
  /** How it was first reached from where the graphs begin: `''`, `tags`, `category.parent`. */
  readonly path: string;
  /** `INSERT` where only the second graph has it, `DELETE` where only the first one has it, `UPDATE` where it differs. */
  readonly operation: Operation;
  /** `[in the first, in the second]` of what is loaded in both, relations with their keys; `null` where there is none. */
  readonly changeset: Changeset;
}

type Values = Record<string, unknown>;

/** An entity by what the two graphs have of it. */
interface Node {
  readonly path: string;
  before?: object;
  after?: object;
}

type SideName = 'before' | 'after';
const SIDES = ['before', 'after'] as const;

/**
 * The differences of two graphs, breadth first. A relation is followed where both sides have loaded it; from an entity that
 * only one side has, by what that side has loaded.
 */
export function diffGraphs(before: readonly object[], after: readonly object[]): Difference[] {
  const graphs = new Graphs();
  before.forEach(entity => graphs.add('before', entity, ''));
  after.forEach(entity => graphs.add('after', entity, ''));
  return graphs.read().flatMap(node => differenceOf(node) ?? []);
}

class Graphs {
  /** By row; what has no key yet is one of its own. */
  readonly #nodes = new Map<string | object, Node>();
  /** Still to be followed: what both sides have, and what only one has so far. */
  readonly #pairs = new Set<Node>();
  readonly #singles = new Set<Node>();

  add(side: SideName, entity: object, path: string): void {
    const keys = [primaryKeyOf(entity)].flat(Infinity);
    const isNew = keys.some(part => part === undefined || part === null);
    const id = isNew ? entity : identify(ownMetaOf(entity), entity);
    const node = this.#nodes.get(id) ?? { path };
    this.#nodes.set(id, node);
    if (node[side] === undefined) {
      node[side] = entity;
      const isPair = sidesOf(node).length === 2;
      this.#singles.delete(node);
      (isPair ? this.#pairs : this.#singles).add(node);
    }
  }

  /** All nodes. What both sides have is followed first, since it tells which of the rest both have, too. */
  read(): Node[] {
    for (;;) {
      const queue = this.#pairs.size > 0 ? this.#pairs : this.#singles;
      const [next] = queue;
      if (!next) {
        return [...this.#nodes.values()];
      }
      queue.delete(next);
      this.#follow(next);
    }
  }

  #follow(node: Node): void {
    const entities = sidesOf(node).map(side => node[side]!);
    for (const prop of relationsOf(ownMetaOf(entities[0]!))) {
      if (!entities.every(entity => isKnown(entity, prop) && targetsOf(entity, prop).every(isLoaded))) {
        continue;
      }
      for (const side of sidesOf(node)) {
        for (const target of targetsOf(node[side]!, prop)) {
          this.add(side, target, node.path === '' ? prop.name : `${node.path}.${prop.name}`);
        }
      }
    }
  }
}

function sidesOf(node: Node): SideName[] {
  return SIDES.filter(side => node[side] !== undefined);
}

function differenceOf({ before, after, path }: Node): Difference | undefined {
  const entity = (after ?? before)!;
  const meta = ownMetaOf(entity);
  const changeset = before && after ? compare(before, after, meta) : list(entity, meta, after === undefined);
  if (before && after && Object.keys(changeset).length === 0) {
    return undefined;
  }
  const operation = before ? (after ? Operation.UPDATE : Operation.DELETE) : Operation.INSERT;
  return { entity: meta.class, key: primaryKeyOf(entity), path, operation, changeset };
}

/** What is loaded of an entity that only one graph has. */
function list(entity: object, meta: EntityMetadata, isBefore: boolean): Changeset {
  const shown = propertiesOf(meta)
    .filter(prop => isKnown(entity, prop))
    .map(prop => [prop.name, shownOf(entity, prop)] as const)
    .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0));
  return Object.fromEntries(shown.map(([name, value]) => [name, isBefore ? [value, null] : [null, value]]));
}

function compare(before: object, after: object, meta: EntityMetadata): Changeset {
  const differing = differingColumns(before, after, meta);
  const changed = propertiesOf(meta)
    .filter(prop => isKnown(before, prop) && isKnown(after, prop))
    .filter(prop => {
      if (hasColumns(prop) || prop.kind === ReferenceKind.EMBEDDED) {
        return differing.has(prop.name);
      }
      const [a, b] = [before, after].map(entity => [shownOf(entity, prop)].flat());
      return !areSameKeys(a!, b!, prop.fixedOrder ?? false);
    });
  return Object.fromEntries(changed.map(prop => [prop.name, [shownOf(before, prop), shownOf(after, prop)] as const]));
}

/** Names of the properties with columns that differ; of a part of an embeddable, the embeddable's. */
function differingColumns(before: object, after: object, meta: EntityMetadata): Set<string> {
  const em = managerOf(after) ?? managerOf(before);
  if (!em) {
    throw VersioningError.notManaged(meta.className);
  }
  const comparator = em.getComparator();
  const [a, b] = [before, after].map(entity => comparator.prepareEntity(entity as never));
  const differing = Object.keys(comparator.diffEntities(meta.class, a as never, b as never));
  return new Set(differing.map(name => rootProperty(meta.properties[name as never]!, meta).name));
}

function propertiesOf(meta: EntityMetadata): EntityProperty[] {
  const relations = new Set(relationsOf(meta));
  return meta.props.filter(
    prop =>
      !prop.embedded &&
      (relations.has(prop) ||
        prop.kind === ReferenceKind.EMBEDDED ||
        (prop.kind === ReferenceKind.SCALAR && hasColumns(prop))),
  );
}

function relationsOf(meta: EntityMetadata): EntityProperty[] {
  return meta.relations.filter(prop => prop.name !== versionInfos.get(meta)?.versionsProperty);
}

/** Whether the entity has the property loaded, be it as `null`. */
function isKnown(entity: object, prop: EntityProperty): boolean {
  const value = (entity as Values)[prop.name];
  if (isToMany(prop)) {
    return (value as Collection<object> | undefined)?.isInitialized() ?? false;
  }
  if (ScalarReference.isScalarReference(value)) {
    return value.isInitialized();
  }
  return value !== undefined || loadedProperties(entity).has(prop.name);
}

function targetsOf(entity: object, prop: EntityProperty): object[] {
  const value = (entity as Values)[prop.name];
  if (isToMany(prop)) {
    return (value as Collection<object>).getItems(false);
  }
  const target = value === null || value === undefined ? value : Reference.unwrapReference(value as object);
  return isEntity(target) ? [target] : [];
}

function shownOf(entity: object, prop: EntityProperty): unknown {
  return isToMany(prop)
    ? targetsOf(entity, prop).map(item => shownKey(item, prop))
    : shownValue((entity as Values)[prop.name], prop);
}
