import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { QueryBuilderHelper } from '@mikro-orm/sql';

/**
 * Internal of MikroORM leaned on: `QueryBuilderHelper.joinManyToManyReference` (marked `@internal`), whose first join
 * accepts a `subquery`. MikroORM loads a many-to-many through a virtual pivot entity by itself, but joins it as if it
 * were a table; here the join gets the pivot's expression. `test/internals.test.ts` fails when MikroORM changes it.
 */
const pivotSql = new WeakMap<object, () => string>();

/** Makes joins over the pivot entity use its SQL instead of a table. */
export function joinPivotBySql(pivot: EntityMetadata, sql: () => string): void {
  pivotSql.set(pivot.class, sql);
  install();
}

type JoinManyToMany = (prop: EntityProperty, ...rest: unknown[]) => Record<string, { subquery?: string }>;

let installed = false;

function install(): void {
  if (installed) {
    return;
  }
  installed = true;
  const prototype = QueryBuilderHelper.prototype as unknown as { joinManyToManyReference: JoinManyToMany };
  const original = prototype.joinManyToManyReference;
  prototype.joinManyToManyReference = function (prop, ...rest) {
    const joins = original.call(this, prop, ...rest);
    const sql = typeof prop.pivotEntity === 'function' ? pivotSql.get(prop.pivotEntity) : undefined;
    const pivotJoin = Object.values(joins)[0];
    if (sql && pivotJoin) {
      pivotJoin.subquery = sql();
    }
    return joins;
  };
}
