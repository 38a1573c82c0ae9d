import type { InferEntity } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/sql';
import { versioning, VersionTransaction } from 'mikro-orm-versioning';

import { Country, Currency, Language, Region, Subregion } from './entities.ts';
import type { Release } from './releases.ts';

/**
 * Makes the database what the release says, in one database transaction, and returns the transaction row that this left
 * in the history. Calls `onCountry` after each country.
 *
 * It loads, assigns and flushes like any application; only the context shows that there is a history.
 */
export async function replay(em: EntityManager, release: Release, onCountry: () => void): Promise<VersionTransaction> {
  const before = await em.fork().count(VersionTransaction);
  const context = {
    actor: 'mledoze/countries',
    reason: `release ${release.number}`,
    meta: { release: release.number },
  };
  await versioning.run(context, () => em.fork().transactional(inner => applyRelease(inner, release, onCountry)));
  const transactions = (await em.fork().findAll(VersionTransaction, { orderBy: { id: 'asc' } })).slice(before);

  if (transactions.length !== 1) {
    throw new Error(`Release ${release.number} left ${transactions.length} transactions in the history, expected one.`);
  }

  return transactions[0]!;
}

async function applyRelease(em: EntityManager, release: Release, onCountry: () => void): Promise<void> {
  const regions = await syncRegions(em, release);
  const subregions = sync(
    em,
    await em.findAll(Subregion),
    each => each.name,
    release.subregions,
    (row, name, regionName) => {
      const data = { name, region: regions.get(regionName)! };
      return row ? em.assign(row, data) : em.create(Subregion, data);
    },
  );
  const currencies = sync(
    em,
    await em.findAll(Currency),
    each => each.code,
    release.currencies,
    (row, code, entry) => (row ? em.assign(row, entry) : em.create(Currency, { code, ...entry })),
  );
  const languages = sync(
    em,
    await em.findAll(Language),
    each => each.code,
    release.languages,
    (row, code, name) => (row ? em.assign(row, { name }) : em.create(Language, { code, name })),
  );
  const stored: InferEntity<typeof Country>[] = await em.findAll(Country, {
    populate: ['currencies', 'languages', 'borders'],
  });
  const countries = sync(
    em,
    stored,
    each => each.cca3,
    release.countries,
    (row, cca3, entry) => {
      const data = {
        ...entry.attributes,
        region: regions.get(entry.region)!,
        subregion: entry.subregion === null ? null : subregions.get(entry.subregion)!,
      };
      return row ? em.assign(row, data) : em.create(Country, { cca3, ...data });
    },
  );

  for (const [cca3, entry] of release.countries) {
    const country = countries.get(cca3)!;
    country.currencies.set(entry.currencies.map(code => currencies.get(code)!));
    country.languages.set(entry.languages.map(code => languages.get(code)!));
    country.borders.set(entry.borders.map(code => countries.get(code)!));
    onCountry();
  }
}

/** Regions have no history, so one that a release drops must stay: versions of countries lead to the live row. */
async function syncRegions(em: EntityManager, release: Release) {
  const regions = new Map((await em.findAll(Region)).map(region => [region.name, region]));

  for (const { region: name } of release.countries.values()) {
    if (!regions.has(name)) {
      regions.set(name, em.create(Region, { name }));
    }
  }

  return regions;
}

/** Removes the rows that have no entry any more and writes all entries; returns the rows by key. */
function sync<Row extends object, Entry>(
  em: EntityManager,
  rows: readonly Row[],
  keyOf: (row: Row) => string,
  entries: ReadonlyMap<string, Entry>,
  write: (row: Row | undefined, key: string, entry: Entry) => Row,
): Map<string, Row> {
  const existing = new Map(rows.map(row => [keyOf(row), row]));

  for (const [key, row] of existing) {
    if (!entries.has(key)) {
      em.remove(row);
    }
  }

  return new Map([...entries].map(([key, entry]) => [key, write(existing.get(key), key, entry)]));
}
