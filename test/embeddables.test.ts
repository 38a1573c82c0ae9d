import { defineEntity, p } from '@mikro-orm/core';
import { changeset, isModified, loadHistory, revert, Versioning, versioned, versionOf } from 'mikro-orm-versioning';
import { beforeEach, expect, it } from 'vitest';

import { covers, leavesOut } from './support/compatibility/covers.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';
import { expectMirror } from './support/mirror.ts';
import { Address, Country, Geo, Person } from './support/people.ts';

interface Human {
  name: string;
  home: { city: string; zip?: string | null; geo?: { lat: number } | null };
  work: unknown;
  stored: { city: string } | null;
  past: { city: string }[] | null;
}

describeEachDatabase('embeddables', db => {
  let orm: Orm;
  const at = new Date('2024-02-29T12:00:00.123Z');

  beforeEach(async () => {
    orm = await createOrm(db, { entities: [Country, Geo, Address, Person], extensions: [Versioning] });
    const em = orm.em.fork();
    em.create(Country, { id: 1, name: 'X' });
    await em.flush();
    em.create(Person, {
      id: 1,
      name: 'a',
      home: { city: 'H', geo: { lat: 1.5, at }, country: 1 },
      stored: { city: 'S', geo: { lat: 2, at } },
      past: [{ city: 'P1' }, { city: 'P2' }],
    } as never);
    await em.flush();
  });

  const find = (em = orm.em.fork()) => em.findOneOrFail(Person, 1) as unknown as Promise<Human>;

  it(
    'are one property each, as the user sees them, however they are stored',
    covers(
      'Embeddables: in columns',
      'Embeddables: as JSON (object)',
      'Embeddables: in an array',
      'Embeddables: nested',
      'Embeddables: with a relation',
    ),
    async () => {
      const em = orm.em.fork();
      const person = await find(em);
      expect(changeset(person)).toEqual({});
      person.home.city = 'H2';
      person.stored!.city = 'S2';
      person.past!.push({ city: 'P3' });
      expect(isModified(person)).toBe(true);
      expect(changeset(person)).toMatchObject({
        home: [{ city: 'H' }, { city: 'H2' }],
        stored: [{ city: 'S' }, { city: 'S2' }],
        past: [
          [{ city: 'P1' }, { city: 'P2' }],
          [{ city: 'P1' }, { city: 'P2' }, { city: 'P3' }],
        ],
      });
      await em.flush();
      const versions = (await orm.em
        .fork()
        .find(versionOf(Person), {}, { orderBy: { versionId: 'asc' } })) as never as (Human & {
        changeset: Record<string, unknown[]>;
      })[];
      await loadHistory(versions as never);
      expect(Object.keys(versions[1]!.changeset)).toEqual(['home', 'stored', 'past']);
      expect(versions[1]!.changeset).toMatchObject({ home: [{ city: 'H', geo: { lat: 1.5, at } }, { city: 'H2' }] });
      expect(Object.keys(versions[0]!.changeset)).toEqual(['id', 'name', 'home', 'stored', 'past']);
      expect(versions[0]!.home).toMatchObject({ city: 'H', geo: { lat: 1.5, at }, country: { id: 1 } });
      expect(versions[0]!.stored).toMatchObject({ city: 'S', geo: { lat: 2, at } });
      expect(versions[0]!.past).toMatchObject([{ city: 'P1' }, { city: 'P2' }]);
      expect(versions[0]!.work).toBeNull();
    },
  );

  it('a part that becomes null is a change of the whole', covers('Embeddables: nullable'), async () => {
    const em = orm.em.fork();
    const person = await find(em);
    person.home.geo = null;
    person.stored = null;
    expect(changeset(person)).toMatchObject({
      home: [{ geo: { lat: 1.5 } }, { geo: null }],
      stored: [{ city: 'S' }, null],
    });
    await em.flush();
    expect(await em.fork().count(versionOf(Person), {})).toBe(2);
  });

  it('come back as copies', async () => {
    const em = orm.em.fork();
    const person = await find(em);
    Object.assign(person.home, { city: 'H2', zip: '1' });
    person.stored = null;
    person.past = null;
    await em.flush();
    await revert(person, 1);
    expect(changeset(person)).toMatchObject({
      home: [{ city: 'H2', zip: '1' }, { city: 'H' }],
      stored: [null, { city: 'S' }],
    });
    await em.flush();
    await expectMirror(orm);
    const fresh = await find();
    expect(fresh).toMatchObject({
      home: { city: 'H', geo: { lat: 1.5, at } },
      stored: { city: 'S' },
      past: [{ city: 'P1' }, { city: 'P2' }],
    });
    person.home.city = 'changed later';
    person.stored!.city = 'changed later';
    await em.flush();
    expect(await em.fork().count(versionOf(Person), {})).toBe(4);
  });

  it('conditions reach into them', async () => {
    const em = orm.em.fork();
    const where = [{ home: { city: 'H' } }, { home: { geo: { lat: 1.5 } } }, { stored: { city: 'S' } }];
    for (const each of where) {
      expect(await em.count(versionOf(Person), each as never)).toBe(1);
    }
  });

  it('schema diffs are empty', async () => {
    expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
  });

  it(
    'an excluded one has no columns in the history, and neither have those in it',
    leavesOut('Embeddables: left out by the mark (exclude)'),
    async () => {
      const Partly = versioned(
        defineEntity({
          name: 'Partly',
          properties: { id: p.integer().primary(), home: () => p.embedded(Address), name: p.string() },
        }),
        { exclude: ['home'] },
      );
      const other = await createOrm(db, { entities: [Country, Geo, Address, Partly], extensions: [Versioning] });
      const em = other.em.fork();
      em.create(Partly, { id: 1, name: 'a', home: { city: 'H', geo: { lat: 1 } } } as never);
      await em.flush();
      const [row] = await em.execute<object[]>('select * from partly_version');
      expect(Object.keys(row!).filter(column => column.startsWith('home'))).toEqual([]);
    },
  );

  it(
    'a renamed one comes back whole under its other name',
    covers('Embeddables: renamed by the mark (rename)'),
    async () => {
      const Renamed = versioned(
        defineEntity({
          name: 'Renamed',
          properties: { id: p.integer().primary(), index: () => p.embedded(Address) },
        }),
        { rename: { index: 'home' } },
      );
      const other = await createOrm(db, { entities: [Country, Geo, Address, Renamed], extensions: [Versioning] });
      const em = other.em.fork();
      em.create(Renamed, { id: 1, index: { city: 'H', geo: { lat: 1 } } } as never);
      await em.flush();
      const [version] = (await em.fork().find(versionOf(Renamed), {})) as never as {
        home: object;
        changeset: object;
      }[];
      const home = { city: 'H', geo: { lat: 1 } };
      expect(version).toMatchObject({ home, changeset: { id: [null, 1], home: [null, home] } });
    },
  );
});
