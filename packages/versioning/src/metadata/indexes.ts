import type { EntityMetadata, EntityProperty, Platform } from '@mikro-orm/core';
import { columnsOfIndex, type IndexedProperties } from '../internals/indexColumns.ts';
import type { DeriveContext } from './DeriveContext.ts';
import type { DerivedVersion } from './deriveVersion.ts';
import { columnPrefix, isJoined, type Hierarchy } from './hierarchy.ts';
import { holderOf } from './joinedTables.ts';
import { hasColumns } from './properties.ts';

/**
 * The last columns of an index that answers "as of". The end comes first: one value of it says "open", and so the present,
 * of which most is asked, is one range, whatever the past has become. The begin is there to sort out what had
 * not begun yet without a look into the table.
 */
export const SPAN = ['endTransactionId', 'transaction'] as const;

/** An index of a live table, by its columns there. */
interface LiveIndex {
  readonly columns: readonly string[];
  /** Of PostgreSQL, when it is not a b-tree: `gin`. */
  readonly type: string | undefined;
}

/**
 * Gives the history an index for each one of its live tables, so that what is found by index now is found so as of any
 * moment. Without what makes it a constraint, partial, covering or differently sorted; and not of an expression, which is SQL for a
 * live table.
 */
export function addLiveIndexes(
  { meta: live, version, table }: DerivedVersion,
  hierarchy: Hierarchy | undefined,
  { platform }: DeriveContext,
): void {
  const known = new Set(version.indexes.map(index => nameOf(columnsOfIndex(version, index as never, platform))));
  const stored = new Set([...table.key, ...table.state].map(({ name }) => name));
  for (const meta of hierarchy && isJoined(live) ? hierarchy.classes : [live]) {
    for (const { columns, type } of liveIndexes(meta, platform)) {
      const properties = columns.map(column => propertyOf(version, columnPrefix(meta) + column));
      const isStored = columns.every(column => stored.has(rootOf(columnPrefix(meta) + column)));
      if (!isStored || properties.includes(undefined)) {
        continue;
      }
      // other kinds than a b-tree have no place for a span
      const index = type === undefined ? { properties: [...properties, ...SPAN] } : { properties, type };
      const name = nameOf(columnsOfIndex(version, index as never, platform), type);
      if (!known.has(name)) {
        known.add(name);
        version.indexes.push(index as never);
      }
    }
  }
}

function liveIndexes(meta: EntityMetadata, platform: Platform): LiveIndex[] {
  const ofProperties = Object.values<EntityProperty>(meta.properties)
    .filter(prop => (prop.index || prop.unique) && hasColumns(prop))
    .filter(prop => !isJoined(meta) || holderOf(meta, prop.name) === meta)
    .map(prop => ({ columns: prop.fieldNames, type: undefined }));
  const ofEntity = [...meta.indexes, ...meta.uniques]
    .filter(index => !index.expression)
    .map(index => ({
      columns: columnsOfIndex(meta, index as IndexedProperties, platform),
      type: typeOf(index as { type?: string }),
    }));
  return [...ofProperties, ...ofEntity].filter(({ columns }) => columns.length > 0);
}

function typeOf({ type }: { readonly type?: string }): string | undefined {
  return type === undefined || ['', 'btree'].includes(type.toLowerCase()) ? undefined : type;
}

/** What the version calls a column, or a path into one; `undefined` where it has no name for it. */
function propertyOf(version: EntityMetadata, column: string): string | undefined {
  const root = rootOf(column);
  const found = Object.entries<EntityProperty>(version.properties).find(
    ([, prop]) => hasColumns(prop) && prop.fieldNames.length === 1 && prop.fieldNames[0] === root,
  );
  if (found) {
    return found[0] + column.slice(root.length);
  }
  // a column of a composite key stands for itself, unless that is the name of something else
  return version.properties[root as never] ? undefined : column;
}

function rootOf(column: string): string {
  return column.split('.')[0]!;
}

function nameOf(columns: readonly string[], type = 'btree'): string {
  return JSON.stringify([type, ...columns]);
}
