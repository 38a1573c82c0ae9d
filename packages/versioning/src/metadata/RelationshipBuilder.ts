import {
  type EntityMetadata,
  ReferenceKind,
  type EntityProperty,
  type FilterQuery,
  type MetadataStorage,
  type Platform,
} from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import { joinPivotBySql } from '../internals/asOfPivots.ts';
import { Operation } from '../model/Operation.ts';
import type { LinkHistory } from '../model/VersioningModel.ts';
import { add, qualified, resolvedEntity, type DeriveContext, type DerivedVersion } from './deriveVersion.ts';
import { aliasOf, copyProperty, isToMany, scalarProperty, toOneProperty, type FormulaColumns } from './properties.ts';

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
  }

  /** Adds every relation of the derived version's entity that is not excluded. */
  build(derived: DerivedVersion): void {
    const excluded = derived.options.exclude ?? [];
    const relations = derived.meta.relations.filter(
      prop => !excluded.includes(prop.name) && !prop.embedded && prop.hydrate !== false,
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
    const target = this.#versionsOf(prop);
    if (version.root === version) {
      version.indexes.push({ properties: [target && !prop.mapToPk ? keyName(name) : name, 'endTransactionId'] });
    }
    if (!target || prop.mapToPk) {
      add(version, {
        ...copyProperty(prop, name, version, this.#platform),
        owner: true,
        kind: ReferenceKind.MANY_TO_ONE,
        targetMeta: wholeHierarchy(this.#live(prop)),
      });
      properties.push({ live: prop.name, name, value: name });
      return;
    }
    const key = {
      ...copyProperty(prop, keyName(name), version, this.#platform),
      owner: true,
      kind: ReferenceKind.MANY_TO_ONE,
    };
    add(version, { ...key, mapToPk: true, hidden: true, ref: false } as EntityProperty);
    properties.push({ live: prop.name, name, value: keyName(name) });
    const on = prop.fieldNames.map((column, i) => [prop.referencedColumnNames[i]!, `${OWNER}.${column}`] as const);
    add(version, this.#asOfToOne(name, target.version, prop.fieldNames[0]!, on, prop));
  }

  #addInverseToOne(derived: DerivedVersion, prop: EntityProperty): void {
    const { version } = derived;
    const name = this.#nameOf(derived, prop);
    const child = this.#live(prop);
    const foreignKey = child.properties[prop.mappedBy]!;
    const target = this.#versionsOf(prop);
    const on = foreignKey.fieldNames.map(
      (column, i) => [column, `${OWNER}.${foreignKey.referencedColumnNames[i]!}`] as const,
    );
    if (!target && child.compositePK) {
      throw VersioningError.unsupported(
        `${derived.meta.className}.${prop.name}`,
        `is the inverse side of a one-to-one relation to ${child.className}, which has a composite key and is not versioned`,
        `Mark ${child.className} as versioned, or exclude the relation.`,
      );
    }
    const seen = target && !target.options.exclude?.includes(foreignKey.name) ? target.version : undefined;
    add(version, this.#asOfToOne(name, seen ?? child, name, on, prop));
  }

  /** A to-one relation by formula: the key of the one row of `target` that is joined at the version's transaction. */
  #asOfToOne(
    name: string,
    target: EntityMetadata,
    column: string,
    on: readonly (readonly [targetColumn: string, ownerColumn: string])[],
    { ref, inherited }: Pick<EntityProperty, 'ref' | 'inherited'>,
  ): EntityProperty {
    const quote = (identifier: string) => this.#platform.quoteIdentifier(identifier);
    const historical = this.#isVersion(target);
    const key = target.getPrimaryProp().fieldNames[0]!;
    const { columns } = this.#context.options;
    const formula = (cols: FormulaColumns) => {
      const alias = aliasOf(cols, columns);
      const of = (ownerColumn: string) => quote(ownerColumn.replace(`${OWNER}.`, `${alias}.`));
      const conditions = on.map(([targetColumn, ownerColumn]) => `__r.${quote(targetColumn)} = ${of(ownerColumn)}`);
      if (historical) {
        conditions.push(this.#holds('__r', of(`${OWNER}.${columns.transactionId}`)));
      }
      const from = qualified(target, this.#platform);
      // limit 1: a database without a unique constraint may hold two rows for an inverse one-to-one
      return `(select __r.${quote(key)} from ${from} __r where ${conditions.join(' and ')} limit 1)`;
    };
    return toOneProperty(name, target, [`${column}__as_of`], {
      persist: false,
      formula,
      ...(ref ? { ref } : {}),
      ...(inherited ? { inherited } : {}),
      targetMeta: wholeHierarchy(target),
    } as never);
  }

  #addToMany(derived: DerivedVersion, prop: EntityProperty): void {
    const name = this.#nameOf(derived, prop);
    const child = this.#live(prop);
    const target = this.#versionsOf(prop);
    const item = target?.version ?? child;
    const sql =
      prop.kind === ReferenceKind.ONE_TO_MANY
        ? this.#oneToManySql(derived, prop, target)
        : this.#manyToManySql(derived, prop, target);
    if (!sql) {
      return;
    }
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
      referencedColumnNames: [this.#context.options.columns.versionId],
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

  /** `select owner_id, item_0, … [, position]` of a one-to-many at each version's transaction. */
  #oneToManySql(derived: DerivedVersion, prop: EntityProperty, target: DerivedVersion | undefined): string | undefined {
    const foreignKey = prop.targetMeta!.properties[prop.mappedBy]!;
    const historical = target && !target.options.exclude?.includes(foreignKey.name);
    if (target && !historical) {
      // the children have versions, but not of this foreign key
      return undefined;
    }
    const on = foreignKey.fieldNames.map((column, i) => [column, foreignKey.referencedColumnNames[i]!] as const);
    const quote = (identifier: string) => this.#platform.quoteIdentifier(identifier);
    const item = target?.version ?? this.#live(prop);
    const conditions = on.map(([column, referenced]) => `i.${quote(column)} = o.${quote(referenced)}`);
    return this.#pivotSelect(
      derived,
      item,
      [],
      `join ${qualified(item, this.#platform)} i on ${conditions.join(' and ')}`,
      historical,
    );
  }

  /** The same of a many-to-many: over the spans of its links, whichever side it is seen from. */
  #manyToManySql(
    derived: DerivedVersion,
    prop: EntityProperty,
    target: DerivedVersion | undefined,
  ): string | undefined {
    const quote = (identifier: string) => this.#platform.quoteIdentifier(identifier);
    const owning = prop.owner ? prop : prop.targetMeta!.properties[prop.mappedBy]!;
    const link = this.#links.find(each => each.property === owning || each.property.pivotEntity === owning.pivotEntity);
    if (!link) {
      return undefined;
    }
    const own = derived.meta.getPrimaryProps().flatMap(key => key.fieldNames);
    const child = this.#live(prop);
    const item = target?.version ?? child;
    const theirs = child.getPrimaryProps().flatMap(key => key.fieldNames);
    const { transactionId, endTransactionId } = this.#context.options.columns;
    const at = `o.${quote(transactionId)}`;
    const linkConditions = [
      ...own.map((column, i) => `l.${quote(prop.joinColumns[i]!)} = o.${quote(column)}`),
      `l.${quote(transactionId)} <= ${at}`,
      `l.${quote(endTransactionId)} > ${at}`,
    ];
    const itemConditions = theirs.map((column, i) => `i.${quote(column)} = l.${quote(prop.inverseJoinColumns[i]!)}`);
    const position =
      prop.fixedOrder && prop.fixedOrderColumn ? this.#orderColumn(link, prop.fixedOrderColumn) : undefined;
    return this.#pivotSelect(
      derived,
      item,
      position ? [`l.${quote(position)} as ${quote('position')}`] : [],
      `join ${link.table.history} l on ${linkConditions.join(' and ')} ` +
        `join ${qualified(item, this.#platform)} i on ${itemConditions.join(' and ')}`,
      target !== undefined,
    );
  }

  #orderColumn(link: LinkHistory, property: string): string | undefined {
    return link.pivot.properties[property]?.fieldNames[0];
  }

  #pivotSelect(
    derived: DerivedVersion,
    item: EntityMetadata,
    more: readonly string[],
    joins: string,
    historical: boolean | undefined,
  ): string {
    const quote = (identifier: string) => this.#platform.quoteIdentifier(identifier);
    const { versionId, transactionId, operationType } = this.#context.options.columns;
    const keys = item.getPrimaryProps().flatMap(key => key.fieldNames);
    const selected = [
      `o.${quote(versionId)} as owner_id`,
      ...keys.map((key, i) => `i.${quote(key)} as item_${i}`),
      ...more,
    ];
    const conditions = [`o.${quote(operationType)} <> ${Operation.DELETE}`];
    if (historical) {
      conditions.push(this.#holds('i', `o.${quote(transactionId)}`));
    }
    return `select ${selected.join(', ')} from ${derived.table.history} o ${joins} where ${conditions.join(' and ')}`;
  }

  /** Whether the version `alias` holds, not deleted, at the transaction `at`. */
  #holds(alias: string, at: string): string {
    const { transactionId, endTransactionId, operationType } = this.#context.options.columns;
    const column = (name: string) => `${alias}.${this.#platform.quoteIdentifier(name)}`;
    return `${column(transactionId)} <= ${at} and ${column(endTransactionId)} > ${at} and ${column(operationType)} <> ${Operation.DELETE}`;
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
    add(pivot, toOneProperty('item', wholeHierarchy(item), itemColumns, key));
    if (ordered) {
      add(pivot, scalarProperty('position', 'position', 'integer'));
    }
    pivot.sync();
    this.#storage.set(pivot.class, pivot);
    joinPivotBySql(pivot, () => sql);
    return pivot;
  }

  /** The versions of a relation's target: of the very class, where it is one of a hierarchy. */
  #versionsOf(prop: EntityProperty): DerivedVersion | undefined {
    const target = this.#live(prop);
    return this.#versions.get(target.class) ?? this.#versions.get(target.root.class);
  }

  /** The target's metadata in this storage; a property may hold a copy of it. */
  #live(prop: EntityProperty): EntityMetadata {
    return this.#storage.get(prop.targetMeta!.class) as EntityMetadata;
  }

  #isVersion(meta: EntityMetadata): boolean {
    return [...this.#versions.values()].some(derived => derived.version === meta);
  }
}

/**
 * The class with the columns and the rows of its whole hierarchy. In a join, MikroORM takes a class for that class alone,
 * without its subclasses; here the relation says which rows they are, and they may be of any class.
 */
function wholeHierarchy(meta: EntityMetadata): EntityMetadata {
  const { root, class: target, className } = meta;
  return root.discriminatorMap
    ? (Object.create(root, {
        class: { value: target },
        className: { value: className },
        discriminatorValue: { value: undefined },
      }) as EntityMetadata)
    : meta;
}

function targetOf(meta: EntityMetadata): object {
  return {
    type: meta.className,
    target: meta.class,
    entity: () => meta.class,
    targetMeta: wholeHierarchy(meta),
    referencedPKs: meta.primaryKeys,
  };
}

/** Stands for the alias of the version whose relation is resolved. */
const OWNER = '$owner';

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
