import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { QueryBuilderHelper } from '@mikro-orm/sql';

/**
 * Internals of MikroORM leaned on: `QueryBuilderHelper.joinManyToManyReference` and `joinManyToOneReference` (marked
 * `@internal`). MikroORM loads a many-to-many through a virtual pivot entity by itself, but joins it as if it were a
 * table; here the pivot's join gets its expression as a `subquery`. A to-one relation by formula joins by itself, but not a
 * polymorphic one, for which a formula can't be declared: a select would have one column of it for two. Here its join gets
 * the formula, and a condition on the relation itself (`QueryBuilderHelper.mapper`, which gets no alias then) is one on
 * the property by formula that says its class. `test/internals.test.ts` fails when MikroORM changes it.
 */
const pivotSql = new WeakMap<object, string>();

/** By the discriminator map of the relation, which the copies that MikroORM makes of a property share. */
const toOneFormulas = new WeakMap<object, EntityProperty['formula']>();

/** Makes joins over the pivot entity use its SQL instead of a table. */
export function joinPivotBySql(pivot: EntityMetadata, sql: string): void {
  pivotSql.set(pivot.class, sql);
  install();
}

/** Makes joins of a polymorphic to-one relation use the formula instead of its key column. */
export function joinToOneByFormula(discriminatorMap: object, formula: EntityProperty['formula']): void {
  toOneFormulas.set(discriminatorMap, formula);
  install();
}

interface Joining {
  joinManyToManyReference(prop: EntityProperty, ...rest: unknown[]): Record<string, { subquery?: string }>;
  joinManyToOneReference(prop: EntityProperty, ...rest: unknown[]): { prop: EntityProperty };
  mapper(field: unknown, type?: unknown, value?: unknown, alias?: string | null, schema?: string): unknown;
  splitField(field: string): [alias: string, name: string];
  getProperty(name: string, alias?: string): EntityProperty | undefined;
}

let installed = false;

function install(): void {
  if (installed) {
    return;
  }
  installed = true;
  const prototype = QueryBuilderHelper.prototype as unknown as Joining;
  // the methods are called with their own receiver below
  // eslint-disable-next-line typescript/unbound-method
  const { joinManyToManyReference, joinManyToOneReference, mapper } = prototype;
  prototype.joinManyToManyReference = function (prop, ...rest) {
    const joins = joinManyToManyReference.call(this, prop, ...rest);
    const sql = typeof prop.pivotEntity === 'function' ? pivotSql.get(prop.pivotEntity) : undefined;
    const pivotJoin = Object.values(joins)[0];
    if (sql && pivotJoin) {
      pivotJoin.subquery = sql;
    }
    return joins;
  };
  prototype.joinManyToOneReference = function (prop, ...rest) {
    const join = joinManyToOneReference.call(this, prop, ...rest);
    const formula = prop.discriminatorMap && toOneFormulas.get(prop.discriminatorMap);
    if (formula) {
      join.prop = { ...join.prop, formula };
    }
    return join;
  };
  prototype.mapper = function (field, type, value, alias, schema) {
    // an order has no value, and finds the column that the query selects
    const isCondition = alias === null && value !== undefined;
    const [of, name] = isCondition && typeof field === 'string' ? this.splitField(field) : [];
    const prop = name === undefined ? undefined : this.getProperty(name, of);
    const isAsOf = prop?.name === name && prop?.discriminatorMap && toOneFormulas.has(prop.discriminatorMap);
    return mapper.call(this, isAsOf ? `${of}.${prop.fieldNames[0]}` : field, type, value, alias, schema);
  };
}
