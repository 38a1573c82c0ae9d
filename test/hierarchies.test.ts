import { Entity, ManyToOne, OneToMany, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import type { Collection } from '@mikro-orm/core';
import { Versioned, Versioning, versionOf, type Versions } from 'mikro-orm-versioning';
import { describe, expect, it } from 'vitest';

import { covers } from './support/compatibility/covers.ts';
import { createOrm, describeEachDatabase } from './support/databases.ts';
import { historyOf } from './support/history.ts';

/** The same classes in one table, and in a table each: a root that has rows of its own, and siblings that disagree. */
function singleTable() {
  @Entity({ discriminatorColumn: 'kind', discriminatorValue: 'vehicle' })
  @Versioned()
  class Vehicle {
    @PrimaryKey({ type: 'integer' })
    id!: number;

    @Property({ type: 'string', fieldName: 'label' })
    name!: string;

    @ManyToOne(() => Garage, { nullable: true })
    garage?: Garage | null;

    declare readonly versions: Versions<Vehicle>;
  }

  @Entity({ discriminatorValue: 'car' })
  class Car extends Vehicle {
    @Property({ type: 'string', fieldName: 'car_size' })
    size!: string;

    @ManyToOne(() => Vehicle, { nullable: true })
    tows?: Vehicle | null;

    declare readonly versions: Versions<Car>;
  }

  @Entity({ discriminatorValue: 'taxi' })
  class Taxi extends Car {
    @Property({ type: 'string', fieldName: 'town', nullable: true })
    city?: string | null;

    declare readonly versions: Versions<Taxi>;
  }

  @Entity({ discriminatorValue: 'boat' })
  class Boat extends Vehicle {
    @Property({ type: 'integer', fieldName: 'boat_size' })
    size!: number;

    declare readonly versions: Versions<Boat>;
  }

  @Entity()
  @Versioned()
  class Garage {
    @PrimaryKey({ type: 'integer' })
    id!: number;

    @OneToMany(() => Vehicle, vehicle => vehicle.garage)
    vehicles!: Collection<Vehicle>;

    @ManyToOne(() => Car, { nullable: true })
    best?: Car | null;

    declare readonly versions: Versions<Garage>;
  }

  return { Vehicle, Car, Taxi, Boat, Garage };
}

function joinedTables() {
  @Entity({ inheritance: 'tpt' })
  @Versioned()
  class Vehicle {
    @PrimaryKey({ type: 'integer' })
    id!: number;

    @Property({ type: 'string', fieldName: 'label' })
    name!: string;

    @ManyToOne(() => Garage, { nullable: true })
    garage?: Garage | null;

    declare readonly versions: Versions<Vehicle>;
  }

  @Entity()
  class Car extends Vehicle {
    @Property({ type: 'string' })
    size!: string;

    @ManyToOne(() => Vehicle, { nullable: true })
    tows?: Vehicle | null;

    declare readonly versions: Versions<Car>;
  }

  @Entity()
  class Taxi extends Car {
    @Property({ type: 'string', fieldName: 'town', nullable: true })
    city?: string | null;

    declare readonly versions: Versions<Taxi>;
  }

  @Entity()
  class Boat extends Vehicle {
    @Property({ type: 'integer' })
    size!: number;

    declare readonly versions: Versions<Boat>;
  }

  @Entity()
  @Versioned()
  class Garage {
    @PrimaryKey({ type: 'integer' })
    id!: number;

    @OneToMany(() => Vehicle, vehicle => vehicle.garage)
    vehicles!: Collection<Vehicle>;

    @ManyToOne(() => Car, { nullable: true })
    best?: Car | null;

    declare readonly versions: Versions<Garage>;
  }

  return { Vehicle, Car, Taxi, Boat, Garage };
}

describeEachDatabase('a hierarchy whose root has rows of its own', db => {
  describe.each([
    // where siblings disagree, MikroORM 7.2 writes no value for the classes below them
    ['in a single table', singleTable, null],
    ['in joined tables', joinedTables, 'big'],
  ] as const)('%s', (_, define, taxiSize) => {
    async function setUp() {
      const classes = define();
      const { Vehicle, Car, Taxi, Boat, Garage } = classes;
      const orm = await createOrm(db, { entities: Object.values(classes), extensions: [Versioning] });
      const em = orm.em.fork();
      const garage = em.create(Garage, { id: 1 } as never) as InstanceType<typeof Garage>;
      const vehicle = em.create(Vehicle, { id: 1, name: 'V1', garage } as never);
      em.create(Car, { id: 2, name: 'K1', size: 'small', tows: vehicle, garage } as never);
      const taxi = em.create(Taxi, { id: 3, name: 'T1', size: 'big', city: 'Rome', garage } as never);
      em.create(Boat, { id: 4, name: 'B1', size: 9, garage } as never);
      await em.flush();
      garage.best = taxi as never;
      await em.flush();
      return { orm, ...classes };
    }

    it(
      'comes back whole, whichever class is asked',
      covers(
        'Inheritance: single table, whose root has rows',
        'Inheritance: single table, siblings that disagree',
        'Inheritance: joined tables, whose root has rows',
        'Inheritance: joined tables, siblings that disagree',
      ),
      async () => {
        const { orm, Vehicle, Car, Taxi } = await setUp();
        const shown = async (entity: typeof Vehicle) => {
          const versions = await orm.em.fork().find(versionOf(entity), {}, { orderBy: { id: 'asc' } });
          return versions.map(version => {
            const { name, size, city } = version as unknown as { name: string; size?: unknown; city?: unknown };
            return [version.constructor.name, name, size, city];
          });
        };
        const car = ['CarVersion', 'K1', 'small', undefined];
        const taxi = ['TaxiVersion', 'T1', taxiSize, 'Rome'];
        expect(await shown(Vehicle)).toEqual([
          ['VehicleVersion', 'V1', undefined, undefined],
          car,
          taxi,
          ['BoatVersion', 'B1', 9, undefined],
        ]);
        expect(await shown(Car)).toEqual([car, taxi]);
        expect(await shown(Taxi)).toEqual([taxi]);
      },
    );

    it.each(['select-in', 'joined', 'balanced'] as const)('is reached whole through relations, %s', async strategy => {
      const { orm, Garage, Car } = await setUp();
      const em = orm.em.fork();
      const garages = await em.find(
        versionOf(Garage),
        {},
        { populate: ['vehicles', 'best'] as never, orderBy: { versionId: 'asc' }, strategy },
      );
      const shown = garages.map(version => {
        const { best, vehicles } = version as unknown as {
          best: { name: string; size: unknown } | null;
          vehicles: Iterable<{ id: number; size?: unknown }>;
        };
        return [
          best && [best.constructor.name, best.name, best.size],
          [...vehicles].toSorted((a, b) => a.id - b.id).map(each => [each.constructor.name, each.size]),
        ];
      });
      const vehicles = [
        ['VehicleVersion', undefined],
        ['CarVersion', 'small'],
        ['TaxiVersion', taxiSize],
        ['BoatVersion', 9],
      ];
      expect(shown).toEqual([
        [null, vehicles],
        [['TaxiVersion', 'T1', taxiSize], vehicles],
      ]);
      const cars = await em.find(
        versionOf(Car),
        {},
        { populate: ['entity'] as never, orderBy: { id: 'asc' }, strategy },
      );
      expect(cars.map(version => version.entity?.constructor.name)).toEqual(['Car', 'Taxi']);
      expect(await em.count(versionOf(Garage), { best: { name: 'T1' } } as never)).toBe(1);
      expect(await em.count(versionOf(Garage), { vehicles: { name: 'B1' } } as never)).toBe(2);
      expect(await em.count(versionOf(Car), { tows: { name: 'V1' } } as never)).toBe(1);
    });

    it('is left alone by flush after flush, whatever a version was before it was loaded', async () => {
      const { orm, Vehicle, Car } = await setUp();
      const em = orm.em.fork();
      const car = await em.findOneOrFail(Car, 2, { populate: ['versions'] });
      for (const name of ['K2', 'K3']) {
        // the versions that were current are out of date now
        car.name = name;
        await em.flush();
      }
      const other = orm.em.fork();
      // each one is a neighbour of the other first
      const versions = await other.find(versionOf(Vehicle), { id: 2 }, { orderBy: { versionId: 'asc' } });
      expect(versions.map(version => [version.constructor.name, version.name])).toEqual([
        ['CarVersion', 'K1'],
        ['CarVersion', 'K2'],
        ['CarVersion', 'K3'],
      ]);
      (await other.findOneOrFail(Car, 2)).size = 'big';
      await other.flush();
      expect((await historyOf(orm, [Vehicle])).filter(line => / K\d/.test(line))).toHaveLength(4);
    });

    it('is left alone by a flush that has its versions loaded', async () => {
      const { orm, Vehicle } = await setUp();
      const em = orm.em.fork();
      const versions = await em.find(versionOf(Vehicle), {}, { populate: ['entity', 'previous', 'next'] as never });
      expect(versions).toHaveLength(4);
      for (const version of versions) {
        (version.entity as unknown as { name: string }).name += '!';
      }
      await em.flush();
      const history = await historyOf(orm, [Vehicle]);
      expect(history).toHaveLength(8);
    });
  });
});

describeEachDatabase('a discriminator that the history calls something else', db => {
  @Entity({ discriminatorColumn: 'index', discriminatorValue: 'plain' })
  @Versioned({ rename: { index: 'kind' } })
  class Item {
    @PrimaryKey({ type: 'integer' })
    id!: number;

    @Property({ type: 'string' })
    index!: string;

    declare readonly versions: Versions<Item>;
  }

  @Entity({ discriminatorValue: 'special' })
  class Special extends Item {
    @Property({ type: 'string' })
    name!: string;

    declare readonly versions: Versions<Special>;
  }

  it('says the class all the same', async () => {
    const orm = await createOrm(db, { entities: [Item, Special], extensions: [Versioning] });
    const em = orm.em.fork();
    em.create(Special, { id: 1, name: 'S' } as never);
    em.create(Item, { id: 2 } as never);
    await em.flush();
    const versions = await orm.em.fork().find(versionOf(Item), {}, { orderBy: { id: 'asc' } });
    expect(versions.map(version => version.constructor.name)).toEqual(['SpecialVersion', 'ItemVersion']);
    expect(versions).toMatchObject([{ kind: 'special', name: 'S' }, { kind: 'plain' }]);
    expect(await orm.em.fork().count(versionOf(Special))).toBe(1);
  });
});
