import {
  type EntityMetadata,
  ReferenceKind,
  type EntityProperty,
  type FilterQuery,
  type MetadataStorage,
  type Platform,
} from '@mikro-orm/core';
import { TemporalSql, type Target } from './TemporalSql.ts';
import { VersioningError } from '../errors.ts';
import { joinPivotBySql } from '../internals/asOfPivots.ts';
import type { LinkHistory } from '../model/VersioningModel.ts';
import type { DeriveContext } from './DeriveContext.ts';
import { add, resolvedEntity, type DerivedVersion } from './deriveVersion.ts';
import { isJoined } from './hierarchy.ts';
import { isBelow, rowsWith } from './joinedTables.ts';
import {
  copyProperty,
  isToMany,
  isToOne,
  qualified,
  scalarProperty,
  toOneProperty,
  type FormulaColumns,
} from './properties.ts';

/**
 * Turns each relation of an entity into a relation of its version, as of the version's transaction `T`:
 *
 * - to-one: a non-persistent many-to-one whose formula yields the key of the target's version at `T`;
 * - to-many: a non-persistent many-to-many over a virtual pivot entity, whose SQL is the temporal join at `T`.
 *
 * A version `v` of the target holds at `T` when `v.transaction <= T < v.endTransaction` and `v` is not a DELETE: always
 * a range, which an index answers, never a `max()` subquery. Targets without history are the live rows. In MikroORM's
 * own terms, so that `populate`, conditions, order, counts and the QueryBuilder work over history.
 */
export class RelationshipBuilder {
  readonly #storage: MetadataStorage;
  readonly #versions: ReadonlyMap<object, DerivedVersion>;
  readonly #links: readonly LinkHistory[];
  readonly #context: DeriveContext;
  readonly #platform: Platform;
  readonly #sql: TemporalSql;

  constructor(
    storage: MetadataStorage,
    versions: ReadonlyMap<object, DerivedVersion>,
    links: readonly LinkHistory[],
    context: DeriveContext,
  ) {
    this.#storage = storage;
    this.#versions = versions;
    this.#links = links;
    this.#context = context;
    this.#platform = context.platform;
    this.#sql = new TemporalSql(context);
  }

  /** Adds every relation of the derived version's entity that is not excluded. */
  build(derived: DerivedVersion): void {
    const excluded = derived.options.exclude ?? [];
    const relations = Object.values(derived.shape).filter(
      prop =>
        (isToOne(prop) || isToMany(prop)) && !excluded.includes(prop.name) && !prop.embedded && prop.hydrate !== false,
    );
    for (const prop of relations) {
      if (isToMany(prop)) {
        this.#addToMany(derived, prop);
      } else if (prop.owner || prop.kind === ReferenceKind.MANY_TO_ONE) {
        this.#addOwningToOne(derived, prop);
      } else {
        this.#addInverseToOne(derived, prop);
      }
    }
  }

