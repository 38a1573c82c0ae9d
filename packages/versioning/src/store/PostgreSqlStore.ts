import { VersioningError } from '../errors.ts';
import { IMAGE, type Column, type HistoryTable } from '../model/HistoryTable.ts';
import { Operation } from '../model/Operation.ts';
import { spell } from '../model/spelling.ts';
import type { KeyValues, TouchedTable, TouchedTables } from '../model/Touched.ts';
import type { VersioningContext } from '../model/VersioningContext.ts';
import type { Dependent } from '../model/VersioningModel.ts';
import { linkColumns } from '../model/linkEnds.ts';
import { copiedColumns, keyMatches, quote, sameKey } from './sql.ts';
import type { Connection, LiveTable, Store } from './Store.ts';
import type { StoreLayout } from './StoreLayout.ts';

/**
 * History on PostgreSQL: whatever a transaction touched, one statement compares and writes it all. Each touched table
 * contributes these common table expressions (`__versioning_0_keys` and so on for the first table):
 *
 *     keys     the touched keys
 *     changed  keys whose live row differs from the open version, by image (`*<>`), with that version
 *     tx       the transaction row, only if some table changed
 *     closed   ends the open versions' spans at tx
 *     written  opens a span for each live row
 *     deleted  opens the DELETE version of each row that is gone, from the version it had
 *
 * All parts of a statement see the same snapshot, taken after the transaction's own writes. The rows that they compare
 * are locked by those writes, so the id of the transaction row is allocated after the locks are held: ids along one
 * row's history rise in the order of commits.
 */
export class PostgreSqlStore implements Store {
  readonly #table: StoreLayout['table'];
  readonly #columns: StoreLayout['columns'];
  readonly #openEnd: number;
  readonly #transaction: StoreLayout['transaction'];

  constructor({ table, columns, openEnd, transaction }: StoreLayout) {
    this.#table = table;
    this.#columns = columns;
    this.#openEnd = openEnd;
    this.#transaction = transaction;
  }

