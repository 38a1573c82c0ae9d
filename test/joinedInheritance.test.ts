import { Entity, PrimaryKey } from '@mikro-orm/decorators/es';
import { changeset, countVersions, ErrorCode, revert, Versioned, Versioning, versionOf } from 'mikro-orm-versioning';
import { beforeEach, describe, expect, it } from 'vitest';

import { covers, expectRefusal, refuses } from './support/compatibility/covers.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';
import { historyOf } from './support/history.ts';
import { Animal, Cat, Dog, ENTITIES, Label, Owner, Puppy } from './support/animals.ts';

describeEachDatabase('joined inheritance', db => {
  let orm: Orm;

  beforeEach(async () => {
    orm = await createOrm(db, { entities: ENTITIES, extensions: [Versioning] });
    const em = orm.em.fork();
    const owner = em.create(Owner, { id: 1, name: 'O1' } as never);
    const dog = em.create(Dog, { id: 1, name: 'D1', weight: 30, size: 'big', owner, walker: owner } as never) as Dog;
    const cat = em.create(Cat, { id: 2, name: 'C1', weight: 4, size: 3, owner } as never);
    em.create(Puppy, {
      id: 3,
      name: 'P1',
      weight: 5,
      size: 'small',
      mother: dog,
      chases: [cat],
      labels: [em.create(Label, { id: 1, name: 'l' })],
    } as never);
    await em.flush();
    (owner as Owner).favourite = dog;
    dog.name = 'D2';
    await em.flush();
    dog.weight = 31;
    await em.flush();
  });

  it(
    'keeps one flat history, whose rows come back as the right classes with their properties',
    covers('Inheritance: joined tables (table per type)'),
    async () => {
      const versions = await orm.em.fork().find(versionOf(Animal), {}, { orderBy: { id: 'asc', versionId: 'asc' } });
      expect(versions.map(version => [version.constructor.name, version.name])).toEqual([
        ['DogVersion', 'D1'],
        ['DogVersion', 'D2'],
        ['DogVersion', 'D2'],
        ['CatVersion', 'C1'],
        ['PuppyVersion', 'P1'],
      ]);
      expect(versions[0]).toBeInstanceOf(versionOf(Animal));
      expect(versions[2]).toMatchObject({ weight: 31, size: 'big' });
      expect(versions[3]).toMatchObject({ weight: 4, size: 3 });
      expect(versions[4]).toMatchObject({ weight: 5, size: 'small', toy: null });
      expect(versions[3]).not.toHaveProperty('toy');
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    },
  );

  it('records one version a change, whichever tables it is in', async () => {
    const em = orm.em.fork();
    const puppy = await em.findOneOrFail(Puppy, 3);
    puppy.toy = 'ball';
    expect(changeset(puppy)).toEqual({ toy: [null, 'ball'] });
    await em.flush();
    puppy.name = 'P2';
    puppy.weight = 6;
    expect(changeset(puppy)).toEqual({ name: ['P1', 'P2'], weight: [5, 6] });
    await em.flush();
    puppy.meals = 7;
    await em.flush();
    em.remove(puppy);
    await em.flush();
    const history = await historyOf(orm, [Animal], ['puppy_labels_version', 'dog_chases_version']);
    const puppies = history.filter(line => line.startsWith('Animal#3'));
    expect(puppies.map(line => line.replace(/, (owner_id|dog_walker_id|cat_\w+): null/g, ''))).toEqual([
      'Animal#3 INSERT { name: P1, dog_weight: 5, dog_size: small, puppy_toy: null, entity_type: puppy, puppy_mother_id: 1 } [1, 4)',
      'Animal#3 UPDATE { name: P1, dog_weight: 5, dog_size: small, puppy_toy: ball, entity_type: puppy, puppy_mother_id: 1 } [4, 5)',
      'Animal#3 UPDATE { name: P2, dog_weight: 6, dog_size: small, puppy_toy: ball, entity_type: puppy, puppy_mother_id: 1 } [5, 6)',
      'Animal#3 DELETE { name: P2, dog_weight: 6, dog_size: small, puppy_toy: ball, entity_type: puppy, puppy_mother_id: 1 } [6, )',
    ]);
    expect(history.filter(line => line.includes('->'))).toEqual([
      'animal_id 3 -> label_id 1 [1, 6)',
      'dog_id 3 -> cat_id 2 [1, 6)',
    ]);
  });

  it('is asked through a class for that class and those below', async () => {
    const em = orm.em.fork();
    const names = async (entity: typeof Animal) =>
      (await em.fork().find(versionOf(entity), {}, { orderBy: { transaction: 'asc', id: 'asc' } })).map(version => [
        version.constructor.name,
        version.name,
      ]);
    expect(await names(Cat)).toEqual([['CatVersion', 'C1']]);
    expect(await names(Puppy)).toEqual([['PuppyVersion', 'P1']]);
    expect(await names(Dog)).toEqual([
      ['DogVersion', 'D1'],
      ['PuppyVersion', 'P1'],
      ['DogVersion', 'D2'],
      ['DogVersion', 'D2'],
    ]);
    const [puppy] = await em.find(versionOf(Dog), { id: 3 }, { populate: ['mother', 'labels'] as never });
    expect(puppy).toMatchObject({ toy: null, size: 'small', mother: { name: 'D1' } });
    expect((puppy as unknown as Puppy).labels.map(label => label.name)).toEqual(['l']);
    expect(await em.fork().count(versionOf(Dog), { weight: { $gt: 10 } })).toBe(3);
  });

  it('lists what changed with the properties of the class', async () => {
    const em = orm.em.fork();
    const dog = await em.findOneOrFail(Dog, 1, { populate: ['versions'] });
    expect(dog.versions.map(version => version.changeset)).toEqual([
      {
        id: [null, 1],
        name: [null, 'D1'],
        owner: [null, 1],
        weight: [null, 30],
        size: [null, 'big'],
        walker: [null, 1],
      },
      { name: ['D1', 'D2'] },
      { weight: [30, 31] },
    ]);
    const animal = await em.fork().findOneOrFail(Animal, 1, { populate: ['versions'] });
    expect(animal.versions.map(version => version.name)).toEqual(['D1', 'D2', 'D2']);
    expect(await countVersions(animal)).toBe(3);
    const [, , last] = await em.fork().find(
      versionOf(Animal),
      { id: 1 },
      {
        populate: ['entity', 'previous'],
        orderBy: { versionId: 'asc' },
      },
    );
    expect(last!.entity).toBeInstanceOf(Dog);
    expect(last!.entity).toMatchObject({ weight: 31 });
    expect(last!.changeset).toEqual({ weight: [30, 31] });
  });

  it.each(['select-in', 'joined', 'balanced'] as const)(
    'relations lead to and from the base class and its subclasses, %s',
    async strategy => {
      const em = orm.em.fork();
      const [puppy] = await em.find(
        versionOf(Puppy),
        { id: 3 },
        { populate: ['mother', 'owner', 'chases', 'labels'], strategy },
      );
      expect(puppy!.mother).toMatchObject({ name: 'D1', weight: 30 });
      expect(puppy!.owner).toBeNull();
      expect(puppy!.chases.map(cat => [cat.name, cat.size])).toEqual([['C1', 3]]);
      expect(puppy!.labels.map(label => label.name)).toEqual(['l']);
      const owners = await em.find(
        versionOf(Owner),
        {},
        { populate: ['favourite', 'animals', 'walked'], orderBy: { versionId: 'asc' }, strategy },
      );
      expect(owners.map(owner => owner.favourite?.name ?? null)).toEqual([null, 'D2']);
      expect(owners[1]!.favourite).toMatchObject({ weight: 30 });
      const sorted = (animals: Iterable<{ name: string; size?: unknown }>) =>
        [...animals].map(({ name, size }) => [name, size]).toSorted((a, b) => (String(a) < String(b) ? -1 : 1));
      expect(owners.map(owner => sorted(owner.animals))).toEqual([
        [
          ['C1', 3],
          ['D1', 'big'],
        ],
        [
          ['C1', 3],
          ['D2', 'big'],
        ],
      ]);
      expect(owners.map(owner => sorted(owner.walked))).toEqual([[['D1', 'big']], [['D2', 'big']]]);
      expect(await em.count(versionOf(Owner), { favourite: { name: 'D2' } })).toBe(1);
      expect(await em.count(versionOf(Puppy), { mother: { weight: 30 }, chases: { size: 3 } })).toBe(1);
    },
  );

  it('sees what ON DELETE rules do in the tables of subclasses', async () => {
    const em = orm.em.fork();
    const owner = await em.findOneOrFail(Owner, 1);
    em.remove(owner);
    await em.flush();
    const [last] = await orm.em
      .fork()
      .find(versionOf(Dog), { id: 1 }, { orderBy: { versionId: 'desc' }, limit: 1, populate: ['previous'] });
    expect(last!.changeset).toEqual({ owner: [1, null], walker: [1, null] });
  });

  it('a deleted row comes back as its class, with its links', async () => {
    const em = orm.em.fork();
    em.remove(await em.findOneOrFail(Puppy, 3));
    await em.flush();
    const other = orm.em.fork();
    const [version] = await other.find(versionOf(Animal), { id: 3 }, { orderBy: { versionId: 'asc' } });
    await revert(version!, { relations: ['labels', 'chases'] as never });
    await other.flush();
    const back = await orm.em.fork().findOneOrFail(Puppy, 3, { populate: ['labels', 'chases'] });
    expect(back).toMatchObject({ name: 'P1', weight: 5, size: 'small', toy: null });
    expect(back.labels.map(label => label.name)).toEqual(['l']);
    expect(back.chases.map(cat => cat.name)).toEqual(['C1']);
  });

  describe('a subclass marked without its root', () => {
    @Entity({ inheritance: 'tpt' })
    class Unmarked {
      @PrimaryKey({ type: 'integer' })
      id!: number;
    }

    @Entity()
    @Versioned()
    class Alone extends Unmarked {}

    it(
      'is refused with the reason',
      refuses('Inheritance: a subclass in a table of its own, of a root without a mark'),
      async ({ task }) => {
        await expectRefusal(
          task,
          createOrm(db, { entities: [Unmarked, Alone], extensions: [Versioning] }),
          ErrorCode.UNSUPPORTED,
          "Alone can't be versioned without Unmarked, whose rows are its own. Mark Unmarked: its subclasses are versioned with it.",
        );
      },
    );
  });
});
