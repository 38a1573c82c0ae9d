import type { EntityMetadata, EntityProperty, Platform } from '@mikro-orm/core';
import { Operation } from '../model/Operation.ts';
import type { RowHistory, VersioningModel } from '../model/VersioningModel.ts';
import { columnPrefix, discriminatorOf, isJoined } from './hierarchy.ts';
import { holderOf, isBelow } from './joinedTables.ts';
import { hasColumns } from './properties.ts';

/** What a live table was at some transaction, as a query over its history. */
export interface Shadow {
  /** Of the live table. `undefined` for the configured schema, `*` for that of a manager. */
  readonly schema: string | undefined;
  readonly table: string;
  /** `select "id", "name" from "article_version" where …` at a transaction; of a wildcard, with a placeholder for the schema. */
  readonly at: (transaction: string) => string;
  /** All states that the table ever had, each with the id of its version. */
  readonly ever: string;
  /** Whether the history is one of links: then a change can leave nothing but the end of a span. */
  readonly isLink: boolean;
  /** The history's quoted name; of a wildcard, with a placeholder. */
  readonly history: string;
  readonly meta: EntityMetadata;
  /** Unquoted columns; those without history are missing. */
  readonly columns: ReadonlySet<string>;
}

/** A shadow of every live table that has history. */
export function deriveShadows(model: VersioningModel, platform: Platform): Shadow[] {
  const quote = (identifier: string) => platform.quoteIdentifier(identifier);
  const { versionId, transactionId, endTransactionId, operationType, entityType } = model.columns;
  // SQLite expects any moment to be early, and would look through all that had happened by then
  const begin = model.unindexed(quote(transactionId));
  const shadow = (
    meta: EntityMetadata,
    history: string,
    columns: ReadonlyMap<string, string>,
    conditions: readonly string[],
  ): Shadow => {
    const selected = [...columns].map(([live, past]) =>
      live === past ? quote(past) : `${quote(past)} as ${quote(live)}`,
    );
    const more = conditions.map(condition => ` and ${condition}`).join('');
    return {
      schema: meta.root.schema,
      table: meta.tableName,
      meta,
      columns: new Set(columns.keys()),
      history,
      isLink: conditions.length === 0,
      ever: `select ${quote(versionId)}, ${selected.join(', ')} from ${history} where ${conditions.join(' and ') || 'true'}`,
      at: transaction =>
        `select ${selected.join(', ')} from ${history} where ${begin} <= ${transaction} ` +
        `and ${quote(endTransactionId)} > ${transaction}${more}`,
    };
  };
  const present = `${quote(operationType)} <> ${Operation.DELETE}`;
  const rows = [...model.rows.values()].flatMap(history =>
    history.sources.map(({ meta }) => {
      const types = history.sources.flatMap(each =>
        isBelow(each.meta, meta) ? (discriminatorOf(each.meta) ?? []) : [],
      );
      const ofClass = `${quote(entityType)} in (${types.map(type => `'${type.replaceAll("'", "''")}'`).join(', ')})`;
      const conditions = isJoined(meta) && meta.root !== meta ? [present, ofClass] : [present];
      return shadow(meta, history.table.history, columnsOfSource(history, meta), conditions);
    }),
  );
  const links = [...new Map(model.links.map(link => [link.pivot, link])).values()]
    .filter(({ table }) => table.kind === 'link')
    .map(({ pivot, table }) => {
      const names = [...table.key, ...table.state].map(({ name }) => [name, name] as const);
      return shadow(pivot, table.history, new Map(names), []);
    });
  return [...rows, ...links];
}

/** Properties of a class whose columns have no history. */
export function findExcluded(shadows: readonly Shadow[], meta: EntityMetadata): EntityProperty[] {
  return Object.values<EntityProperty>(meta.properties).filter(prop => {
    const holder = isJoined(meta) ? holderOf(meta, prop.name) : meta.root;
    const shadow = shadows.find(each => each.meta.class === holder.class);
    return shadow && hasColumns(prop) && !prop.fieldNames.every(column => shadow.columns.has(column));
  });
}

/** The columns of a live table, each with that of the history. */
function columnsOfSource({ table }: RowHistory, meta: EntityMetadata): Map<string, string> {
  const known = new Set([...table.key, ...table.state].map(({ name }) => name));
  if (!isJoined(meta)) {
    return new Map([...known].map(name => [name, name]));
  }
  const key = meta.getPrimaryProps().flatMap(prop => prop.fieldNames);
  const own = Object.values<EntityProperty>(meta.properties)
    .filter(prop => hasColumns(prop) && holderOf(meta, prop.name) === meta)
    .flatMap(prop => prop.fieldNames);
  return new Map(
    [...new Set([...key, ...own])].flatMap(name => {
      const past = key.includes(name) ? name : columnPrefix(meta) + name;
      return known.has(past) ? [[name, past] as const] : [];
    }),
  );
}