  #nameOf(derived: DerivedVersion, prop: EntityProperty): string {
    return derived.options.rename?.[prop.name] ?? prop.name;
  }

  #addOwningToOne(derived: DerivedVersion, prop: EntityProperty): void {
    if (prop.persist === false || prop.formula) {
      return;
    }
    const { version, properties } = derived;
    const name = this.#nameOf(derived, prop);
    const { versions } = this.#targetOf(prop);
    const key = versions && !prop.mapToPk ? keyName(name) : name;
    if (version.root === version) {
      version.indexes.push({ properties: [key, 'endTransactionId'] });
    }
    const copy = { ...copyProperty(prop, key, version, this.#platform), owner: true, kind: ReferenceKind.MANY_TO_ONE };
    properties.push({ live: prop.name, name, value: key });
    if (!versions || prop.mapToPk) {
      add(version, copy);
      return;
    }
    add(version, { ...copy, mapToPk: true, hidden: true, ref: false } as EntityProperty);
    const on = prop.fieldNames.map((column, i) => [prop.referencedColumnNames[i]!, column] as const);
    const formula = this.#sql.keyOf(qualified(versions.version, this.#platform), this.#versionId, on, true);
    add(version, asOfToOne(name, versions.version, prop.fieldNames[0]!, formula, prop));
  }

  #addInverseToOne(derived: DerivedVersion, prop: EntityProperty): void {
    const { version } = derived;
    const name = this.#nameOf(derived, prop);
    const { live, versions } = this.#targetOf(prop);
    const foreignKey = (versions?.shape ?? live.properties)[prop.mappedBy as never] as EntityProperty;
    const on = foreignKey.fieldNames.map((column, i) => [column, foreignKey.referencedColumnNames[i]!] as const);
    if (!versions && live.compositePK) {
      throw VersioningError.unsupported(
        `${derived.meta.className}.${prop.name}`,
        `is the inverse side of a one-to-one relation to ${live.className}, which has a composite key and is not versioned`,
        `Mark ${live.className} as versioned, or exclude the relation.`,
      );
    }
    const seen = versions && !versions.options.exclude?.includes(foreignKey.name) ? versions.version : undefined;
    const rows = seen ? qualified(seen, this.#platform) : rowsWith(live, foreignKey.name, this.#platform);
    const key = (seen ?? live).getPrimaryProp().fieldNames[0]!;
    add(version, asOfToOne(name, seen ?? live, name, this.#sql.keyOf(rows, key, on, seen !== undefined), prop));
  }

  #addToMany(derived: DerivedVersion, prop: EntityProperty): void {
    const name = this.#nameOf(derived, prop);
    const target = this.#targetOf(prop);
    const sql =
      prop.kind === ReferenceKind.ONE_TO_MANY ? this.#childrenSql(derived, prop) : this.#linkedSql(derived, prop);
    if (!sql) {
      return;
    }
    const item = target.versions?.version ?? target.live;
    const pivot = this.#virtualPivot(derived, name, item, sql, prop.fixedOrder === true);
    const itemKeys = item.getPrimaryProps().flatMap(key => key.fieldNames);
    const common = {
      kind: ReferenceKind.MANY_TO_MANY,
      persist: false,
      cascade: [],
      nullable: true,
      pivotEntity: pivot.class,
      pivotTable: pivot.tableName,
      columnTypes: [],
      runtimeType: 'unknown',
      fixedOrder: prop.fixedOrder,
      ...(prop.fixedOrder ? { fixedOrderColumn: 'position' } : {}),
    };
    const inverse = `${derived.version.className}_${name}__inverse`;
    add(derived.version, {
      ...common,
      ...targetOf(item),
      name,
      owner: true,
      inversedBy: inverse,
      joinColumns: ['owner_id'],
      inverseJoinColumns: itemKeys.map((_, i) => `item_${i}`),
      referencedColumnNames: [this.#versionId],
      fieldNames: [name],
      ...(prop.orderBy ? { orderBy: prop.orderBy } : {}),
      ...(prop.where ? { where: prop.where } : {}),
      ...(prop.hidden ? { hidden: true } : {}),
      ...(prop.inherited ? { inherited: true } : {}),
    } as unknown as EntityProperty);
    // like the inverse side that MikroORM makes up for a unidirectional relation: never hydrated, for its own queries
    add(item, {
      ...common,
      ...targetOf(derived.version),
      name: inverse,
      owner: false,
      hydrate: false,
      hidden: true,
      mappedBy: name,
      joinColumns: itemKeys.map((_, i) => `item_${i}`),
      inverseJoinColumns: ['owner_id'],
      referencedColumnNames: itemKeys,
      fieldNames: [inverse],
    } as unknown as EntityProperty);
    item.sync();
  }

  /** Nothing where the children have versions, but not of this foreign key. */
  #childrenSql(derived: DerivedVersion, prop: EntityProperty): string | undefined {
    const target = this.#targetOf(prop);
    const foreignKey = (target.versions?.shape ?? target.live.properties)[prop.mappedBy as never] as EntityProperty;
    return target.versions?.options.exclude?.includes(foreignKey.name)
      ? undefined
      : this.#sql.children(derived, target, foreignKey);
  }

  /** Nothing where the links have no history. */
  #linkedSql(derived: DerivedVersion, prop: EntityProperty): string | undefined {
    const target = this.#targetOf(prop);
    const [owner, owning] = prop.owner
      ? [derived.meta, prop]
      : [target.live, target.live.properties[prop.mappedBy as never] as EntityProperty];
    const selects = this.#linksOf(owner, owning).map(link => {
      const order = prop.fixedOrder && link.pivot.properties[prop.fixedOrderColumn as never]?.['fieldNames'][0];
      return this.#sql.linked(derived, target, link, prop.owner ? 'owner' : 'target', order || undefined);
    });
    return selects.length === 0 ? undefined : selects.join(' union all ');
  }

  /** The links of a relation; in a joined hierarchy each class may have a pivot of its own for what it inherits. */
  #linksOf(owner: EntityMetadata, owning: EntityProperty): LinkHistory[] {
    return this.#links.filter(
      ({ property, owner: other }) =>
        property.pivotEntity === owning.pivotEntity ||
        (property.name === owning.name && isJoined(owner) && isBelow(other, owner)),
    );
  }

  /** A pivot entity without a table: MikroORM reads it from its expression. */
  #virtualPivot(
    derived: DerivedVersion,
    name: string,
    item: EntityMetadata,
    sql: string,
    ordered: boolean,
  ): EntityMetadata {
    const className = `${derived.version.className}_${name}`;
    const pivotClass = { [className]: class {} }[className]!;
    const pivot: EntityMetadata = resolvedEntity(pivotClass, {
      tableName: `${derived.version.tableName}_${name}_as_of`,
      compositePK: true,
      simplePK: false,
      pivotTable: true,
      primaryKeys: ['owner', 'item'],
      expression: virtualExpression(() => pivot, sql) as never,
    });
    const key = { primary: true, nullable: false } as const;
    add(pivot, toOneProperty('owner', derived.version, ['owner_id'], key));
    const itemColumns = item
      .getPrimaryProps()
      .flatMap(each => each.fieldNames)
      .map((_, i) => `item_${i}`);
    add(pivot, toOneProperty('item', item, itemColumns, key));
    if (ordered) {
      add(pivot, scalarProperty('position', 'position', 'integer'));
    }
    pivot.sync();
    this.#storage.set(pivot.class, pivot);
    joinPivotBySql(pivot, () => sql);
    return pivot;
  }

  /** The target by its metadata in this storage, of which a property may hold a copy; its versions by its very class, where it is one of a hierarchy. */
  #targetOf(prop: EntityProperty): Target {
    const live = this.#storage.get(prop.targetMeta!.class) as EntityMetadata;
    return { live, versions: this.#versions.get(live.class) ?? this.#versions.get(live.root.class) };
  }

  get #versionId(): string {
    return this.#context.options.columns.versionId;
  }
}

