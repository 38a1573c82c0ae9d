import type { EntityManager } from '@mikro-orm/sql';
import { Operation, versionOf } from 'mikro-orm-versioning';

import { Country, Currency, Language, Subregion } from './entities.ts';
import type { FactCheck } from './FactCheck.ts';
import { LINKS, linksAsOf, subregionsAsOf } from './past.ts';
import type { CountryEntry, Release } from './releases.ts';

/** A transaction, and what the database must have been after it. */
export interface Moment {
  /** `release 4.0.0`. */
  readonly name: string;
  readonly transaction: number;
  readonly expected: Omit<Release, 'number'>;
}

/** What is expected of a transaction that nobody made. */
const NOTHING: Moment['expected'] = {
  countries: new Map(),
  subregions: new Map(),
  currencies: new Map(),
  languages: new Map(),
};

/** Compares the whole history with what it must be after each moment, in the order of the transactions. */
export async function checkHistory(em: EntityManager, moments: readonly Moment[], facts: FactCheck): Promise<void> {
  for (const moment of moments) {
    await checkCountries(em.fork(), moment, facts);
    await checkTargets(em.fork(), moment, facts);
  }

  await checkOwnRelations(em.fork(), moments, facts);
  await checkChangePoints(em.fork(), moments, facts);
}

/** The countries as of one moment: which there are, their attributes, what they belong to and are linked to. */
async function checkCountries(em: EntityManager, moment: Moment, facts: FactCheck): Promise<void> {
  const { name, transaction, expected } = moment;
  const versions = await em.find(versionOf(Country), holdsAt(transaction), { populate: ['region'] });
  const subregions = await subregionsAsOf(em, transaction);
  const links = await Promise.all(LINKS.map(async link => [link, await linksAsOf(em, link, transaction)] as const));
  facts.compare(name, 'countries', 'cca3', keysOf(expected.countries), versions.map(each => each.cca3).toSorted());
  const found = new Map(versions.map(version => [version.cca3, version]));

  for (const [link, targets] of links) {
    const strangers = [...targets.keys()].filter(cca3 => !expected.countries.has(cca3));
    facts.compare(name, 'countries that are absent', link, [], strangers);
  }

  for (const [cca3, entry] of expected.countries) {
    const version = found.get(cca3);

    for (const [property, value] of Object.entries(entry.attributes)) {
      facts.compare(name, cca3, property, value, version?.[property as keyof CountryEntry['attributes']]);
    }

    facts.compare(name, cca3, 'region', entry.region, version?.region.name);
    facts.compare(name, cca3, 'subregion', entry.subregion, subregions.get(cca3));

    for (const [link, targets] of links) {
      facts.compare(name, cca3, link, entry[link], targets.get(cca3) ?? []);
    }
  }
}

/** The subregions, currencies and languages as of one moment. */
async function checkTargets(em: EntityManager, moment: Moment, facts: FactCheck): Promise<void> {
  const { name, transaction, expected } = moment;
  const subregions = await em.find(versionOf(Subregion), holdsAt(transaction), { populate: ['region'] });
  const currencies = await em.find(versionOf(Currency), holdsAt(transaction));
  const languages = await em.find(versionOf(Language), holdsAt(transaction));
  compareMaps(
    'subregions',
    expected.subregions,
    subregions.map(each => [each.name, each.region.name]),
  );
  compareMaps(
    'currencies',
    expected.currencies,
    currencies.map(({ code, ...rest }) => [code, { name: rest.name, symbol: rest.symbol }]),
  );
  compareMaps(
    'languages',
    expected.languages,
    languages.map(each => [each.code, each.name]),
  );

  function compareMaps(subject: string, wanted: ReadonlyMap<string, unknown>, rows: [string, unknown][]): void {
    facts.compare(name, subject, 'keys', keysOf(wanted), rows.map(([key]) => key).toSorted());
    const found = new Map(rows);

    for (const [key, value] of wanted) {
      facts.compare(name, key, subject, value, found.get(key));
    }
  }
}

/**
 * The relations of every version of a country, which are as of that version's own transaction, down to the names that
 * their targets had then.
 */
async function checkOwnRelations(em: EntityManager, moments: readonly Moment[], facts: FactCheck): Promise<void> {
  const byTransaction = new Map(moments.map(moment => [moment.transaction, moment]));
  const versions = await em.find(
    versionOf(Country),
    { operationType: { $ne: Operation.DELETE } },
    { populate: ['region', 'subregion.region', 'currencies', 'languages', 'borders'] },
  );

  for (const version of versions) {
    const { id } = version.transaction;
    const { name, expected } = byTransaction.get(id) ?? { name: `transaction ${id}`, expected: NOTHING };
    const compare = (relation: string, wanted: unknown, found: unknown) => {
      facts.compare(name, version.cca3, `version.${relation}`, wanted, found);
    };
    const entry = expected.countries.get(version.cca3);
    compare('region', entry?.region, version.region.name);
    compare('subregion', entry?.subregion, version.subregion?.name);
    compare('subregion.region', entry?.subregion ? entry.region : null, version.subregion?.region.name);
    compare(
      'currencies',
      labels(entry?.currencies, code => expected.currencies.get(code)?.name),
      version.currencies.map(each => `${each.code} ${each.name}`).toSorted(),
    );
    compare(
      'languages',
      labels(entry?.languages, code => expected.languages.get(code)),
      version.languages.map(each => `${each.code} ${each.name}`).toSorted(),
    );
    compare(
      'borders',
      labels(entry?.borders, code => expected.countries.get(code)?.attributes.commonName),
      version.borders.map(each => `${each.cca3} ${each.commonName}`).toSorted(),
    );
  }
}

/** Codes with the names that their rows had: `EUR Euro`. */
function labels(codes: readonly string[] | undefined, nameOf: (code: string) => string | null | undefined) {
  return codes?.map(code => `${code} ${nameOf(code)}`);
}

/** A country has a version of exactly those transactions that changed its row. */
async function checkChangePoints(em: EntityManager, moments: readonly Moment[], facts: FactCheck): Promise<void> {
  const versions = await em.find(versionOf(Country), {}, { orderBy: { transaction: 'asc' } });
  const found = Map.groupBy(versions, version => version.cca3);
  const countries = new Set(moments.flatMap(({ expected }) => [...expected.countries.keys()]));

  for (const cca3 of countries) {
    const rows = moments.map(({ expected }) => JSON.stringify(rowOf(expected.countries.get(cca3))));
    const changed = moments.filter((_, i) => rows[i] !== (rows[i - 1] ?? 'null'));
    facts.compare(
      'the whole history',
      cca3,
      'transactions',
      changed.map(moment => moment.transaction),
      found.get(cca3)?.map(version => version.transaction.id),
    );
  }
}

/** What the country's own row holds: not its links, which have spans of their own. */
function rowOf(entry: CountryEntry | undefined): unknown {
  return entry ? [entry.attributes, entry.region, entry.subregion] : null;
}

/** The versions that held after a transaction, as a condition. */
function holdsAt(transaction: number) {
  return {
    transaction: { $lte: transaction },
    $or: [{ endTransaction: null }, { endTransaction: { $gt: transaction } }],
    operationType: { $ne: Operation.DELETE },
  };
}

function keysOf(map: ReadonlyMap<string, unknown>): string[] {
  return [...map.keys()].toSorted();
}
