import type { Collection } from '@mikro-orm/core';
import { Entity, ManyToMany, ManyToOne, OneToMany, OneToOne, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import { restore, Versioned, Versioning, versionOf } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { createOrm, describeEachDatabase } from './support/databases.ts';

/** Without history. */
@Entity()
class Owner {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;
}

@Entity()
@Versioned()
class House {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @ManyToOne(() => Owner, { nullable: true, deleteRule: 'set null' })
  owner?: Owner | null;

  @OneToMany(() => Room, room => room.house)
  rooms!: Collection<Room>;

  @ManyToMany(() => Owner)
  guests!: Collection<Owner>;
}

@Entity()
@Versioned()
class Room {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @ManyToOne(() => House, { nullable: true, deleteRule: 'set null' })
  house?: House | null;
}

@Entity()
@Versioned()
class Key {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @OneToOne({ entity: () => Room, nullable: true, deleteRule: 'set null' })
  room?: Room | null;
}

/** A row that was removed must not come back with the next flush because a version that is loaded leads to it. */
describeEachDatabase('a removed row of which versions are loaded', db => {
  async function houseOf() {
    const orm = await createOrm(db, { entities: [Owner, House, Room, Key], extensions: [Versioning] });
    const em = orm.em.fork();
    const owner = em.create(Owner, { id: 1, name: 'o' });
    const house = em.create(House, { id: 1, name: 'h', owner, guests: [owner] } as never);
    const kitchen = em.create(Room, { id: 1, name: 'k', house } as never);
    em.create(Key, { id: 1, room: kitchen } as never);
    await em.flush();
    house.name = 'i';
    kitchen.name = 'l';
    await em.flush();
    for (const [entity, populate] of [
      [House, ['entity', 'owner', 'rooms', 'guests', 'previous', 'next']],
      [Room, ['entity', 'house', 'previous']],
      [Key, ['entity', 'room']],
    ] as const) {
      await em.find(versionOf(entity as typeof House), {}, { populate: populate as never });
    }
    return { orm, em, owner, house, kitchen };
  }

  it('stays removed', async () => {
    const { orm, em, owner, house, kitchen } = await houseOf();
    const counts = async () =>
      Promise.all([Owner, House, Room, Key].map(entity => orm.em.fork().count(entity as typeof House)));
    em.remove(kitchen);
    await em.flush();
    await em.flush();
    expect(await counts()).toEqual([1, 1, 0, 1]);
    em.remove(house);
    await em.flush();
    await em.flush();
    expect(await counts()).toEqual([1, 0, 0, 1]);
    em.remove(owner);
    await em.flush();
    await em.flush();
    expect(await counts()).toEqual([0, 0, 0, 1]);
    const versions = await em.find(versionOf(House), {}, { orderBy: { transaction: 'asc' } });
    expect(versions.map(each => [each.name, each.entity ?? null])).toEqual([
      ['h', null],
      ['i', null],
      ['i', null],
    ]);
  });

  it('stays removed where a transaction of its own removed it', async () => {
    const { orm, em, owner, kitchen } = await houseOf();
    await em.transactional(async inner => {
      inner.remove(kitchen);
      inner.remove(owner);
    });
    await em.flush();
    expect(await orm.em.fork().count(Room)).toBe(0);
    expect(await orm.em.fork().count(Owner)).toBe(0);
  });

  it('is restored in the same manager', async () => {
    const { orm, em, house } = await houseOf();
    em.remove(house);
    await em.flush();
    const again = await restore(em, House, 1, { relations: ['rooms', 'guests'] });
    await em.flush();
    await em.flush();
    expect(again === house).toBe(false);
    const fresh = await orm.em.fork().findOneOrFail(House, 1, { populate: ['rooms', 'guests', 'owner'] });
    expect([fresh.name, fresh.rooms.length, fresh.guests.length, fresh.owner?.name]).toEqual(['i', 1, 1, 'o']);
    const versions = await em.find(versionOf(House), {}, { populate: ['entity'] });
    expect(versions.every(each => each.entity === again)).toBe(true);
  });
});
