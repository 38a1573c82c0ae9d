import type { EntityMetadata, Platform } from '@mikro-orm/core';
import { columnPrefix, discriminatorOf, isJoined, type Hierarchy } from './hierarchy.ts';
import { hasColumns } from './properties.ts';
import { qualified } from './schemas.ts';

/**
 * The live rows of a joined hierarchy as one table, `(select … from animal left join dog …)`, with the columns that the
 * history has, and with `typeColumn`, which says by the tables that have the row which class it is of.
 */
export function joinedRows({ classes }: Hierarchy, platform: Platform, typeColumn: string): string {
  const quote = (identifier: string) => platform.quoteIdentifier(identifier);
  const columns = classes.flatMap((meta, i) =>
    ownColumns(meta).map(name => `t${i}.${quote(name)} as ${quote(columnPrefix(meta) + name)}`),
  );
  const [root, ...others] = classes as [EntityMetadata, ...EntityMetadata[]];
  const key = keyColumns(root);
  const joins = others.map((meta, i) => {
    const on = keyColumns(meta).map((column, j) => `t${i + 1}.${quote(column)} = t0.${quote(key[j]!)}`);
    return `left join ${qualified(meta, platform)} t${i + 1} on ${on.join(' and ')}`;
  });
  const cases = classes
    .map((meta, i) => ({ value: discriminatorOf(meta), key: `t${i}.${quote(keyColumns(meta)[0]!)}` }))
    .filter(({ value }) => value !== undefined)
    .toReversed()
    .map(each => `when ${each.key} is not null then '${each.value!.replaceAll("'", "''")}'`);
  const type = platform.getVarcharTypeDeclarationSQL({ length: 255 });
  columns.push(`cast(case ${cases.join(' ')} end as ${type}) as ${quote(typeColumn)}`);
  return `(select ${columns.join(', ')} from ${qualified(root, platform)} t0 ${joins.join(' ')})`;
}

/** The columns of the class's own table but its key, which the root's table has as well. */
export function ownColumns(meta: EntityMetadata): string[] {
  const own = Object.values(meta.properties).filter(prop => hasColumns(prop) && holderOf(meta, prop.name) === meta);
  return [...new Set(own.flatMap(prop => prop.fieldNames))];
}

/** Where the rows of a class are, with the columns of one property, which it may inherit. */
export function rowsWith(meta: EntityMetadata, property: string, platform: Platform): string {
  const holder = holderOf(meta, property);
  const table = qualified(holder, platform);
  if (holder === meta) {
    return table;
  }
  const quote = (identifier: string) => platform.quoteIdentifier(identifier);
  const on = keyColumns(meta).map((column, i) => `c.${quote(column)} = h.${quote(keyColumns(holder)[i]!)}`);
  return `(select h.* from ${table} h join ${qualified(meta, platform)} c on ${on.join(' and ')})`;
}

/** Whose table has the columns of a property that a class may inherit from another one of a joined hierarchy. */
export function holderOf(meta: EntityMetadata, property: string): EntityMetadata {
  const parent = meta.tptParent;
  return parent?.properties[property as never] ? holderOf(parent, property) : meta;
}

/** Whether a class is `ancestor`, or below it in a joined hierarchy. */
export function isBelow(meta: EntityMetadata, ancestor: EntityMetadata): boolean {
  return meta.class === ancestor.class || (meta.tptParent !== undefined && isBelow(meta.tptParent, ancestor));
}

/** 0 for an entity that is not of a joined hierarchy, or its root. */
export function depthOf(meta: EntityMetadata): number {
  return isJoined(meta) && meta.tptParent ? depthOf(meta.tptParent) + 1 : 0;
}

function keyColumns(meta: EntityMetadata): string[] {
  return meta.getPrimaryProps().flatMap(prop => prop.fieldNames);
}
