import { asOf } from 'mikro-orm-versioning';

import type { PastDatabase } from './database.ts';

const TABLES = { author: 'id', tag: 'id', article: 'id', article_tags: 'article_id, tag_id' } as const;

/** What is wrong with a history that was filled in by SQL, in whole sentences. */
export async function inconsistencies(database: PastDatabase): Promise<string[]> {
  return [...(await brokenSpans(database)), ...(await differences(database)), ...(await broken(database))];
}

/** Spans of a row follow one another without a gap, and one of them is open. */
async function brokenSpans({ orm }: PastDatabase): Promise<string[]> {
  const sentences: string[] = [];

  for (const table of ['author', 'tag', 'article']) {
    const [row] = await orm.em
      .getConnection()
      .execute<{ gaps: unknown; ids: unknown; open: unknown }[]>(
        `select (select count(*) from ${table}_version v where v.end_transaction_id <> ${Number.MAX_SAFE_INTEGER} and not exists ` +
          `(select 1 from ${table}_version n where n.id = v.id and n.transaction_id = v.end_transaction_id)) as gaps, ` +
          `(select count(distinct id) from ${table}_version) as ids, ` +
          `(select count(*) from ${table}_version where end_transaction_id = ${Number.MAX_SAFE_INTEGER}) as open`,
      );
    const [gaps, ids, open] = [row!.gaps, row!.ids, row!.open].map(Number);
    if (gaps !== 0 || ids === 0 || ids !== open) {
      sentences.push(`${table}_version has ${gaps} gaps, and ${open} open versions of ${ids} rows.`);
    }
  }

  return sentences;
}

/** The last moment is the present, row by row. */
async function differences({ orm }: PastDatabase): Promise<string[]> {
  const past = asOf(orm.em.fork(), 'latest');
  const sentences: string[] = [];

  for (const [table, key] of Object.entries(TABLES)) {
    const select = `select * from ${table} order by ${key}`;
    const live: object[] = await orm.em.fork().execute(select);
    const latest: object[] = await past.execute(select);
    const different = live.findIndex((row, i) => JSON.stringify(row) !== JSON.stringify(latest[i]));
    if (live.length === 0 || live.length !== latest.length || different >= 0) {
      sentences.push(
        `${table} has ${live.length} rows and its history ${latest.length} open ones, ` +
          (different < 0 ? 'alike as far as they go.' : `the first different one ${JSON.stringify(live[different])}.`),
      );
    }
  }

  return sentences;
}

/** The library goes on with the history where the filling left off. */
async function broken({ orm, model, moments }: PastDatabase): Promise<string[]> {
  const em = orm.em.fork();
  const before = asOf(em, moments.middle);
  const latest = asOf(em.fork(), 'latest');
  const article = await em.findOneOrFail(model.Article, 1);
  const { title } = await latest.findOneOrFail(model.Article, 1);
  article.title = 'Written by the library';
  await em.flush();
  const titles = await Promise.all(
    [before, latest, asOf(em, 'latest')].map(async past => (await past.fork().findOneOrFail(model.Article, 1)).title),
  );
  const expected = ['Article 1, edition 4', title, 'Written by the library'];

  return JSON.stringify(titles) === JSON.stringify(expected)
    ? []
    : [`A flush after the filling leaves the titles ${JSON.stringify(titles)}, expected ${JSON.stringify(expected)}.`];
}
