import type { HistoryTable } from '../model/HistoryTable.ts';

/** Quoted columns that a history table copies from its live table. */
export function copiedColumns(table: HistoryTable): string[] {
  return [...table.key, ...table.state].map(column => quote(column.name));
}

/** Whether the row `alias` has the key `k`. */
export function keyMatches(table: HistoryTable, alias: string): string {
  return table.key.map((column, i) => `${alias}.${quote(column.name)} = k.k${i}`).join(' and ');
}

/** Whether the rows `a` and `b` have the same key. */
export function sameKey(table: HistoryTable, a: string, b: string): string {
  return table.key.map(column => `${a}.${quote(column.name)} = ${b}.${quote(column.name)}`).join(' and ');
}

/** An identifier in the double quotes that SQLite and PostgreSQL share. */
export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
