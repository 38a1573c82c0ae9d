import type { EntityMetadata, Platform } from '@mikro-orm/core';
import { DatabaseTable, type AbstractSqlPlatform } from '@mikro-orm/sql';

/**
 * Internals of MikroORM leaned on: `DatabaseTable.addIndex()` is what turns the properties of an index into columns, those of
 * embeddables and paths into JSON among them.
 *
 * `test/internals.test.ts` fails when MikroORM changes it.
 */
export interface IndexedProperties {
  readonly properties?: string | readonly string[];
  readonly columns?: readonly { readonly name: string }[];
}

/** The columns of an index, unquoted, in their order: `['author_id', 'settings.layout']`. */
export function columnsOfIndex(
  meta: EntityMetadata,
  { properties, columns }: IndexedProperties,
  platform: Platform,
): string[] {
  const table = new DatabaseTable(platform as AbstractSqlPlatform, meta.tableName);
  const names = properties ?? columns?.map(({ name }) => name) ?? [];
  table.addIndex(meta, { properties: [names].flat() } as never, 'index');
  return table.getIndexes().flatMap(index => index.columnNames);
}
