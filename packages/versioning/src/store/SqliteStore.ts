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
 * History on SQLite: a few statements in process, their number constant in the number of rows. SQLite has a single
 * writer, so nothing changes between them. In SQLite a cross join pins the order of the tables: the keys come first,
 * whatever statistics say. The transaction row comes first, for its id, and goes again when no table
 * turns out to have changed.
 */
export class SqliteStore implements Store {
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
    const { table: transactions, id, issuedAt, actor, reason, meta, changed } = this.#transaction;
    const [row] = await connection.rows<{ id: number }>(
      `insert into ${transactions} (${issuedAt}, ${actor}, ${reason}, ${meta}, ${changed}) values (?, ?, ?, ?, ?) returning ${id} as id`,
      [
        Date.now(),
        context.actor ?? null,
        context.reason ?? null,
        context.meta ? JSON.stringify(context.meta) : null,
        JSON.stringify(touched.tables.map(({ name }) => name)),
      ],
    );
    const tx = row!.id;
    const names: string[] = [];
    for (const rows of touched.tables) {
      const table = this.#table(rows.name, rows.schema);
      const written =
        table.kind === 'row'
          ? await this.#reconcileRows(connection, table, rows, tx, touched.images)
          : await this.#reconcileLinks(connection, table, rows, tx);
      if (written > 0) {
        names.push(rows.name);
      }
    }
    if (names.length === 0) {
      await connection.run(`delete from ${transactions} where ${id} = ?`, [tx]);
      return undefined;
    }
    if (names.length < touched.tables.length) {
      await connection.run(`update ${transactions} set ${changed} = ? where ${id} = ?`, [JSON.stringify(names), tx]);
    }
    return tx;
  }

  async withdraw(connection: Connection, touched: TouchedTables, transaction: number): Promise<void> {
    const { transactionId, endTransactionId, operationType, versionId } = this.#columns;
    for (const rows of touched.tables) {
      const table = this.#table(rows.name, rows.schema);
      const { sql, params } = this.#keys(table, rows, transaction);
      if (table.kind === 'row') {
        // a DELETE version without a predecessor was an image; it becomes one again
        await connection.run(
          `update ${table.history} as v set ${transactionId} = ${IMAGE}, ${endTransactionId} = ${IMAGE}, ${operationType} = ${Operation.UPDATE} ` +
            `where v.${transactionId} = ? and v.${operationType} = ${Operation.DELETE} and not exists ` +
            `(select 1 from ${table.history} p where ${sameKey(table, 'p', 'v')} and p.${endTransactionId} = ?)`,
          [transaction, transaction],
        );
      }
      await connection.run(`delete from ${table.history} where ${transactionId} = ?`, [transaction]);
      await connection.run(
        `update ${table.history} set ${endTransactionId} = ${this.#openEnd} where ${versionId} in ` +
          `(select v.${versionId} from ${sql} cross join ${table.history} v on ${keyMatches(table, 'v')} and v.${endTransactionId} = ?)`,
        [...params, transaction],
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
        `from ${keySource(table.key)} cross join ${table.live} l on ${keyMatches(table, 'l')} where not exists ` +
        `(select 1 from ${table.history} v where ${keyMatches(table, 'v')} and v.${endTransactionId} in (${this.#openEnd}, ${IMAGE}))`,
      [JSON.stringify(keys)],
    );
  }

  async lock(): Promise<void> {}

  /** A foreign key can't leave its database. */
  async findReferring(): Promise<string[]> {
    return [];
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
      `select ${selectKey(child.key, 'c')} from ${keySource(parent.key)} cross join ${parent.name} p on ${key} cross join ${child.name} c on ${on}`,
      [JSON.stringify(parents)],
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
      `select ${selectKey(table.key, 'l')} from ${keySource(columns)} cross join ${table.name} l on ${on}`,
      [JSON.stringify(values)],
    );
    return rows.map(row => table.key.map(({ type }, i) => spell(row[`k${i}`], type)));
  }

  async #reconcileRows(
    connection: Connection,
    table: HistoryTable,
    rows: TouchedTable,
    tx: number,
    images: boolean,
  ): Promise<number> {
    const { versionId, transactionId, endTransactionId, operationType } = this.#columns;
    const { sql: keys, params } = this.#keys(table, rows);
    const copied = copiedColumns(table);
    const into = `insert into ${table.history} (${copied.join(', ')}, ${transactionId}, ${endTransactionId}, ${operationType})`;
    const open = `v.${endTransactionId} = ${this.#openEnd}`;
    // an image stands in for the open version that a row without history lacks
    const version = images
      ? `v.${versionId} = (select h.${versionId} from ${table.history} h where ${keyMatches(table, 'h')} and ` +
        `(h.${endTransactionId} = ${this.#openEnd} or h.${transactionId} = ${IMAGE}) order by h.${transactionId} desc limit 1)`
      : `${keyMatches(table, 'v')} and ${open}`;
    const operation =
      `case when v.${versionId} is null then case when k.born then ${Operation.INSERT} else ${Operation.UPDATE} end ` +
      `when v.${operationType} = ${Operation.DELETE} then ${Operation.INSERT} else ${Operation.UPDATE} end`;
    const written = await connection.run(
      `${into} select ${copied.map(column => `l.${column}`).join(', ')}, ?, ${this.#openEnd}, ${operation} ` +
        `from ${keys} cross join ${table.live} l on ${keyMatches(table, 'l')} left join ${table.history} v on ${version} ` +
        `where v.${versionId} is null or v.${operationType} = ${Operation.DELETE} or ${rowsDiffer(table)} ` +
        `union all select ${copied.map(column => `v.${column}`).join(', ')}, ?, ${this.#openEnd}, ${Operation.DELETE} ` +
        `from ${keys} cross join ${table.history} v on ${version} where v.${operationType} <> ${Operation.DELETE} and not exists ` +
        `(select 1 from ${table.live} l where ${keyMatches(table, 'l')})`,
      [tx, ...params, tx, ...params],
    );
    if (written > 0) {
      await this.#close(connection, table, keys, params, tx, 'false');
    }
    if (images) {
      await connection.run(`delete from ${table.history} where ${transactionId} = ${IMAGE}`, []);
    }
    return written;
  }

  async #reconcileLinks(connection: Connection, table: HistoryTable, rows: TouchedTable, tx: number): Promise<number> {
    const { versionId, transactionId, endTransactionId } = this.#columns;
    const { sql: keys, params } = this.#keys(table, rows);
    const copied = copiedColumns(table);
    const written = await connection.run(
      `insert into ${table.history} (${copied.join(', ')}, ${transactionId}, ${endTransactionId}) ` +
        `select ${copied.map(column => `l.${column}`).join(', ')}, ?, ${this.#openEnd} ` +
        `from ${keys} cross join ${table.live} l on ${keyMatches(table, 'l')} ` +
        `left join ${table.history} v on ${keyMatches(table, 'v')} and v.${endTransactionId} = ${this.#openEnd} ` +
        `where v.${versionId} is null or ${rowsDiffer(table)}`,
      [tx, ...params],
    );
    const gone = `not exists (select 1 from ${table.live} l where ${keyMatches(table, 'l')})`;
    return written + (await this.#close(connection, table, keys, params, tx, gone));
  }

  /**
   * Ends the spans that were open before `tx`, where `tx` opened one of the same key, or `gone` holds. The plus keeps the
   * transaction's index out of it, by which SQLite would look through everything that `tx` wrote, for each key.
   */
  #close(
    connection: Connection,
    table: HistoryTable,
    keys: string,
    params: readonly unknown[],
    tx: number,
    gone: string,
  ): Promise<number> {
    const { versionId, transactionId, endTransactionId } = this.#columns;
    const successor =
      `exists (select 1 from ${table.history} n where ${keyMatches(table, 'n')} ` +
      `and n.${endTransactionId} = ${this.#openEnd} and +n.${transactionId} = ?)`;
    return connection.run(
      `update ${table.history} set ${endTransactionId} = ? where ${versionId} in (select v.${versionId} from ${keys} ` +
        `cross join ${table.history} v on ${keyMatches(table, 'v')} and v.${endTransactionId} = ${this.#openEnd} ` +
        `and +v.${transactionId} <> ? where ${successor} or ${gone})`,
      [tx, ...params, tx, tx],
    );
  }

  /** With `ended`, spans that this transaction ended count like open ones. */
  #keys(table: HistoryTable, rows: TouchedTable, ended?: number): { sql: string; params: unknown[] } {
    const { keys } = rows;
    const isRow = table.kind === 'row';
    const columns = table.key.map((_, i) => `k${i}`).join(', ');
    const params: unknown[] = [JSON.stringify(keys.map(({ values, born }) => (isRow ? [...values, born] : values)))];
    if (isRow && rows.links.length === 0) {
      return { sql: keySource(table.key, true), params };
    }
    const selects = [`select ${columns}${isRow ? ', born' : ''} from ${keySource(table.key, isRow)}`];
    for (const { part, live, values } of rows.links) {
      const ends = linkColumns(table, part);
      const select = (alias: string, from: string, more: string) =>
        `select ${table.key.map(column => `${alias}.${quote(column.name)}`).join(', ')}${isRow ? ', 1' : ''} from ${keySource(ends)} ` +
        `cross join ${from} ${alias} on ${ends.map((column, i) => `${alias}.${quote(column.name)} = k.k${i}`).join(' and ')}${more}`;
      const span = ended === undefined ? `= ${this.#openEnd}` : `in (${this.#openEnd}, ?)`;
      selects.push(select('v', table.history, ` and v.${this.#columns.endTransactionId} ${span}`));
      params.push(JSON.stringify(values), ...(ended === undefined ? [] : [ended]));
      if (live) {
        selects.push(select('l', table.live, ''));
        params.push(JSON.stringify(values));
      }
    }
    const all = isRow
      ? `select ${columns}, min(born) as born from (${selects.join(' union all ')}) group by ${columns}`
      : selects.join(' union ');
    return { sql: `(${all}) k`, params };
  }
}

/** Whether the live row `l` and the version `v` differ, whatever collation their columns compare by. */
function rowsDiffer(table: HistoryTable): string {
  const conditions = [...table.key, ...table.state].map(
    ({ name }) => `l.${quote(name)} is not v.${quote(name)} collate binary`,
  );
  return `(${conditions.join(' or ')})`;
}

/** The JSON parameter `[[k0, k1, …, born], …]` as rows `k`. JSON has no blobs: they travel as hexadecimal text. */
function keySource(columns: readonly Column[], born = false): string {
  const selected = columns.map((column, i) => {
    const value = `json_extract(value, '$[${i}]')`;
    return `${isBlob(column) ? `unhex(${value})` : value} as k${i}`;
  });
  if (born) {
    selected.push(`json_extract(value, '$[${columns.length}]') as born`);
  }
  return `(select ${selected.join(', ')} from json_each(?)) k`;
}

function selectKey(columns: readonly Column[], alias: string): string {
  return columns
    .map((column, i) => {
      const value = `${alias}.${quote(column.name)}`;
      return `${isBlob(column) ? `lower(hex(${value}))` : value} as k${i}`;
    })
    .join(', ');
}

function isBlob(column: Column): boolean {
  return /blob|binary|bytea/i.test(column.type);
}
