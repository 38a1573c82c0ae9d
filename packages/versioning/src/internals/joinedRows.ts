import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { AbstractSqlDriver } from '@mikro-orm/sql';

/**
 * Internal of MikroORM leaned on: `AbstractSqlDriver.mapJoinedProps(result, meta, populate, …)`, which makes nested rows
 * out of what a query joined. `test/internals.test.ts` fails when MikroORM changes it.
 */
type MapJoined = (
  result: Record<string, unknown>,
  meta: EntityMetadata,
  populate: readonly { readonly field: string }[],
  ...rest: unknown[]
) => void;

type Correct = (row: Record<string, unknown>) => void;

const corrections = new WeakMap<EntityMetadata, Correct[]>();

/** Has `correct` complete each joined row of an entity, before it becomes one. */
export function correctJoinedRows(meta: EntityMetadata, correct: Correct): void {
  corrections.set(meta, [...(corrections.get(meta) ?? []), correct]);
  install();
}

let installed = false;

function install(): void {
  if (installed) {
    return;
  }
  installed = true;
  const prototype = AbstractSqlDriver.prototype as unknown as { mapJoinedProps: MapJoined };
  const original = prototype.mapJoinedProps;
  prototype.mapJoinedProps = function (result, meta, populate, ...rest) {
    original.call(this, result, meta, populate, ...rest);
    for (const { field } of populate) {
      const name = field.split(':')[0]!;
      const { targetMeta, polymorphTargets } = (meta.properties[name as never] ?? {}) as Partial<EntityProperty>;
      for (const row of [result[name]].flat()) {
        if (typeof row === 'object' && row !== null) {
          const target = polymorphTargets?.find(each => each.class === row.constructor) ?? targetMeta;
          const found = (target && corrections.get(target)) ?? [];
          found.forEach(correct => correct(row as Record<string, unknown>));
        }
      }
    }
  };
}
