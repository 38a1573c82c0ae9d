import { defineEntity, p } from '@mikro-orm/core';
import { Versioning, versioned, versionOf } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { covers } from '../support/compatibility/covers.ts';
import { createOrm, describeEachDatabase } from '../support/databases.ts';
import { historyOf } from '../support/history.ts';

/** An entity that is found out at runtime. */
type Row = Record<string, unknown>;

const Region = versioned(
  defineEntity({
    name: 'Region',
    properties: { land: p.string().primary(), code: p.integer().primary(), name: p.string() },
  }),
);
const Town = versioned(
  defineEntity({
    name: 'Town',
    properties: { region: () => p.manyToOne(Region).primary(), no: p.integer().primary(), name: p.string() },
  }),
);
const Street = versioned(
  defineEntity({
    name: 'Street',
    properties: { town: () => p.manyToOne(Town).primary(), name: p.string().primary(), length: p.integer() },
  }),
);

const Team = versioned(
  defineEntity({
    name: 'Team',
    properties: {
      id: p.integer().primary().autoincrement(),
      name: p.string(),
      leader: () => p.manyToOne(Member).nullable(),
      mascot: () => p.oneToOne(Member).nullable(),
      guests: () => p.manyToMany(Member),
    },
  }),
);
const Member = versioned(
  defineEntity({
    name: 'Member',
    properties: {
      id: p.integer().primary().autoincrement(),
      name: p.string(),
      team: () => p.manyToOne(Team).nullable(),
    },
  }),
);

/** A mixin: what it adds is a property of whichever entity takes it. */
const stamped = () => ({ stamp: p.datetime().nullable(), editor: () => p.manyToOne(Member).nullable() });
const named = () => ({ name: p.string() });
const Page = versioned(
  defineEntity({ name: 'Page', properties: { id: p.integer().primary(), ...stamped(), ...named() } }),
);

describeEachDatabase('shapes', db => {
  it('keys in keys are resolved as of then', covers('Keys: nested composite'), async () => {
    const orm = await createOrm(db, { entities: [Region, Town, Street], extensions: [Versioning] });
    const em = orm.em.fork();
    const region = em.create(Region, { land: 'A', code: 1, name: 'r1' });
    const town = em.create(Town, { region, no: 7, name: 't1' });
    const street = em.create(Street, { town, name: 'Main', length: 3 });
    await em.flush();
    region.name = 'r2';
    await em.flush();
    // MikroORM 7.2 can't update the row of a street: its key nests three levels
    town.name = 't2';
    em.create(Street, { town, name: 'Side', length: 4 });
    await em.flush();
    em.remove(street);
    await em.flush();
    expect(await historyOf(orm, [Region, Town, Street])).toEqual([
      'Region#A INSERT { code: 1, name: r1 } [1, 2)',
      'Street#Main INSERT { length: 3, town_region_land: A, town_region_code: 1, town_no: 7 } [1, 4)',
      'Town#7 INSERT { name: t1, region_land: A, region_code: 1 } [1, 3)',
      'Region#A UPDATE { code: 1, name: r2 } [2, )',
      'Street#Side INSERT { length: 4, town_region_land: A, town_region_code: 1, town_no: 7 } [3, )',
      'Town#7 UPDATE { name: t2, region_land: A, region_code: 1 } [3, )',
      'Street#Main DELETE { length: 3, town_region_land: A, town_region_code: 1, town_no: 7 } [4, )',
    ]);
    const find = async (entity: object, ...populate: string[]) =>
      (await orm.em.fork().find(
        versionOf(entity as never),
        {},
        {
          populate: populate as never,
          orderBy: { versionId: 'asc' } as never,
        },
      )) as unknown as Row[];
    const towns = await find(Town, 'region');
    expect(towns.map(({ changeset, region: of }) => [changeset, (of as Row)['name']])).toEqual([
      [{ region: [null, ['A', 1]], no: [null, 7], name: [null, 't1'] }, 'r1'],
      [{ name: ['t1', 't2'] }, 'r2'],
    ]);
    const streets = await find(Street, 'town.region');
    const path = ({ operationType, name, town: of }: Row) => {
      const { name: townName, region: above } = of as Row;
      return [operationType, name, townName, (above as Row)['name']];
    };
    expect(streets.map(path)).toEqual([
      [0, 'Main', 't1', 'r1'],
      [0, 'Side', 't2', 'r2'],
      [2, 'Main', 't2', 'r2'],
    ]);
    expect(await orm.em.fork().count(versionOf(Street), { town: { region: { name: 'r1' } } } as never)).toBe(1);
  });

  it(
    'rows that refer to each other, created in one flush, are complete in one transaction',
    covers('Relations: circular', 'Relations: unidirectional'),
    async () => {
      const orm = await createOrm(db, { entities: [Team, Member], extensions: [Versioning] });
      const em = orm.em.fork();
      const team = em.create(Team, { name: 't' });
      const [ann, bob] = ['ann', 'bob'].map(name => em.create(Member, { name, team }));
      Object.assign(team, { leader: ann, mascot: bob });
      team.guests.add(ann!, bob!);
      await em.flush();
      [ann!.name, team.leader] = ['anna', bob!];
      team.guests.remove(bob!);
      await em.flush();
      expect(await historyOf(orm, [Team, Member], ['team_guests_version'])).toEqual([
        'Member#1 INSERT { name: ann, team_id: 1 } [1, 2)',
        'Member#2 INSERT { name: bob, team_id: 1 } [1, )',
        'Team#1 INSERT { name: t, leader_id: 1, mascot_id: 2 } [1, 2)',
        'team_id 1 -> member_id 1 [1, )',
        'team_id 1 -> member_id 2 [1, 2)',
        'Member#1 UPDATE { name: anna, team_id: 1 } [2, )',
        'Team#1 UPDATE { name: t, leader_id: 2, mascot_id: 2 } [2, )',
      ]);
      const populate = ['leader.team', 'mascot.team.leader', 'guests'] as never;
      const [first, second] = (await orm.em
        .fork()
        .find(versionOf(Team), {}, { populate, orderBy: { versionId: 'asc' } })) as unknown as Record<string, Row>[];
      const names = (of: Record<string, Row>) => [
        of['leader']!['name'],
        of['mascot']!['name'],
        (of['guests'] as unknown as Row[]).map(each => String(each['name'])).toSorted(),
      ];
      expect([names(first!), names(second!)]).toEqual([
        ['ann', 'bob', ['ann', 'bob']],
        ['bob', 'bob', ['anna']],
      ]);
      expect((first!['mascot'] as { team: { leader: { name: string } } }).team.leader.name).toBe('ann');
    },
  );

  it('properties of mixins are properties', covers('Inheritance: mixin'), async () => {
    const orm = await createOrm(db, { entities: [Page, Team, Member], extensions: [Versioning] });
    const em = orm.em.fork();
    const editor = em.create(Member, { name: 'ann' });
    const page = em.create(Page, { id: 1, name: 'p', editor });
    await em.flush();
    const stamp = new Date('2020-02-02T02:02:02Z');
    page.stamp = stamp;
    editor.name = 'anna';
    await em.flush();
    const versions = (await orm.em.fork().find(
      versionOf(Page),
      {},
      {
        populate: ['editor'] as never,
        orderBy: { versionId: 'asc' },
      },
    )) as unknown as { editor: { name: string }; changeset: Row }[];
    expect(versions.map(each => [each.changeset, each.editor.name])).toEqual([
      [{ id: [null, 1], name: [null, 'p'], editor: [null, 1] }, 'ann'],
      [{ stamp: [null, stamp] }, 'anna'],
    ]);
  });
});
