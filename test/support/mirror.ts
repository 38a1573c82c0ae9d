import { EntitySchema, type EntityClass } from '@mikro-orm/core';
import { SqlitePlatform } from '@mikro-orm/sql';
import { expect } from 'vitest';

import { findMirroredTables, transactionTable, type MirroredTable } from './mirroredTables.ts';
import {
  rulesOf,
  transactionRulesOf,
  type Columns,
  type MirrorDialect,
  type Rules,
  type TableColumns,
} from './mirrorRules.ts';
import type { Orm } from './orm.ts';

/** A rule that the history of a table breaks, with some of the rows that show it. */
export interface Broken {
  readonly table: string;
  readonly rule: string;
  readonly rows: readonly object[];
}

/** An entity whose rows have history, or a name as in `Broken.table`: `Article.tags` for links. */
export type MirrorException = EntityClass | EntitySchema | string;

const exceptions = new WeakMap<Orm, Map<string, string>>();

/**
 * Says that the history of some tables does not mirror the database when the test ends, and why. It fails a test whose
 * history does so after all.
 *
 *     mirrorExcept(orm, [Comment], 'comment 1 is older than its history');
 */
export function mirrorExcept(orm: Orm, tables: readonly MirrorException[], reason: string): void {
  const excepted = exceptions.get(orm) ?? new Map<string, string>();
  exceptions.set(orm, excepted);

  for (const table of tables) {
    excepted.set(nameOf(table), reason);
  }
}

/**
 * Expects that history mirrors the database, whatever happened before: the open versions of every table equal its live
 * rows, column by column, the open link spans equal the pivots' rows, the spans of each row join without a gap, and all
 * of them name transactions that name them.
 */
export async function expectMirror(orm: Orm): Promise<void> {
  expect(await findBroken(orm)).toEqual([]);
}

/** Expects what `expectMirror()` does, but of what `mirrorExcept()` named, where it expects that a rule is broken. */
export async function expectMirrorButExceptions(orm: Orm): Promise<void> {
  const excepted = exceptions.get(orm) ?? new Map<string, string>();
  const broken = await findBroken(orm);
  const vain = [...excepted].filter(([name]) => !broken.some(({ table }) => table === name));

  expect({ broken: broken.filter(({ table }) => !excepted.has(table)), exceptedInVain: vain }).toEqual({
    broken: [],
    exceptedInVain: [],
  });
}

/**
 * The rules that histories break: one query for the columns that there are, and one for all rules. A manager in a
 * transaction sees what it has not committed yet.
 */
export async function findBroken(orm: Orm, em: Orm['em'] = orm.em): Promise<Broken[]> {
  const tables = tablesOf(orm);

  if (tables.length === 0) {
    return [];
  }

  const transactions = transactionTable(orm);
  const dialect = dialectOf(em);
  const has = await readColumns(em, tables);
  const rules = [
    ...tables.flatMap((table, i) => {
      const namesakes = tables.filter(({ name }) => name === table.name);
      return listRules(table.name, rulesOf(table, has[i]!, transactions, dialect, namesakes));
    }),
    ...listRules('VersionTransaction', transactionRulesOf(transactions, dialect)),
  ];
  const question = rules.map(({ sql }, i) => `select ${i} as i where exists (${sql})`).join(' union all ');
  const found = await em.execute<{ i: number }[]>(question);
  const broken: Broken[] = [];

  for (const { i } of found) {
    const { table, rule, sql } = rules[i]!;
    broken.push({ table, rule, rows: await em.execute(`select * from (${sql}) r limit 5`) });
  }

  return broken;
}

function listRules(
  table: string,
  rules: Rules,
): { readonly table: string; readonly rule: string; readonly sql: string }[] {
  return Object.entries(rules).map(([rule, sql]) => ({ table, rule, sql }));
}

const tablesByOrm = new WeakMap<Orm, readonly MirroredTable[]>();

/** Metadata does not change once it is there. */
function tablesOf(orm: Orm): readonly MirroredTable[] {
  const tables = tablesByOrm.get(orm) ?? findMirroredTables(orm);
  tablesByOrm.set(orm, tables);

  return tables;
}

async function readColumns(em: Orm['em'], tables: readonly MirroredTable[]): Promise<TableColumns[]> {
  const names = tables.flatMap(({ live, history }) => [live, history]);
  const sql = names.map((name, i) =>
    isSqlite(em)
      ? `select ${i} as i, name, type from pragma_table_xinfo('${name.slice(1, -1)}')`
      : `select ${i} as i, attname as name, format_type(atttypid, null) as type from pg_attribute ` +
        `where attrelid = to_regclass('${name}') and attnum > 0 and not attisdropped`,
  );
  const rows = await em.execute<{ i: number; name: string; type: string }[]>(sql.join(' union all '));
  const columns = names.map(
    (_, i): Columns => new Map(rows.filter(row => row.i === i).map(({ name, type }) => [name, type])),
  );

  return tables.map((table, i) => ({ live: columns[2 * i + (table.rows ? 1 : 0)]!, history: columns[2 * i + 1]! }));
}

/**
 * Values are equal as the database stores them, whatever collation or scale their type compares by; `jsonb` by value.
 * In SQLite, `quote()` tells values and their types apart.
 */
function dialectOf(em: Orm['em']): MirrorDialect {
  const quote = (identifier: string) => `"${identifier.replaceAll('"', '""')}"`;
  const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

  return isSqlite(em)
    ? {
        quote,
        comparable: column => `quote(${column})`,
        equal: 'is',
        contains: (column, element) =>
          `exists (select 1 from json_each(${column}) where json_each.value = ${literal(element)})`,
      }
    : {
        quote,
        comparable: (column, type) => (type === 'jsonb' ? column : `${column}::text`),
        equal: 'is not distinct from',
        contains: (column, element) => `${column} @> ${literal(JSON.stringify([element]))}::jsonb`,
      };
}

function isSqlite(em: Orm['em']): boolean {
  return em.getPlatform() instanceof SqlitePlatform;
}

function nameOf(table: MirrorException): string {
  if (typeof table === 'string') {
    return table;
  }

  return EntitySchema.is(table) ? table.meta.className : table.name;
}
