import { Address, Country, Geo, Person } from '../people.ts';
import type { Program } from './Program.ts';

interface Human {
  name: string;
  home: { city: string; zip?: string | null; geo?: { lat: number } | null };
  work: { city: string } | null;
  stored: { city: string; geo: { lat: number } } | null;
  past: { city: string }[] | null;
}

/** Embeddables in columns, as JSON and in arrays. */
export const people: Program = {
  entities: [Country, Geo, Address, Person],
  steps: {
    'in every kind': async em => {
      em.create(Country, { id: 1, name: 'X' });
      const geo = { lat: 1.5, at: new Date('2024-02-29T12:00:00.123Z') };
      const [home, stored] = [
        { city: 'H', geo, country: 1 },
        { city: 'S', geo },
      ];
      em.create(Person, { id: 1, name: 'a', home, stored, past: [{ city: 'P1' }, { city: 'P2' }] } as never);
      em.create(Person, { id: 2, name: 'b', home: { city: 'only' } } as never);
    },
    'a part of each': async em => {
      const person = (await em.findOneOrFail(Person, 1)) as never as Human;
      person.home.city = 'H2';
      person.home.geo!.lat = 2;
      person.stored!.geo.lat = 3;
      person.past!.push({ city: 'P3' });
    },
    'another whole, and none': async em => {
      const person = (await em.findOneOrFail(Person, 1)) as never as Human;
      em.assign(person as never, { work: { city: 'W' }, home: { geo: null } } as never);
      person.stored = null;
    },
    'nothing that differs': async em => {
      const person = (await em.findOneOrFail(Person, 1)) as never as Human;
      person.home.city = 'H2';
      person.past = [...person.past!];
    },
    'conditions and order': async em => [
      await em.find(Person, { home: { city: 'H2' } } as never),
      await em.find(Person, { past: { city: 'P1' } } as never),
      await em.find(Person, {}, { orderBy: { home: { city: 'asc' } } as never, fields: ['home'] as never }),
    ],
    'a deletion': async em => void em.remove(em.getReference(Person, 1 as never)),
  },
};
