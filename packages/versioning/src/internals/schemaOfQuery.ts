import type { Platform } from '@mikro-orm/core';
import { QueryBuilder } from '@mikro-orm/sql';

/**
 * Internals of MikroORM leaned on: `QueryBuilder.toQuery`, which every query goes through, and `getSchema`, the schema of
 * its main entity. MikroORM hands the schema of a query to the formulas that it selects and joins by, but not to those in
 * conditions; here what they leave open is filled in. `test/wildcardSchemas.test.ts` fails when MikroORM changes it.
 */
interface Blanks {
  readonly isOpen: (sql: string) => boolean;
  readonly fillIn: (sql: string, schema: string | undefined, platform: Platform) => string;
}

interface Query {
  readonly platform: Platform;
  readonly mainAlias: object;
  toQuery(): { sql: string; params: readonly unknown[] };
  getSchema(alias: object): string | undefined;
}

let installed = false;

/** Has the SQL of each query completed for its schema, `undefined` for the default one. */
export function completeQueries({ isOpen, fillIn }: Blanks): void {
  if (installed) {
    return;
  }
  installed = true;
  const prototype = QueryBuilder.prototype as unknown as Query;
  // the method is called with its own receiver below
  // eslint-disable-next-line typescript/unbound-method
  const { toQuery } = prototype;
  prototype.toQuery = function () {
    const { sql, params } = toQuery.call(this);
    return isOpen(sql) ? { sql: fillIn(sql, this.getSchema(this.mainAlias), this.platform), params } : { sql, params };
  };
}
