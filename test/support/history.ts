import type { EntityManager } from '@mikro-orm/core';
import { Operation, VersionTransaction, versionOf } from 'mikro-orm-versioning';

import type { Orm } from './databases.ts';

const NAMES = new Map<number, string>(Object.entries(Operation).map(([name, value]) => [value, name]));

/** Largest id: where a span that still holds ends. */
const OPEN = Number.MAX_SAFE_INTEGER;

/**
 * The whole history of the given entities, by transaction, then by name, one line a version or link span:
 * `Article#1 UPDATE { name: 'b' } [2, )`. Transactions are numbered from 1 as they exist, whatever their ids.
 */
export async function historyOf(
  orm: Orm,
  entities: readonly object[],
  links: readonly string[] = [],
): Promise<string[]> {
  const em = orm.em.fork();
  const lines: { at: number; text: string }[] = [];
  const numbers = await numberTransactions(em);
  for (const entity of entities) {
    const versionClass = versionOf(entity as never) as never;
    const meta = em.getMetadata().get(versionClass);
    const table = meta.tableName;
    const own = new Set([
      'versionId',
      'transaction',
      'endTransaction',
      'endTransactionId',
      'operationType',
      'entity',
      'previous',
      'next',
      'validFrom',
      'validUntil',
    ]);
    const columns = meta.props
      .filter(prop => !own.has(prop.name) && prop.persist !== false && prop.fieldNames)
      .flatMap(prop => prop.fieldNames);
    const rows = await em
      .getConnection()
      .execute<Record<string, never>[]>(`select * from ${quote(table)} order by version_id`);
    for (const row of rows) {
      const [key, ...state] = columns as [string, ...string[]];
      const values = state.map(column => `${column}: ${format(row[column])}`).join(', ');
      const name = meta.className.replace(/Version$/, '');
      const operation = NAMES.get(Number(row['operation_type']));
      lines.push({
        at: Number(row['transaction_id']),
        text: `${name}#${format(row[key])} ${operation} { ${values} } ${span(row, numbers)}`,
      });
    }
  }
  for (const table of links) {
    const rows = await em
      .getConnection()
      .execute<Record<string, never>[]>(`select * from ${quote(table)} order by version_id`);
    for (const { version_id: _, transaction_id, end_transaction_id, ...ends } of rows) {
      const values = Object.entries(ends).map(([column, value]) => `${column} ${format(value)}`);
      lines.push({
        at: Number(transaction_id),
        text: `${values.join(' -> ')} ${span({ transaction_id, end_transaction_id } as never, numbers)}`,
      });
    }
  }
  return lines.toSorted((a, b) => a.at - b.at || (a.text < b.text ? -1 : 1)).map(({ text }) => text);
}

/** The transaction rows, without ids and times: `kim: rename (Article)`. */
export async function transactionsOf(orm: Orm): Promise<string[]> {
  const transactions = await orm.em.fork().find(VersionTransaction, {}, { orderBy: { id: 'asc' } });
  return transactions.map(({ actor, reason, changed }) => `${actor}: ${reason} (${changed.toSorted().join(', ')})`);
}

async function numberTransactions(em: EntityManager): Promise<Map<number, number>> {
  const transactions = await em.find(VersionTransaction, {}, { orderBy: { id: 'asc' } });
  return new Map(transactions.map(({ id }, i) => [id, i + 1]));
}

function span(row: Record<string, unknown>, numbers: Map<number, number>): string {
  const number = (id: unknown) =>
    Number(id) === OPEN ? '' : String(numbers.get(Number(id)) ?? `unknown ${String(id)}`);
  return `[${number(row['transaction_id'])}, ${number(row['end_transaction_id'])})`;
}

function format(value: unknown): string {
  return value === null || typeof value === 'object' ? JSON.stringify(value) : String(value as string | number);
}

function quote(identifier: string): string {
  return `"${identifier}"`;
}