  async reconcile(
    connection: Connection,
    touched: TouchedTables,
    context: VersioningContext,
  ): Promise<number | undefined> {
    const expressions: string[] = [];
    const params: unknown[] = [];
    const parts = this.#touchedTables(touched);
    parts.forEach(([table, rows], i) => {
      expressions.push(this.#keys(`${PREFIX}${i}`, table, rows, params));
      expressions.push(this.#changed(`${PREFIX}${i}`, table, touched.images));
    });
    expressions.push(this.#insertTransaction(parts, context, params));
    parts.forEach(([table], i) => {
      expressions.push(...this.#writes(`${PREFIX}${i}`, table, touched.images));
    });
    const conflicts = parts.map((_, i) => `exists (select 1 from ${PREFIX}${i}_changed where conflict)`);
    const [row] = await connection.rows<{ id: string | number | null; conflict: boolean }>(
      `with ${expressions.join(',\n')}\nselect (select ${this.#transaction.id} from ${TX}) as id, ${conflicts.join(' or ')} as conflict`,
      params,
    );
    if (row!.conflict) {
      throw VersioningError.serializationConflict(parts.map(([{ name }]) => name));
    }
    return row!.id === null ? undefined : Number(row!.id);
  }

  async withdraw(connection: Connection, touched: TouchedTables, transaction: number): Promise<void> {
    const { transactionId, endTransactionId, operationType } = this.#columns;
    for (const [table, rows] of this.#touchedTables(touched)) {
      const params: unknown[] = [];
      const keys = this.#keys(`${PREFIX}0`, table, rows, params, transaction);
      if (table.kind === 'row') {
        // a DELETE version without a predecessor was an image; it becomes one again
        await connection.run(
          `update ${table.history} v set ${transactionId} = ${IMAGE}, ${endTransactionId} = ${IMAGE}, ${operationType} = ${Operation.UPDATE} ` +
            `where v.${transactionId} = ? and v.${operationType} = ${Operation.DELETE} and not exists ` +
            `(select 1 from ${table.history} p where ${sameKey(table, 'p', 'v')} and p.${endTransactionId} = ?)`,
          [transaction, transaction],
        );
      }
      await connection.run(
        `with ${keys}, gone as (delete from ${table.history} where ${transactionId} = ?) ` +
          `update ${table.history} v set ${endTransactionId} = ${this.#openEnd} from ${PREFIX}0_keys k ` +
          `where ${keyMatches(table, 'v')} and v.${endTransactionId} = ?`,
        [...params, transaction, transaction],
      );
    }
    await connection.run(`delete from ${this.#transaction.table} where ${this.#transaction.id} = ?`, [transaction]);
  }

  async keepImages(
    connection: Connection,
    { name }: HistoryTable,
    schema: string | undefined,
    keys: readonly KeyValues[],
  ): Promise<number> {
    const table = this.#table(name, schema);
    const { transactionId, endTransactionId, operationType } = this.#columns;
    const copied = copiedColumns(table);
    return connection.run(
      `insert into ${table.history} (${copied.join(', ')}, ${transactionId}, ${endTransactionId}, ${operationType}) ` +
        `select ${copied.map(column => `l.${column}`).join(', ')}, ${IMAGE}, ${IMAGE}, ${Operation.UPDATE} ` +
        `from ${recordset(table.key)} ${lookUp('join', table, table.live, 'l')} ` +
        `${lookUp('left join', table, table.history, 'v', `v.${endTransactionId} in (${this.#openEnd}, ${IMAGE})`)} ` +
        `where v.${endTransactionId} is null`,
      [json(keys)],
    );
  }

  async lock(connection: Connection, table: LiveTable, keys: readonly KeyValues[]): Promise<void> {
    const on = table.key.map((column, i) => `p.${quote(column.name)} = k.k${i}`).join(' and ');
    await connection.rows(
      `select 1 from ${recordset(table.key)} join ${table.name} p on ${on} order by ${table.key.map(column => `p.${quote(column.name)}`).join(', ')} for update of p`,
      [json(keys)],
    );
  }

  async findReferring(connection: Connection, child: string, parent: LiveTable): Promise<string[]> {
    const rows = await connection.rows<{ name: string }>(
      'select distinct n.nspname as name from pg_constraint f join pg_class c on c.oid = f.conrelid ' +
        "join pg_namespace n on n.oid = c.relnamespace where f.contype = 'f' and c.relname = ? and f.confrelid = to_regclass(?)",
      [child, parent.name],
    );
    return rows.map(({ name }) => name);
  }

  async findChildren(
    connection: Connection,
    child: LiveTable,
    parent: LiveTable,
    { columns, referenced }: Dependent,
    parents: readonly KeyValues[],
  ): Promise<KeyValues[]> {
    const on = columns.map((column, i) => `c.${quote(column)} = p.${quote(referenced[i]!)}`).join(' and ');
    const key = parent.key.map((column, i) => `p.${quote(column.name)} = k.k${i}`).join(' and ');
    const rows = await connection.rows<Record<string, unknown>>(
      `select ${selectKey(child.key, 'c')} ` +
        `from ${recordset(parent.key)} ${forEach(parent.name, 'p', key)} ${forEach(child.name, 'c', on)}`,
      [json(parents)],
    );
    return rows.map(row => child.key.map(({ type }, i) => spell(row[`k${i}`], type)));
  }

  async findBy(
    connection: Connection,
    table: LiveTable,
    columns: readonly Column[],
    values: readonly KeyValues[],
  ): Promise<KeyValues[]> {
    const on = columns.map((column, i) => `l.${quote(column.name)} = k.k${i}`).join(' and ');
    const rows = await connection.rows<Record<string, unknown>>(
      `select ${selectKey(table.key, 'l')} from ${recordset(columns)} ${forEach(table.name, 'l', on)}`,
      [json(values)],
    );
    return rows.map(row => table.key.map(({ type }, i) => spell(row[`k${i}`], type)));
  }

  #touchedTables(touched: TouchedTables): (readonly [HistoryTable, TouchedTable])[] {
    return touched.tables.map(rows => [this.#table(rows.name, rows.schema), rows] as const);
  }

  /** With `ended`, spans that this transaction ended count like open ones. */
  #keys(prefix: string, table: HistoryTable, rows: TouchedTable, params: unknown[], ended?: number): string {
    const keyNames = table.key.map((_, i) => `k${i}`).join(', ');
    const isRow = table.kind === 'row';
    const born = isRow ? ', true' : '';
    const selects = isRow
      ? [`select ${keyNames}, born from ${recordset(table.key, ', born boolean')}`]
      : [`select ${keyNames} from ${recordset(table.key)}`];
    params.push(
      isRow
        ? JSON.stringify(rows.keys.map(each => ({ ...record(each.values), born: each.born })))
        : json(rows.keys.map(({ values }) => values)),
    );
    for (const { part, live, values } of rows.links) {
      const columns = linkColumns(table, part);
      const select = (alias: string, from: string, more: string) =>
        `select ${table.key.map(column => `${alias}.${quote(column.name)}`).join(', ')}${born} from ${recordset(columns)} ` +
        (part === 'both' ? joinFreely : forEach)(
          from,
          alias,
          columns.map((column, i) => `${alias}.${quote(column.name)} = k.k${i}`).join(' and ') + more,
        );
      const ends = ended === undefined ? `= ${this.#openEnd}` : `in (${this.#openEnd}, ?)`;
      selects.push(select('v', table.history, ` and v.${this.#columns.endTransactionId} ${ends}`));
      params.push(json(values), ...(ended === undefined ? [] : [ended]));
      if (live) {
        selects.push(select('l', table.live, ''));
        params.push(json(values));
      }
    }
    return isRow
      ? `${prefix}_keys as materialized (select ${keyNames}, bool_and(born) as born from (${selects.join(' union all ')}) k group by ${keyNames})`
      : `${prefix}_keys as materialized (${selects.join(' union ')})`;
  }

  #changed(prefix: string, table: HistoryTable, images: boolean): string {
    const { versionId, transactionId, endTransactionId, operationType } = this.#columns;
    const present = `l.${quote(table.key[0]!.name)} is not null`;
    const differs = rowsDiffer(table);
    const open = `v.${endTransactionId} = ${this.#openEnd}`;
    // an image stands in for the open version that a row without history lacks
    const version =
      table.kind === 'row' && images
        ? lookUp(
            'left join',
            table,
            table.history,
            'v',
            `(${open} or v.${transactionId} = ${IMAGE}) order by v.${transactionId} desc`,
          )
        : lookUp('left join', table, table.history, 'v', open);
    const condition =
      table.kind === 'row'
        ? `case when not (${present}) then coalesce(v.${operationType} <> ${Operation.DELETE}, false) ` +
          `when v.${versionId} is null or v.${operationType} = ${Operation.DELETE} then true else ${differs} end`
        : `case when not (${present}) then v.${versionId} is not null when v.${versionId} is null then true else ${differs} end`;
    const operation = table.kind === 'row' ? `, v.${operationType} as operation` : '';
    return (
      `${prefix}_changed as materialized (select k.*, v.${versionId} as version, v.${transactionId} as since${operation}, ${present} as present, coalesce(l.${ROWS} > 1, false) as conflict ` +
      `from ${prefix}_keys k ${lookUp('left join', table, table.live, 'l', 'true', `, count(*) over () as ${ROWS}`)} ${version} ` +
      `where l.${ROWS} > 1 or ${condition})`
    );
  }

  #insertTransaction(
    parts: readonly (readonly [HistoryTable, TouchedTable])[],
    context: VersioningContext,
    params: unknown[],
  ): string {
    const { table, id, issuedAt, actor, reason, meta, changed } = this.#transaction;
    const exists = parts.map((_, i) => `exists (select 1 from ${PREFIX}${i}_changed)`);
    const names = [...Map.groupBy(parts.keys(), i => parts[i]![0].name)].map(
      ([name, of]) => `case when ${of.map(i => exists[i]).join(' or ')} then ${literal(name)} end`,
    );
    params.push(context.actor ?? null, context.reason ?? null, context.meta ? JSON.stringify(context.meta) : null);
    return (
      `${TX} as (insert into ${table} (${issuedAt}, ${actor}, ${reason}, ${meta}, ${changed}) ` +
      `select date_trunc('milliseconds', clock_timestamp()), ?::text, ?::text, ?::jsonb, ` +
      `to_jsonb(array_remove(array[${names.join(', ')}]::text[], null)) where ${exists.join(' or ')} returning ${id})`
    );
  }

  #writes(prefix: string, table: HistoryTable, images: boolean): string[] {
    const { versionId, transactionId, endTransactionId, operationType } = this.#columns;
    const tx = `${TX}.${this.#transaction.id}`;
    const copied = copiedColumns(table);
    const target = [...copied, transactionId, endTransactionId];
    const live = [...copied.map(column => `l.${column}`), tx, String(this.#openEnd)];
    const writes = [
      `${prefix}_closed as (update ${table.history} v set ${endTransactionId} = ${tx} from ${prefix}_changed c, ${TX} ` +
        `where v.${versionId} = c.version and c.since <> ${IMAGE})`,
    ];
    if (table.kind === 'link') {
      writes.push(
        `${prefix}_written as (insert into ${table.history} (${target.join(', ')}) select ${live.join(', ')} ` +
          `from ${prefix}_changed k ${lookUp('join', table, table.live, 'l')} cross join ${TX})`,
      );
      return writes;
    }
    target.push(operationType);
    const operation =
      `case when k.operation is null then case when k.born then ${Operation.INSERT} else ${Operation.UPDATE} end ` +
      `when k.operation = ${Operation.DELETE} then ${Operation.INSERT} else ${Operation.UPDATE} end`;
    const last = [...copied.map(column => `v.${column}`), tx, String(this.#openEnd), String(Operation.DELETE)];
    writes.push(
      `${prefix}_written as (insert into ${table.history} (${target.join(', ')}) select ${[...live, operation].join(', ')} ` +
        `from ${prefix}_changed k ${lookUp('join', table, table.live, 'l')} cross join ${TX})`,
      `${prefix}_deleted as (insert into ${table.history} (${target.join(', ')}) select ${last.join(', ')} ` +
        `from ${prefix}_changed k join ${table.history} v on v.${versionId} = k.version cross join ${TX} where not k.present)`,
    );
    if (images) {
      writes.push(
        `${prefix}_images as (delete from ${table.history} v using ${prefix}_keys k where ${keyMatches(table, 'v')} and v.${transactionId} = ${IMAGE})`,
      );
    }
    return writes;
  }
}

/** Begins the names of the expressions, which hide tables of the same name. */
const PREFIX = '__versioning_';
const TX = `${PREFIX}tx`;

/**
 * Counts the live rows of a key. In a snapshot that is older than the transaction's own writes (repeatable read), a row
 * that another transaction has deleted since is still there beside the new one of the same key.
 */
const ROWS = `${PREFIX}rows`;

/**
 * Joins the one row of the key `k`. The limit makes PostgreSQL go through the index for each key: it takes any number of
 * keys for a hundred, and would rather scan a small table, also with the plan that it keeps for when it has grown.
 */
function lookUp(join: string, table: HistoryTable, from: string, alias: string, condition = 'true', more = ''): string {
  return `${join} lateral (select *${more} from ${from} ${alias} where ${keyMatches(table, alias)} and ${condition} limit 1) ${alias} on true`;
}

/** Joins as the planner likes: both ends of a link with a key of its own may have no index together. */
function joinFreely(from: string, alias: string, condition: string): string {
  return `join ${from} ${alias} on ${condition}`;
}

/** Joins the rows that meet a condition on what stands before, row by row, for the same reason. */
function forEach(from: string, alias: string, condition: string): string {
  return `cross join lateral (select * from ${from} ${alias} where ${condition} offset 0) ${alias}`;
}

/** Whether the live row `l` and the version `v` differ, byte by byte; `jsonb` by value, whatever the scale of its numbers. */
function rowsDiffer(table: HistoryTable): string {
  const byValue = table.state.filter(column => column.type === 'jsonb');
  // keys may be equal by a collation and yet differ
  const byImage = [...table.key, ...table.state.filter(column => column.type !== 'jsonb')];
  const list = (alias: string) => byImage.map(column => `${alias}.${quote(column.name)}`).join(', ');
  const conditions = byValue.map(column => `l.${quote(column.name)} is distinct from v.${quote(column.name)}`);
  // without the casts, PostgreSQL takes the operator apart, column by column
  return `(${[`row(${list('l')})::record *<> row(${list('v')})::record`, ...conditions].join(' or ')})`;
}

/** The JSON parameter `[{ "k0": …, "k1": … }, …]` as rows, cast to the columns' types. */
function recordset(columns: readonly Column[], more = ''): string {
  return `jsonb_to_recordset(?::jsonb) as k(${columns.map((column, i) => `k${i} ${column.type}`).join(', ')}${more})`;
}

function json(keys: readonly KeyValues[]): string {
  return JSON.stringify(keys.map(record));
}

function record(values: KeyValues): Record<string, unknown> {
  return Object.fromEntries(values.map((value, i) => [`k${i}`, value]));
}

/** The columns of a key as text; times as JavaScript writes them. */
function selectKey(columns: readonly Column[], alias: string): string {
  return columns.map(({ name, type }, i) => `${asText(`${alias}.${quote(name)}`, type)} as k${i}`).join(', ');
}

function asText(column: string, type: string): string {
  if (!type.startsWith('timestamp')) {
    return `${column}::text`;
  }
  const utc = /tz|with time zone/.test(type) ? `(${column} at time zone 'UTC')` : column;
  return `(to_json(${utc}) #>> '{}') || 'Z'`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
