import { BasePostgreSqlPlatform } from '@mikro-orm/sql';
import { VersionTransaction } from 'mikro-orm-versioning';

import type { Orm } from '../support/databases.ts';
import { inOrder, type History, type Span, type State } from './history.ts';

/** Versioned columns of every table, by the name that a transaction's `changed` gives it; the key comes first. */
const tables = {
  Category: { table: 'category', key: 1, columns: ['id', 'text'] },
  Tag: { table: 'tag', key: 1, columns: ['id', 'text'] },
  Article: { table: 'article', key: 1, columns: ['id', 'text', 'slug', 'category_id', 'blog_id'] },
  Comment: { table: 'comment', key: 1, columns: ['id', 'text', 'article_id', 'answers_id'] },
  Note: { table: 'note', key: 1, columns: ['id', 'text', 'article_id'] },
  'Article.tags': { table: 'article_tags', key: 2, columns: ['article_id', 'tag_id'] },
  // its `id` is the order
  'Article.topics': { table: 'article_topics', key: 2, columns: ['article_id', 'tag_id', 'id'] },
  'Article.related': { table: 'article_related', key: 2, columns: ['article_1_id', 'article_2_id'] },
};

type Name = keyof typeof tables;

interface Row {
  readonly name: Name;
  /** The columns as a JSON array. */
  readonly row: string;
}

interface VersionRow extends Row {
  readonly operation: number;
  readonly start: string | number;
  readonly end: string | number;
}

/** Reads the live rows and links. */
export async function readState(orm: Orm): Promise<State> {
  const rows = await orm.em.getConnection().execute<Row[]>(everyTable(orm, ''));

  const state = new Map<string, string>();

  for (const row of rows) {
    const of = keyOf(row);
    state.set(state.has(of) ? `${of} again` : of, compact(row.row));
  }

  return state;
}

/** Reads the history tables. A span's end that no transaction has becomes -1, unless it is the open end. */
export async function readHistory(orm: Orm): Promise<History> {
  const connection = orm.em.getConnection();
  const rows = await connection.execute<VersionRow[]>(everyTable(orm, '_version'));
  const transactions = await connection.execute<{ id: string | number; changed: string | string[] }[]>(
    'select id, changed from version_transaction order by id',
  );
  const ids = transactions.map(({ id }) => String(id));
  const spans = rows.map(row => ({
    of: keyOf(row),
    operation: (['INSERT', 'UPDATE', 'DELETE', 'LINK'] as const)[row.operation]!,
    values: compact(row.row),
    from: ids.indexOf(String(row.start)),
    to: Number(row.end) === Number.MAX_SAFE_INTEGER ? null : ids.indexOf(String(row.end)),
  })) satisfies Span[];

  return {
    transactions: transactions.map(({ changed }) =>
      (typeof changed === 'string' ? (JSON.parse(changed) as string[]) : changed).toSorted(),
    ),
    spans: inOrder(spans),
  };
}

/** Empties every table and starts the generated keys anew, so that each program meets the same database. */
export async function emptyTables(orm: Orm): Promise<void> {
  const live = ['comment', 'note', 'article', 'category', 'tag', 'blog'];
  const history = Object.values(tables).map(({ table }) => `${table}_version`);
  const versioned = orm.getMetadata().find(VersionTransaction) !== undefined;
  const emptied = versioned ? [...live, ...history, 'version_transaction'] : live;
  const statements = emptied.map(table => `delete from ${table}`);

  if (isPostgres(orm)) {
    statements.push(
      ...['comment', 'note', 'article_topics'].map(table => `select setval('${table}_id_seq', 1, false)`),
    );
  } else {
    statements.push('delete from sqlite_sequence');
  }

  for (const statement of statements) {
    await orm.em.getConnection().execute(statement);
  }
}

/** One query over all live tables, or over all history tables. */
function everyTable(orm: Orm, suffix: '' | '_version'): string {
  const array = isPostgres(orm) ? 'json_build_array' : 'json_array';
  const selects = Object.entries(tables).map(([name, { table, key, columns }]) => {
    const text = `cast(${array}(${columns.join(', ')}) as ${isPostgres(orm) ? 'text' : 'char'})`;
    const operation = key === 1 ? 'operation_type' : '3';
    const span = suffix ? `, ${operation} as operation, transaction_id as start, end_transaction_id as "end"` : '';

    return `select '${name}' as name, ${text} as row${span} from ${table}${suffix}`;
  });

  return selects.join(' union all ');
}

/** MikroORM can insert an ordered link twice; what the history of a link that exists twice would be is nobody's question. */
export function hasDuplicates(state: State): boolean {
  return [...state.keys()].some(of => of.endsWith(' again'));
}

function keyOf({ name, row }: Row): string {
  return `${name}#${(JSON.parse(row) as unknown[]).slice(0, tables[name].key).join(',')}`;
}

function compact(row: string): string {
  return JSON.stringify(JSON.parse(row));
}

export function isPostgres(orm: Orm): boolean {
  return orm.em.getPlatform() instanceof BasePostgreSqlPlatform;
}
