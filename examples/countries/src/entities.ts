import { defineEntity, p } from '@mikro-orm/core';
import { versioned } from 'mikro-orm-versioning';

/** A continent, more or less. Not versioned: a version of a country leads to the live region. */
export const Region = defineEntity({
  name: 'Region',
  properties: {
    id: p.integer().primary().autoincrement(),
    name: p.string().unique(),
  },
});

export const Subregion = versioned(
  defineEntity({
    name: 'Subregion',
    properties: {
      id: p.integer().primary().autoincrement(),
      name: p.string().unique(),
      region: () => p.manyToOne(Region),
    },
  }),
);

export const Currency = versioned(
  defineEntity({
    name: 'Currency',
    properties: {
      code: p.string().length(3).primary(),
      name: p.string().nullable(),
      symbol: p.string().nullable(),
    },
  }),
);

export const Language = versioned(
  defineEntity({
    name: 'Language',
    properties: {
      code: p.string().length(3).primary(),
      name: p.string(),
    },
  }),
);

export const Country = versioned(
  defineEntity({
    name: 'Country',
    properties: {
      cca3: p.string().length(3).primary(),
      cca2: p.string().length(2),
      ccn3: p.string().nullable(),
      cioc: p.string().nullable(),
      commonName: p.string(),
      officialName: p.string(),
      independent: p.boolean().nullable(),
      status: p.string(),
      capitals: p.json<readonly string[]>(),
      demonym: p.string().nullable(),
      flag: p.string(),
      landlocked: p.boolean(),
      area: p.double(),
      coordinates: p.json<readonly number[]>(),
      callingCodes: p.json<readonly string[]>(),
      topLevelDomains: p.json<readonly string[]>(),
      otherSpellings: p.json<readonly string[]>(),
      translations: p.json<Readonly<Record<string, string>>>(),
      region: () => p.manyToOne(Region),
      subregion: () => p.manyToOne(Subregion).nullable(),
      currencies: () => p.manyToMany(Currency),
      languages: () => p.manyToMany(Language),
      borders: () => p.manyToMany(Country),
    },
  }),
);
