import type { EntityManager } from '@mikro-orm/sql';

/** The many-to-many relations of a country. */
export const LINKS = ['currencies', 'languages', 'borders'] as const;

export type LinkName = (typeof LINKS)[number];

/** The columns of a country and of its target in the tables of link versions. */
const LINK_COLUMNS: Readonly<Record<LinkName, string>> = {
  currencies: 'country_cca3 as owner, currency_code as target',
  languages: 'country_cca3 as owner, language_code as target',
  borders: 'country_1_cca3 as owner, country_2_cca3 as target',
};

/** A row holds at a transaction that lies in its span `[transaction_id, end_transaction_id)`. */
const HOLDS = 'transaction_id <= ? and end_transaction_id > ?';

/**
 * Keys that one relation linked after a transaction, sorted, by country: `HRV` -> `['EUR']`.
 *
 * A changed link gives a country no version of its own, so `version.currencies` (as of the *version's* transaction) is
 * not the answer for a later transaction. The links have their own spans, and plain SQL reads them.
 */
export async function linksAsOf(
  em: EntityManager,
  link: LinkName,
  transaction: number,
): Promise<Map<string, string[]>> {
  const rows = await em.execute<{ owner: string; target: string }[]>(
    `select ${LINK_COLUMNS[link]} from country_${link}_version where ${HOLDS}`,
    [transaction, transaction],
  );
  const byOwner = Map.groupBy(rows, row => row.owner);

  return new Map([...byOwner].map(([owner, links]) => [owner, links.map(each => each.target).toSorted()]));
}

/** Name of each country's subregion after a transaction; countries without one are absent. */
export async function subregionsAsOf(em: EntityManager, transaction: number): Promise<Map<string, string>> {
  const rows = await em.execute<{ cca3: string; name: string }[]>(
    `select c.cca3, s.name
       from (select * from country_version where ${HOLDS} and operation_type <> 2) c
       join (select * from subregion_version where ${HOLDS} and operation_type <> 2) s on s.id = c.subregion_id`,
    [transaction, transaction, transaction, transaction],
  );

  return new Map(rows.map(row => [row.cca3, row.name]));
}

/** One span of one link: held after the transaction `from` and before `until`. */
export interface LinkSpan {
  readonly link: LinkName;
  readonly target: string;
  readonly from: number;
  readonly until: number;
}

/** All that one country was ever linked to. */
export async function linkSpansOf(em: EntityManager, cca3: string): Promise<LinkSpan[]> {
  const spans = LINKS.map(async link => {
    const rows = await em.execute<{ target: string; from: number | string; until: number | string }[]>(
      `select target, transaction_id as "from", end_transaction_id as "until"
         from (select ${LINK_COLUMNS[link]}, transaction_id, end_transaction_id from country_${link}_version) l
        where owner = ?`,
      [cca3],
    );
    // PostgreSQL's driver gives 64-bit integers as strings
    return rows.map(({ target, from, until }) => ({ link, target, from: Number(from), until: Number(until) }));
  });

  return (await Promise.all(spans)).flat();
}
