import { readFile } from 'node:fs/promises';

const FILES = {
  '2.1.0': import.meta.resolve('world-countries-2.1.0/countries.json'),
  '3.0.0': import.meta.resolve('world-countries-3.0.0/countries.json'),
  '4.0.0': import.meta.resolve('world-countries-4.0.0/countries.json'),
  '5.1.0': import.meta.resolve('world-countries-5.1.0/countries.json'),
} as const;

export type ReleaseNumber = keyof typeof FILES;

/** The releases in the order in which they were published. */
export const RELEASES = Object.keys(FILES) as readonly ReleaseNumber[];

/** One release, in one shape whatever shape its file has. */
export interface Release {
  readonly number: ReleaseNumber;
  /** By cca3, `HRV`. */
  readonly countries: ReadonlyMap<string, CountryEntry>;
  /** Name of the region that a subregion lies in: `Southern Europe` -> `Europe`. */
  readonly subregions: ReadonlyMap<string, string>;
  /** By code, `EUR`. Release 2.1.0 names no currency. */
  readonly currencies: ReadonlyMap<string, CurrencyEntry>;
  /** Names by code: `hrv` -> `Croatian`. */
  readonly languages: ReadonlyMap<string, string>;
}

/** A country's attributes, under the names of the entity's properties. */
export interface CountryAttributes {
  readonly cca2: string;
  readonly ccn3: string | null;
  readonly cioc: string | null;
  readonly commonName: string;
  readonly officialName: string;
  readonly independent: boolean | null;
  readonly status: string;
  readonly capitals: readonly string[];
  readonly demonym: string | null;
  readonly flag: string;
  readonly landlocked: boolean;
  readonly area: number;
  readonly coordinates: readonly number[];
  /** Without `+`: `385`. */
  readonly callingCodes: readonly string[];
  readonly topLevelDomains: readonly string[];
  readonly otherSpellings: readonly string[];
  /** Common names by language, `{ jpn: 'エスワティニ' }`, in the languages that all four releases translate to. */
  readonly translations: Readonly<Record<string, string>>;
}

/** A country and its relations by name or code; the codes are sorted. */
export interface CountryEntry {
  readonly attributes: CountryAttributes;
  readonly region: string;
  readonly subregion: string | null;
  readonly currencies: readonly string[];
  readonly languages: readonly string[];
  readonly borders: readonly string[];
}

export interface CurrencyEntry {
  readonly name: string | null;
  readonly symbol: string | null;
}

/** A country as the files have it. Releases 3, 4 and 5 differ from 2 in the properties marked so. */
interface FileCountry {
  readonly name: { readonly common: string; readonly official: string };
  readonly cca2: string;
  readonly cca3: string;
  readonly ccn3: string;
  readonly cioc: string;
  readonly independent: boolean | null;
  readonly status: string;
  readonly capital: readonly string[];
  readonly flag: string;
  readonly landlocked: boolean;
  readonly area: number;
  readonly latlng: readonly number[];
  readonly tld: readonly string[];
  readonly altSpellings: readonly string[];
  readonly translations: Readonly<Record<string, { readonly common: string }>>;
  readonly region: string;
  readonly subregion: string;
  readonly languages: Readonly<Record<string, string>>;
  readonly borders: readonly string[];
  /** 2.1.0. */
  readonly currency?: readonly string[];
  /** Since 3.0.0; an empty array where there are none. */
  readonly currencies?: Readonly<Record<string, { readonly name: string; readonly symbol: string }>> | readonly [];
  /** 2.1.0. */
  readonly callingCode?: readonly string[];
  /** Since 3.0.0: `{ root: '+3', suffixes: ['85'] }`. */
  readonly idd?: { readonly root: string; readonly suffixes: readonly string[] };
  /** 2.1.0 and 3.0.0. */
  readonly demonym?: string;
  /** Since 4.0.0. */
  readonly demonyms?: { readonly eng?: { readonly m: string } };
}

/** The languages of the translations in 2.1.0; later releases add more, for every country at once. */
const TRANSLATED = 'ces deu est fin fra hrv ita jpn kor nld pol por rus slk spa urd zho'.split(' ');

/** Reads one release's `countries.json`. Every call reads the file again. */
export async function readRelease(number: ReleaseNumber): Promise<Release> {
  const countries = JSON.parse(await readFile(new URL(FILES[number]), 'utf8')) as FileCountry[];

  return {
    number,
    countries: new Map(countries.map(country => [country.cca3, entryOf(country)])),
    subregions: new Map(countries.filter(each => each.subregion).map(each => [each.subregion, each.region])),
    currencies: new Map(
      firstByCode(countries.flatMap(currenciesOf)).map(({ code, name, symbol }) => [code, { name, symbol }]),
    ),
    languages: new Map(
      firstByCode(
        countries.flatMap(each => Object.entries(each.languages).map(([code, name]) => ({ code, name }))),
      ).map(({ code, name }) => [code, name]),
    ),
  };
}

/** Countries call a few currencies and languages by different names in the same release: the first country decides. */
function firstByCode<Entry extends { readonly code: string }>(entries: readonly Entry[]): Entry[] {
  return [...Map.groupBy(entries, entry => entry.code).values()].map(([first]) => first!);
}

function entryOf(country: FileCountry): CountryEntry {
  return {
    attributes: attributesOf(country),
    region: country.region,
    subregion: country.subregion || null,
    currencies: currenciesOf(country)
      .map(({ code }) => code)
      .toSorted(),
    languages: Object.keys(country.languages).toSorted(),
    borders: country.borders.toSorted(),
  };
}

function attributesOf(country: FileCountry): CountryAttributes {
  return {
    cca2: country.cca2,
    ccn3: country.ccn3 || null,
    cioc: country.cioc || null,
    commonName: country.name.common,
    officialName: country.name.official,
    independent: country.independent,
    status: country.status,
    capitals: country.capital.filter(isNotEmpty),
    demonym: country.demonym ?? country.demonyms?.eng?.m ?? null,
    flag: country.flag,
    landlocked: country.landlocked,
    area: country.area,
    coordinates: country.latlng,
    callingCodes: callingCodesOf(country).filter(isNotEmpty),
    topLevelDomains: country.tld,
    otherSpellings: country.altSpellings,
    translations: Object.fromEntries(
      TRANSLATED.flatMap(language => {
        const name = country.translations[language]?.common;
        return name ? [[language, name]] : [];
      }),
    ),
  };
}

function currenciesOf(country: FileCountry): (CurrencyEntry & { readonly code: string })[] {
  return country.currency
    ? country.currency.map(code => ({ code, name: null, symbol: null }))
    : Object.entries(country.currencies ?? {}).map(([code, { name, symbol }]) => ({ code, name, symbol }));
}

function callingCodesOf({ callingCode, idd }: FileCountry): readonly string[] {
  return callingCode ?? idd?.suffixes.map(suffix => `${idd.root}${suffix}`.replace('+', '')) ?? [];
}

function isNotEmpty(text: string): boolean {
  return text !== '';
}
