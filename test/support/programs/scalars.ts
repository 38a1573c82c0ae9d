import { defineEntity, p, raw } from '@mikro-orm/core';
import { versioned } from 'mikro-orm-versioning';

import { KEYS } from '../keys.ts';
import { PROPERTIES } from '../properties.ts';
import type { DatabaseName } from '../selectedDatabases.ts';
import type { Program, Step } from './Program.ts';

/** An entity of a kind that is found out at runtime. */
type Thing = Record<string, unknown>;

/** A key of every type, with a relation to it. */
export function keys(): Program {
  const all = Object.entries(KEYS).map(([name, [property, values]], i) => {
    const entity = versioned(
      defineEntity({
        name: `Keyed${i}`,
        properties: { id: property(), name: p.string(), other: () => p.manyToOne(entity).nullable() },
      }) as never,
    ) as never;

    return { name, entity, values };
  });

  return {
    entities: all.map(({ entity }) => entity),
    steps: Object.fromEntries(
      all.flatMap(({ name, entity, values }): [string, Step][] => [
        [
          `${name}: insertions`,
          async em => {
            const rows = values.map(id =>
              em.create(entity, { ...(id === undefined ? {} : { id }), name: 'a' } as never),
            );
            await em.flush();
            Object.assign(rows[1]!, { other: rows[0] });
          },
        ],
        [
          `${name}: a change, asked for by the relation`,
          async em => {
            const [row] = await em.find(entity, { other: { name: 'a' } } as never, { populate: ['other'] as never });
            (row as Thing)['name'] = 'b';
            return em
              .fork({ keepTransactionContext: true })
              .findOneOrFail(entity, ((row as Thing)['other'] as Thing)['id'] as never);
          },
        ],
        [
          `${name}: deletions`,
          async em => void em.remove(await em.find(entity, {}, { orderBy: { name: 'desc' } as never })),
        ],
      ]),
    ),
  };
}

/** A property of every type. */
export function properties(database: DatabaseName): Program {
  const all = Object.entries(PROPERTIES)
    .filter(([, [, , , only]]) => (only ?? database) === database)
    .map(([name, [make, first, second]], i) => {
      const value = (make() as { nullable(): never }).nullable();
      const entity = versioned(
        defineEntity({ name: `Thing${i}`, properties: { id: p.integer().primary(), value } }) as never,
      ) as never;

      return { name, entity, first, second };
    });
  const put =
    (entity: never, value: unknown): Step =>
    async em => {
      const row = (await em.findOneOrFail(entity, 1 as never, { populate: ['value'] as never })) as Thing;
      row['value'] = value;
    };

  return {
    entities: all.map(({ entity }) => entity),
    steps: Object.fromEntries(
      all.flatMap(({ name, entity, first, second }): [string, Step][] => [
        [`${name}: none`, async em => void em.create(entity, { id: 1 } as never)],
        [`${name}: a value`, put(entity, first)],
        [`${name}: the same value`, put(entity, first)],
        [`${name}: another value`, put(entity, second)],
        [`${name}: none again`, put(entity, null)],
        [`${name}: a value from the start`, async em => void em.create(entity, { id: 2, value: first } as never)],
        [`${name}: all`, async em => em.find(entity, {}, { orderBy: { id: 'asc' } as never })],
      ]),
    ),
  };
}

const Stamped = versioned(
  defineEntity({
    name: 'Stamped',
    properties: {
      id: p.integer().primary(),
      first: p.string(),
      full: p
        .string()
        .generated(() => `(first || '!') stored`)
        .nullable(),
      upper: p
        .string()
        .formula(cols => `upper(${cols['first']})`)
        .nullable(),
      virtual: p.string().persist(false).nullable(),
      size: p.integer().default(3),
      stamp: p.string().defaultRaw(`'from the database'`),
      touched: p
        .integer()
        .onCreate(() => 0)
        .onUpdate(thing => Number((thing as Thing)['touched']) + 1),
      revision: p.integer().version(),
      counter: p.integer().nullable(),
    },
  }) as never,
) as never;

const Checked = versioned(
  defineEntity({
    name: 'Checked',
    properties: { id: p.integer().primary(), name: p.string(), at: p.integer().concurrencyCheck() },
  }),
);

/** Values that the database or MikroORM finds out, and locks. */
export const stamps: Program = {
  entities: [Stamped, Checked],
  steps: {
    insertions: async em => {
      em.create(Stamped, { id: 1, first: 'a', counter: 1, virtual: 'v' } as never);
      await em.flush();
      em.create(Stamped, { id: 2, first: 'b', size: 4, stamp: 'given' } as never);
      em.create(Checked, { id: 1, name: 'a', at: 1 });
    },
    'a change': async em => void ((await em.findOneOrFail<Thing>(Stamped, 1 as never))['first'] = 'A'),
    'changes of many rows': async em => {
      for (const row of (await em.find(Stamped, {}, { orderBy: { id: 'asc' } as never })) as Thing[]) {
        row['size'] = Number(row['size']) + 1;
      }
    },
    'an expression': async em => {
      const row = (await em.findOneOrFail(Stamped, 1 as never)) as Thing;
      row['counter'] = raw('counter + 1');
    },
    'a stale row': async em => {
      const row = (await em.findOneOrFail(Stamped, 2 as never)) as Thing;
      await em
        .fork({ keepTransactionContext: true })
        .nativeUpdate(Stamped, { id: 2 } as never, { revision: 9 } as never);
      row['first'] = 'lost';
    },
    'a checked row': async em => void em.assign(await em.findOneOrFail(Checked, 1), { name: 'b', at: 2 }),
    'a stale checked row': async em => {
      const row = await em.findOneOrFail(Checked, 1);
      await em.fork({ keepTransactionContext: true }).nativeUpdate(Checked, { id: 1 }, { at: 7 });
      em.assign(row, { name: 'lost', at: 3 });
    },
    'a checked row that is fresh again': async em => {
      em.assign(await em.findOneOrFail(Checked, 1), { name: 'c', at: 8 });
    },
    conditions: async em => em.find(Stamped, { full: 'A!', upper: 'A' } as never),
    'a deletion': async em => void em.remove(await em.findOneOrFail(Stamped, 1 as never)),
  },
};
