import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';

import type { Orm } from './orm.ts';

/** A column of a history table. */
interface HistoryColumn {
  readonly name: string;
  readonly type: string;
}

/**
 * The live rows of a joined hierarchy with the columns of its history: one `select` a class, of the rows that are of that
 * very class. Written apart from the library's own way, a chain of left joins, which it checks.
 */
export function joinedRows(
  orm: Orm,
  classes: readonly { readonly live: EntityMetadata; readonly version: EntityMetadata }[],
  columns: readonly HistoryColumn[],
  typeColumn: string,
): string {
  const quote = (name: string) => orm.em.getPlatform().quoteIdentifier(name);
  const selects = classes
    .map(each => ({ ...each, value: typeOf(each.live) }))
    .filter(({ value }) => value !== undefined)
    .map(({ live, version, value }) => {
      const line = lineOf(live);
      const held = new Map<string, string>();

      for (const [key, prop] of Object.entries<EntityProperty>(live.properties)) {
        const names = version.properties[`${key}__key` as never] ?? version.properties[key as never];
        const holder = line.find(meta => Object.hasOwn(meta.properties, key))!;
        (prop.fieldNames ?? []).forEach((column, i) => {
          const name = (names as EntityProperty | undefined)?.fieldNames[i];

          if (name !== undefined && prop.persist !== false) {
            held.set(name, `${quotedTable(orm, holder)}.${quote(column)}`);
          }
        });
      }

      // a column keeps its own type, since a cast may change its value
      const selected = columns.map(({ name, type }) => {
        const literal = name === typeColumn ? `'${value}'` : 'null';

        return `${held.get(name) ?? `cast(${literal} as ${type})`} as ${quote(name)}`;
      });
      const [root, ...others] = line.map(meta => quotedTable(orm, meta));
      const key = live.getPrimaryProps().flatMap(prop => prop.fieldNames.map(quote));
      const sameRow = (table: string) => key.map(column => `${table}.${column} = ${root}.${column}`).join(' and ');
      const joins = others.map(table => `join ${table} on ${sameRow(table)}`);
      const below = classes
        .filter(each => each.live.tptParent?.class === live.class)
        .map(each => quotedTable(orm, each.live))
        .map(table => `not exists (select 1 from ${table} where ${sameRow(table)})`);

      return `select ${selected.join(', ')} from ${root} ${joins.join(' ')} where ${['1 = 1', ...below].join(' and ')}`;
    });

  return `(${selects.join(' union all ')}) joined_rows`;
}

/** With the schema of the entity or of the configuration, if there is one. */
export function quotedTable(orm: Orm, meta: EntityMetadata): string {
  const schema = meta.schema ?? orm.config.get('schema');
  return orm.em.getPlatform().quoteIdentifier(schema ? `${schema}.${meta.tableName}` : meta.tableName);
}

/** What MikroORM calls the class; `undefined` for an abstract one. */
function typeOf(live: EntityMetadata): string | undefined {
  return Object.entries(live.root.discriminatorMap ?? {}).find(([, target]) => target === live.class)?.[0];
}

/** From the root down to the class. */
function lineOf(meta: EntityMetadata): EntityMetadata[] {
  return meta.tptParent ? [...lineOf(meta.tptParent), meta] : [meta];
}
