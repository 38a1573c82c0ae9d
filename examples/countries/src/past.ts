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
