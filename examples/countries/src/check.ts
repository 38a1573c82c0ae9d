import type { EntityManager } from '@mikro-orm/sql';
import { asOf, Operation, versionOf } from 'mikro-orm-versioning';

import { Country, Currency, Language, Subregion } from './entities.ts';
import type { FactCheck } from './FactCheck.ts';
import { LINKS } from './past.ts';
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
    await checkPast(em, moment, facts);
  }

  await checkOwnRelations(em.fork(), moments, facts);
  await checkChangePoints(em.fork(), moments, facts);
}

/**
 * The database as of one moment, as one graph: which countries there were, their attributes, what they belonged to and were
 * linked to, and what those were called. Whole, so that nothing else is in it either.
 */
async function checkPast(em: EntityManager, moment: Moment, facts: FactCheck): Promise<void> {
  const { name, transaction, expected } = moment;
  const past = asOf(em, transaction);
  const countries = await past.find(Country, {}, { populate: ['region', 'subregion.region', ...LINKS] });
  const subregions = await past.find(Subregion, {}, { populate: ['region'] });
  const currencies = await past.find(Currency, {});
  const languages = await past.find(Language, {});
  const compareKeys = (subject: string, wanted: ReadonlyMap<string, unknown>, found: readonly string[]) => {
    facts.compare(name, subject, 'keys', keysOf(wanted), found.toSorted());
  };
  compareKeys(
    'countries',
    expected.countries,
    countries.map(each => each.cca3),
  );
  compareKeys(
    'subregions',
    expected.subregions,
    subregions.map(each => each.name),
  );
  compareKeys(
    'currencies',
    expected.currencies,
    currencies.map(each => each.code),
  );
  compareKeys(
    'languages',
    expected.languages,
    languages.map(each => each.code),
  );

  for (const subregion of subregions) {
    facts.compare(name, subregion.name, 'region', expected.subregions.get(subregion.name), subregion.region.name);
  }

  for (const { code, name: named, symbol } of currencies) {
    facts.compare(name, code, 'currency', expected.currencies.get(code), { name: named, symbol });
  }

  for (const language of languages) {
    facts.compare(name, language.code, 'language', expected.languages.get(language.code), language.name);
  }

  for (const country of countries) {
    const entry = expected.countries.get(country.cca3);
    const compare = (property: string, wanted: unknown, found: unknown) => {
      facts.compare(name, country.cca3, property, wanted, found);
    };

    for (const [property, value] of Object.entries(entry?.attributes ?? {})) {
      compare(property, value, country[property as keyof CountryEntry['attributes']]);
    }

    compare('region', entry?.region, country.region.name);
    compare('subregion', entry?.subregion, country.subregion?.name);
    compare('subregion.region', entry?.subregion ? entry.region : null, country.subregion?.region.name);
    compare('currencies', entry?.currencies, country.currencies.map(each => each.code).toSorted());
    compare('languages', entry?.languages, country.languages.map(each => each.code).toSorted());
    compare('borders', entry?.borders, country.borders.map(each => each.cca3).toSorted());
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

function keysOf(map: ReadonlyMap<string, unknown>): string[] {
  return [...map.keys()].toSorted();
}
