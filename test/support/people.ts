import { defineEntity, p } from '@mikro-orm/core';
import { versioned } from 'mikro-orm-versioning';

export const Country = defineEntity({ name: 'Country', properties: { id: p.integer().primary(), name: p.string() } });
export const Geo = defineEntity({
  name: 'Geo',
  embeddable: true,
  properties: { lat: p.double(), at: p.datetime(3).nullable() },
});
export const Address = defineEntity({
  name: 'Address',
  embeddable: true,
  properties: {
    city: p.string(),
    zip: p.string().nullable(),
    geo: () => p.embedded(Geo).nullable(),
    country: () => p.manyToOne(Country).nullable(),
  },
});
export const Person = versioned(
  defineEntity({
    name: 'Person',
    properties: {
      id: p.integer().primary(),
      name: p.string(),
      home: () => p.embedded(Address),
      work: () => p.embedded(Address).prefix('w_').nullable(),
      stored: () => p.embedded(Address).object().nullable(),
      past: () => p.embedded(Address).array().nullable(),
    },
  }),
);