/** A to-one relation by formula, which yields the target's key. */
function asOfToOne(
  name: string,
  target: EntityMetadata,
  column: string,
  formula: (columns: FormulaColumns) => string,
  { ref, inherited }: Pick<EntityProperty, 'ref' | 'inherited'>,
): EntityProperty {
  return toOneProperty(name, target, [`${column}__as_of`], {
    persist: false,
    formula,
    ...(ref ? { ref } : {}),
    ...(inherited ? { inherited } : {}),
  } as never);
}

function targetOf(meta: EntityMetadata): object {
  return {
    type: meta.className,
    target: meta.class,
    entity: () => meta.class,
    targetMeta: meta,
    referencedPKs: meta.primaryKeys,
  };
}

/** Property of a version that holds the key of a relation to a versioned target. */
function keyName(name: string): string {
  return `${name}__key`;
}

/** The pivot's rows with a joined `item` where MikroORM populates, and the bare SQL where it asks for a FROM clause. */
function virtualExpression(pivot: () => EntityMetadata, sql: string): unknown {
  interface QueryDriver {
    createQueryBuilderFromOptions(
      meta: EntityMetadata,
      where: FilterQuery<unknown>,
      options: object,
    ): Promise<{ execute(method: 'all'): Promise<unknown> }>;
  }
  return (em: { getDriver(): unknown }, where: FilterQuery<unknown>, options?: { populate?: unknown }) =>
    options?.populate
      ? (em.getDriver() as QueryDriver)
          .createQueryBuilderFromOptions(pivot(), where, options)
          .then(builder => builder.execute('all'))
      : sql;
}
