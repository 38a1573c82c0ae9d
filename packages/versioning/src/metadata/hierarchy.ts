import type { EntityMetadata, EntityProperty, MetadataStorage } from '@mikro-orm/core';
import { hasColumns, isToMany, isToOne } from './properties.ts';

/** Properties of a live entity by key, as its history has them. */
export type Shape = Readonly<Record<string, EntityProperty>>;

/**
 * The classes of a single-table or joined (table-per-type) hierarchy, whose history is one table: a row that is spread
 * over tables still has one version.
 */
export interface Hierarchy {
  /** Root first, parents before children. */
  readonly classes: readonly EntityMetadata[];
  /**
   * By class. A class has the properties of all its descendants too, marked `inherited`, so that what is asked through it
   * comes back whole.
   */
  readonly shapes: ReadonlyMap<object, Shape>;
}

/** Whether the entity is of a joined (table-per-type) hierarchy. */
export function isJoined(meta: EntityMetadata): boolean {
  return meta.root.inheritanceType === 'tpt';
}

/** Flattens the hierarchy below `root`. */
export function flattenHierarchy(root: EntityMetadata, storage: MetadataStorage): Hierarchy {
  const parents = new Map<EntityMetadata, EntityMetadata | undefined>();
  const all = [...storage].filter(meta => meta.root.class === root.class);
  for (const meta of all) {
    parents.set(meta, meta === root ? undefined : all.find(each => each.class === parentClassOf(meta, storage)));
  }
  const lineOf = (meta: EntityMetadata | undefined): EntityMetadata[] =>
    meta ? [...lineOf(parents.get(meta)), meta] : [];
  const classes = all.toSorted((a, b) => lineOf(a).length - lineOf(b).length || (a.className < b.className ? -1 : 1));
  const own = new Map(classes.map(meta => [meta, ownProperties(meta, parents.get(meta))] as const));
  const whole = new Map(
    classes.map(meta => {
      const line = lineOf(meta);
      const known = new Set(line.flatMap(each => [...own.get(each)!.keys()]));
      const entries = Object.entries(meta.properties).filter(([key]) => known.has(key));
      const holder = (key: string) => line.find(each => own.get(each)!.has(key))!;
      return [meta, new Map(entries.map(([key, prop]) => [key, inHistory(prop, columnPrefix(holder(key)))]))] as const;
    }),
  );
  const shapes = new Map<object, Shape>(
    classes.map(meta => {
      const below = classes.filter(each => each !== meta && lineOf(each).includes(meta));
      const declared = below.flatMap(each =>
        [...own.get(each)!.keys()].map(key => ({ meta: each, key, prop: whole.get(each)!.get(key)! })),
      );
      return [meta.class, { ...Object.fromEntries(whole.get(meta)!), ...shareOrKeep(declared) }];
    }),
  );
  return { classes, shapes };
}

/**
 * What the columns of a class have in front in the history of a joined hierarchy, `dog_`. Always, and not only where two
 * tables call theirs the same: a column that joins or leaves later must not take another one's history.
 */
export function columnPrefix(meta: EntityMetadata): string {
  return isJoined(meta) && meta.root !== meta ? `${meta.tableName}_` : '';
}

/** What MikroORM calls the class in the column that says which one a row is of; `undefined` for an abstract one. */
export function discriminatorOf(meta: EntityMetadata): string | undefined {
  return Object.entries(meta.root.discriminatorMap ?? {}).find(([, target]) => target === meta.class)?.[0];
}

/** Whether a class is another one, or extends it. */
export function isOrExtends(entity: object, other: object): boolean {
  const [own, above] = [entity, other].map(each => (each as { prototype: object }).prototype);
  return entity === other || above!.isPrototypeOf(own!);
}

/**
 * A class of live rows, with the columns and the rows of its whole single-table hierarchy. In a join, MikroORM takes a class
 * for that class alone, without its subclasses; here the relation says which rows they are, of whatever class. Versions
 * are distinguished by themselves.
 */
export function wholeHierarchy(meta: EntityMetadata): EntityMetadata {
  const { root, class: target, className } = meta;
  return root.inheritanceType === 'sti' && !root.polymorphs
    ? (Object.create(root, {
        class: { value: target },
        className: { value: className },
        discriminatorValue: { value: undefined },
      }) as EntityMetadata)
    : meta;
}

function parentClassOf(meta: EntityMetadata, storage: MetadataStorage): object | undefined {
  return (meta.tptParent ?? storage.find(meta.extends as never))?.class;
}

/** What the class itself declares; MikroORM gives the root of a single-table hierarchy its descendants' properties as well. */
function ownProperties(meta: EntityMetadata, parent: EntityMetadata | undefined): Map<string, EntityProperty> {
  const inherited = parent && (isJoined(meta) || parent.root !== parent ? parent.properties : withoutChildren(parent));
  return new Map(
    Object.entries(parent || isJoined(meta) ? meta.properties : withoutChildren(meta)).filter(
      ([key]) => !inherited?.[key as never],
    ),
  );
}

function withoutChildren(root: EntityMetadata): Record<string, EntityProperty> {
  return Object.fromEntries(Object.entries<EntityProperty>(root.properties).filter(([, prop]) => !prop.inherited));
}

/** The property with the columns that the history has for it. */
function inHistory(prop: EntityProperty, prefix: string): EntityProperty {
  if (!hasColumns(prop) || prefix === '') {
    return prop;
  }
  const renamed = (columns: string[]) => columns?.map(column => prefix + column);
  return {
    ...prop,
    fieldNames: renamed(prop.fieldNames),
    joinColumns: renamed(prop.joinColumns),
    ownColumns: renamed(prop.ownColumns),
  };
}

type Declared = readonly { readonly meta: EntityMetadata; readonly key: string; readonly prop: EntityProperty }[];

/**
 * The properties of descendants. What they declare alike is one, a part of an embeddable if its whole is, too; of what they declare differently only the columns are
 * kept, under keys of their own: asked through a class above, such a property is of either.
 */
function shareOrKeep(declared: Declared): Shape {
  const byKey = Map.groupBy(declared, each => each.key);
  const isShared = (same: Declared): boolean => {
    const [{ prop }] = same as [Declared[number], ...Declared];
    const whole = prop.embedded && byKey.get(prop.embedded[0]);
    return same.every(each => isAlike(each.prop, prop)) && (!whole || isShared(whole));
  };
  const shape: Record<string, EntityProperty> = {};
  for (const [key, same] of byKey) {
    if (isShared(same)) {
      shape[key] = { ...same[0]!.prop, inherited: true, nullable: true };
      continue;
    }
    for (const { meta, prop } of same.filter(each => hasColumns(each.prop))) {
      const { embedded: _, ...kept } = prop;
      shape[`${meta.className}_${key}`] = {
        ...(kept as EntityProperty),
        inherited: true,
        nullable: true,
        hydrate: false,
      };
    }
  }
  return shape;
}

function isAlike(a: EntityProperty, b: EntityProperty): boolean {
  const isRelation = isToOne(a) || isToMany(a);
  return (
    a.kind === b.kind &&
    String(a.fieldNames) === String(b.fieldNames) &&
    (isRelation ? a.target === b.target && a.pivotEntity === b.pivotEntity : a.type === b.type)
  );
}
