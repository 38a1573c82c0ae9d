import { Operation } from 'mikro-orm-versioning';

import type { MirroredTable } from './mirroredTables.ts';

/** How a database is asked. */
export interface MirrorDialect {
  /** An identifier in the database's quotes. */
  readonly quote: (identifier: string) => string;
  /** A value that is equal exactly where the history takes it for equal. */
  readonly comparable: (column: string, type: string) => string;
  /** Whether the rows in parentheses are equal, their nulls included. */
  readonly equal: string;
  /** Whether the JSON array in a column has this element. */
  readonly contains: (column: string, element: string) => string;
}

/** The columns that a table really has, with their types. */
export type Columns = ReadonlyMap<string, string>;

export interface TableColumns {
  readonly live: Columns;
  readonly history: Columns;
}

export interface Transactions {
  readonly table: string;
  readonly id: string;
  readonly changed: string;
}

/** How an open end is stored: the largest id, of 53 or of 32 bits. */
const openEnds = `(${Number.MAX_SAFE_INTEGER}, 2147483647)`;

/** By rule, a query for the rows that break it. */
export type Rules = Readonly<Record<string, string>>;

/** The rules of one history table. */
export function rulesOf(
  table: MirroredTable,
  has: TableColumns,
  transactions: Transactions,
  dialect: MirrorDialect,
  namesakes: readonly MirroredTable[] = [table],
): Rules {
  const missing = table.columns.filter(column => !has.live.has(column) || !has.history.has(column));

  if (missing.length > 0) {
    // nothing else can be asked
    const names = missing.map(column => `select '${column}' as missing`);
    return { 'both tables have every versioned column': names.join(' union ') };
  }

  return {
    ...presentRules(table, has, dialect),
    ...spanRules(table, transactions, dialect),
    ...sequenceRules(table, has, dialect),
    ...transactionRules(table, namesakes, transactions, dialect),
  };
}

/** The rule of the transactions themselves. */
export function transactionRulesOf({ table, changed }: Transactions, { quote }: MirrorDialect): Rules {
  return { 'a transaction changed something': `select * from ${table} where cast(${quote(changed)} as text) = '[]'` };
}

/** Open versions against live rows. A type that differs between the two is compared as text. */
function presentRules(
  { live, rows: liveRows, history, columns, until, operation }: MirroredTable,
  has: TableColumns,
  { quote, comparable }: MirrorDialect,
): Rules {
  const selected = columns.map(column => {
    const [type, other] = [has.live.get(column)!, has.history.get(column)!];
    return comparable(quote(column), type === other ? type : 'text');
  });
  const present = operation ? `and ${quote(operation)} <> ${Operation.DELETE}` : '';
  const current = `select ${selected.join(', ')} from ${history} where ${quote(until)} in ${openEnds} ${present}`;
  const rows = `select ${selected.join(', ')} from ${liveRows ?? live}`;

  return {
    'a live row is its open version': `${rows} except ${current}`,
    'an open version is its live row': `${current} except ${rows}`,
  };
}

/** An image that was left behind begins at no transaction. */
function spanRules(
  { history, key, since, until, operation }: MirroredTable,
  transactions: Transactions,
  { quote }: MirrorDialect,
): Rules {
  const [from, to] = [quote(since), quote(until)];
  const ids = `(select ${quote(transactions.id)} from ${transactions.table})`;
  const ofRow = `over (partition by ${key.map(quote).join(', ')} order by ${from}, ${to})`;
  const neighbours =
    `select ${key.map(quote).join(', ')}, ${from} as begins, ${to} as ends, ` +
    `lag(${to}) ${ofRow} as ended, lead(${from}) ${ofRow} as followed from ${history}`;

  return {
    'a span begins before it ends': `select * from ${history} where ${from} >= ${to}`,
    'a span begins at a transaction': `select * from ${history} where ${from} is null or ${from} not in ${ids}`,
    'a span ends at a transaction': `select * from ${history} where ${to} is null or ${to} not in ${openEnds} and ${to} not in ${ids}`,
    'spans do not overlap': `select * from (${neighbours}) n where ended > begins`,
    ...(operation && {
      'spans have no gap': `select * from (${neighbours}) n where ended < begins`,
      'the last span is open': `select * from (${neighbours}) n where followed is null and ends not in ${openEnds}`,
    }),
  };
}

/** What may follow what. Columns that only the history still has can make a difference, but are not carried on. */
function sequenceRules(
  { history, key, columns, since, until, versionId, operation }: MirroredTable,
  has: TableColumns,
  { quote, comparable, equal }: MirrorDialect,
): Rules {
  const row = (alias: string, names: readonly string[]) =>
    `(${names.map(name => comparable(`${alias}.${quote(name)}`, has.history.get(name)!)).join(', ')})`;
  const same = (names: readonly string[]) => `${row('p', names)} ${equal} ${row('h', names)}`;
  const state = [...has.history.keys()].filter(name => ![versionId, since, until, operation].includes(name));
  const followed =
    `select h.* from ${history} h join ${history} p on ${key.map(name => `h.${quote(name)} = p.${quote(name)}`).join(' and ')} ` +
    `and h.${quote(since)} = p.${quote(until)} and h.${quote(versionId)} <> p.${quote(versionId)} where`;

  if (!operation) {
    return { 'a span differs from the one that it follows': `${followed} ${same(state)}` };
  }

  const [is, was] = [`h.${quote(operation)}`, `p.${quote(operation)}`];

  return {
    'an operation is an INSERT, UPDATE or DELETE': `select * from ${history} h where ${is} is null or ${is} not in (${Object.values(Operation).join(', ')})`,
    'an INSERT follows a DELETE, and nothing else does': `${followed} (${is} = ${Operation.INSERT}) <> (${was} = ${Operation.DELETE})`,
    'an UPDATE changes something': `${followed} ${is} = ${Operation.UPDATE} and ${same(state)}`,
    'a DELETE carries the last state': `${followed} ${is} = ${Operation.DELETE} and not (${same(columns)})`,
  };
}

/** Transaction rows against spans; one name may stand for tables in several schemas. */
function transactionRules(
  { name }: MirroredTable,
  namesakes: readonly MirroredTable[],
  { table, id, changed }: Transactions,
  { quote, contains }: MirrorDialect,
): Rules {
  const named = contains(`t.${quote(changed)}`, name);
  const edges = namesakes
    .map(({ history, since, until }) => {
      const [from, to] = [quote(since), quote(until)];
      return `select ${from} as id from ${history} union select ${to} from ${history} where ${to} not in ${openEnds}`;
    })
    .join(' union ');

  return {
    'a transaction names what it changed': `select * from (${edges}) e where not exists (select 1 from ${table} t where t.${quote(id)} = e.id and ${named})`,
    'a transaction changed what it names': `select * from ${table} t where ${named} and t.${quote(id)} not in (${edges})`,
  };
}
