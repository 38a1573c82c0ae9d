import { defineEntity, p, raw, ref, type ScalarReference } from '@mikro-orm/core';
import { changeset, loadHistory, revert, Versioning, versioned, versionOf } from 'mikro-orm-versioning';
import { describe, expect, it } from 'vitest';

import { about, covers } from './support/compatibility/covers.ts';
import { FEATURES, type Feature } from './support/compatibility/features.ts';
import { createOrm, describeEachDatabase } from './support/databases.ts';
import { expectMirror } from './support/mirror.ts';
import { PROPERTIES } from './support/properties.ts';

describeEachDatabase('properties', db => {
  const names = Object.keys(PROPERTIES).filter(name => (PROPERTIES[name]![3] ?? db.name) === db.name);

  for (const name of names) {
    const feature = `${name in FEATURES.Types ? 'Types' : 'Properties'}: ${name}` as Feature;
    it(
      `${name}: every state comes back, differs where it differs, and can be brought back`,
      covers(feature, 'Properties: nullable'),
      async () => {
        const [make, first, second] = PROPERTIES[name]!;
        const Thing = versioned(
          defineEntity({
            name: 'Thing',
            properties: { id: p.integer().primary(), value: (make() as { nullable(): never }).nullable() },
          }) as never,
        ) as never;
        const orm = await createOrm(db, { entities: [Thing], extensions: [Versioning] });
        expect(await orm.schema.getUpdateSchemaSQL()).not.toContain('thing_version');
        const set = async (value: unknown) => {
          const em = orm.em.fork();
          const thing = (await em.findOneOrFail(Thing, 1 as never, { populate: ['value'] as never })) as {
            value: unknown;
          };
          thing.value = value;
          await em.flush();
          return orm.em.fork().findOneOrFail(Thing, 1 as never, { populate: ['value'] as never }) as Promise<{
            value: unknown;
          }>;
        };
        const em = orm.em.fork();
        em.create(Thing, { id: 1 } as never);
        await em.flush();
        // as the database gives them back
        const one = (await set(first)).value;
        await set(one);
        const two = (await set(second)).value;
        await set(null);
        await expectMirror(orm);

        const reader = orm.em.fork();
        const versions = (await reader.find(
          versionOf(Thing),
          {},
          { orderBy: { versionId: 'asc' } as never },
        )) as never as {
          value: unknown;
          changeset: object;
        }[];
        expect(versions.map(version => version.value)).toEqual([null, one, two, null]);
        expect(versions.map(version => version.changeset)).toEqual([
          { id: [null, 1] },
          { value: [null, one] },
          { value: [one, two] },
          { value: [two, null] },
        ]);

        const back = orm.em.fork();
        const thing = (await back.findOneOrFail(Thing, 1 as never, { populate: ['value'] as never })) as {
          value: unknown;
        };
        await revert(thing, 2);
        expect(changeset(thing)).toEqual({ value: [null, one] });
        if (name === 'full text') {
          // MikroORM makes a text search vector of whatever it writes, also of a vector
          return;
        }
        await back.flush();
        expect(
          (
            (await orm.em.fork().findOneOrFail(Thing, 1 as never, { populate: ['value'] as never })) as {
              value: unknown;
            }
          ).value,
        ).toEqual(one);
      },
    );
  }

  describe('what is no plain column', () => {
    it(
      'generated and database-computed columns are versioned as the database has them, formulas are not',
      about({
        supported: ['Properties: generated', 'Properties: defaultRaw', 'Properties: raw SQL as a value'],
        'left out': ['Properties: formula', 'Properties: persist: false', 'Properties: version (optimistic lock)'],
      }),
      async () => {
        const Thing = versioned(
          defineEntity({
            name: 'Thing',
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
              stamp: p.string().defaultRaw(`'from the database'`).nullable(),
              revision: p.integer().version(),
              counter: p.integer().nullable(),
            },
          }),
        );
        const orm = await createOrm(db, { entities: [Thing], extensions: [Versioning] });
        const em = orm.em.fork();
        const thing = em.create(Thing, { id: 1, first: 'a', counter: 1 } as never) as unknown as {
          first: string;
          counter: unknown;
        };
        await em.flush();
        thing.first = 'b';
        thing.counter = raw('counter + 1');
        await em.flush();
        const versions = await orm.em.fork().find(versionOf(Thing), {}, { orderBy: { versionId: 'asc' } });
        await loadHistory(versions);
        expect(versions[0]).toMatchObject({ first: 'a', full: 'a!', stamp: 'from the database', counter: 1 });
        expect(versions[1]!.changeset).toEqual({ first: ['a', 'b'], full: ['a!', 'b!'], counter: [1, 2] });
        for (const absent of ['upper', 'virtual', 'revision']) {
          expect(versions[0]).not.toHaveProperty(absent);
        }
      },
    );

    it(
      'scalar references are references on the version as well',
      covers('Properties: ScalarReference (ref)'),
      async () => {
        const Thing = versioned(
          defineEntity({ name: 'Thing', properties: { id: p.integer().primary(), body: p.text().lazy().ref() } }),
        );
        const orm = await createOrm(db, { entities: [Thing], extensions: [Versioning] });
        const em = orm.em.fork();
        const thing = em.create(Thing, { id: 1, body: ref('one') } as never) as unknown as {
          body: ScalarReference<string>;
        };
        await em.flush();
        thing.body.set('two');
        await em.flush();
        const other = orm.em.fork();
        const versions = await other.find(versionOf(Thing), {}, { orderBy: { versionId: 'asc' } });
        expect(versions[1]!.changeset).toEqual({ body: ['one', 'two'] });
        const live = (await revert(versions[0]!)) as unknown as { body: ScalarReference<string> };
        live.body.set('three');
        await other.flush();
        expect(await other.fork().count(versionOf(Thing), {})).toBe(3);
      },
    );
  });
});
