import type { DatabaseName } from '../databases.ts';
import type { Orm } from '../../test/support/orm.ts';
import type { Size } from './model.ts';

/** What the two databases spell differently. */
interface Spelling {
  /** Rows with the one column `name`, from 0 or 1 on. */
  readonly series: (name: string, from: number, to: number) => string;
  /** The time of a transaction, a second apart. */
  readonly issuedAt: string;
  readonly json: (text: string) => string;
}

const SPELLINGS: Readonly<Record<DatabaseName, Spelling>> = {
  sqlite: {
    series: (name, from, to) =>
      `(with recursive s(${name}) as (values (${from}) union all select ${name} + 1 from s where ${name} < ${to}) select ${name} from s)`,
    issuedAt: '1700000000000 + n * 1000',
    json: text => text,
  },
  postgresql: {
    series: (name, from, to) => `(select * from generate_series(${from}, ${to}) as s(${name})) as s_${name}`,
    issuedAt: 'to_timestamp(1700000000 + n)',
    json: text => `(${text})::jsonb`,
  },
};

/** As the library writes it: the largest id that is safe in JavaScript. */
const OPEN_END = String(Number.MAX_SAFE_INTEGER);

/** In this generation the deleted articles go. */
const GOES = 5;

/** The links of an article: which tag, from which generation on, and until which; `null` while they are there. */
const LINKS = [
  { tag: 0, from: 0, until: null },
  { tag: 101, from: 0, until: 5 },
  { tag: 202, from: 5, until: null },
  { tag: 303, from: 0, until: 8 },
  { tag: 404, from: 8, until: null },
] as const;

/** Transactions in which every row gets one new version. */
export function generation({ articles }: Size): number {
  return Math.ceil(articles / 10);
}

/**
 * Fills the tables on the server, as if `versions` generations of changes had been flushed: in each one, every row changes
 * once, and ten articles change in one transaction. Rows are inserted in the order in which they would have been written.
 */
export async function fill(orm: Orm, database: DatabaseName, size: Size): Promise<void> {
  const spelling = SPELLINGS[database];
  const run = (sql: string) => orm.em.getConnection().execute(sql, [], 'run');
  const last = size.versions * generation(size);
  await run(
    `insert into version_transaction (id, issued_at, actor, changed) select n, ${spelling.issuedAt}, 'filler', ` +
      `${spelling.json(`'["Article","Author","Tag"]'`)} from ${spelling.series('n', 1, last)}`,
  );
  await run(versionsOf('author', size.authors, { name: `'Author ' || i`, score: 'k' }, size, spelling));
  await run(versionsOf('tag', size.tags, { name: `'Tag ' || i`, uses: 'k' }, size, spelling));
  await run(versionsOf('article', size.articles + size.deleted, articleColumns(size, spelling), size, spelling));
  await run(links(size, spelling));
  for (const [table, columns] of Object.entries(liveColumns(size, spelling))) {
    await run(
      `insert into ${table} (${columns.join(', ')}) select ${columns.join(', ')} from ${table}_version ` +
        `where end_transaction_id = ${OPEN_END}${table === 'article_tags' ? '' : ' and operation_type <> 2'}`,
    );
  }
  if (database === 'postgresql') {
    await run(`select setval('version_transaction_id_seq', ${last})`);
  }
}

/** The row that a version is of is `i`, its generation `k`. */
function articleColumns({ articles, authors }: Size, { json }: Spelling): Record<string, string> {
  const isDeleted = `i > ${articles}`;

  return {
    slug: `'article-' || i`,
    shelf: `case when ${isDeleted} then 'Gone' else 'Shelf ' || ((i + k * 37) % ${Math.ceil(articles / 50)}) end`,
    title: `'Article ' || i || ', edition ' || k`,
    body: `'This is what article ' || i || ' has to say, and it has been saying so for a while, in one edition after another.'`,
    words: `(i / 2 + k * 7) % ${Math.ceil(articles / 20)}`,
    rating: '(i % 50) / 10.0',
    published: `i % 2 = 0 and not ${isDeleted}`,
    settings: json(`'{"layout":"' || case when i % 3 = 0 then 'wide' else 'narrow' end || '"}'`),
    author_id: `case when ${isDeleted} then 1 else (i + k * 13) % ${authors} + 1 end`,
  };
}

function liveColumns(size: Size, spelling: Spelling): Record<string, string[]> {
  return {
    author: ['id', 'name', 'score'],
    tag: ['id', 'name', 'uses'],
    article: ['id', ...Object.keys(articleColumns(size, spelling))],
    article_tags: ['article_id', 'tag_id'],
  };
}

/** All versions of the rows 1 to `count`; those beyond `articles` are deleted after a while. */
function versionsOf(
  table: string,
  count: number,
  columns: Readonly<Record<string, string>>,
  size: Size,
  { series }: Spelling,
): string {
  const isDeleted = `i > ${size.articles}`;
  const last = `(k = ${size.versions - 1} or (${isDeleted} and k = ${GOES}))`;
  const operation = `case when k = 0 then 0 when ${isDeleted} and k = ${GOES} then 2 else 1 end`;

  return (
    `insert into ${table}_version (id, ${Object.keys(columns).join(', ')}, transaction_id, end_transaction_id, operation_type) ` +
    `select i, ${Object.values(columns).join(', ')}, ${transactionOf('k', size)}, ` +
    `case when ${last} then ${OPEN_END} else ${transactionOf('k + 1', size)} end, ${operation} ` +
    `from ${series('i', 1, count)} cross join ${series('k', 0, size.versions - 1)} ` +
    `where not (${isDeleted} and k > ${GOES}) order by ${transactionOf('k', size)}`
  );
}

function links(size: Size, { series }: Spelling): string {
  const isDeleted = `i > ${size.articles}`;
  const selects = LINKS.map(({ tag, from, until }) => {
    const gone = transactionOf(GOES, size);
    const end =
      until === null ? `case when ${isDeleted} then ${gone} else ${OPEN_END} end` : transactionOf(until, size);
    return (
      `select i as article_id, (i + ${tag}) % ${size.tags} + 1 as tag_id, ${transactionOf(from, size)} as transaction_id, ` +
      `${end} as end_transaction_id from ${series('i', 1, size.articles + size.deleted)}` +
      (tag === 0 ? '' : ` where not (${isDeleted})`)
    );
  });
  const columns = 'article_id, tag_id, transaction_id, end_transaction_id';

  return (
    `insert into article_tags_version (${columns}) select ${columns} from (${selects.join(' union all ')}) l ` +
    'order by transaction_id'
  );
}

/** The transaction that writes a row's version of a generation: spread over it, in another order each time. */
function transactionOf(version: string | number, size: Size): string {
  const length = generation(size);
  return `((${version}) * ${length} + 1 + (i * 7919 + (${version}) * 104729) % ${length})`;
}
