import { type Collection } from '@mikro-orm/core';
import { loadHistory, Versioning, versionOf } from 'mikro-orm-versioning';
import { beforeEach, describe, expect, it } from 'vitest';

import { covers } from './support/compatibility/covers.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';
import { statementsOf } from './support/statements.ts';
import { ENTITIES, Node, Plain, PlainItem, PlainProfile, Profile, Seat } from './support/nodes.ts';

describeEachDatabase('relations of versions', db => {
  let orm: Orm;

  beforeEach(async () => {
    orm = await createOrm(db, { entities: ENTITIES, extensions: [Versioning] });
  });

  /** Versions of the nodes with this id, in order, with the relation loaded. */
  // the relation is a name here, so its type is unknown
  async function versionsOf(id: number, relation: string, entity: typeof Node = Node, key = 'id'): Promise<any[]> {
    return orm.em.fork().find(versionOf(entity) as never, { [key]: id } as never, {
      populate: [relation] as never,
      orderBy: { versionId: 'asc' } as never,
    });
  }

  /** What a to-one relation of each version shows, by name. */
  const toOne = async (id: number, relation: string) =>
    (await versionsOf(id, relation)).map(version => version[relation]?.name ?? version[relation]?.text ?? null);

  /** What a to-many relation of each version shows, by name. */
  const toMany = async (id: number, relation: string) =>
    (await versionsOf(id, relation)).map(version => names(version[relation]));

  const names = (collection: Collection<{ name?: string; label?: string }>) =>
    collection.getItems().map(item => item.name ?? item.label);

  async function rename(id: number, name: string): Promise<void> {
    const em = orm.em.fork();
    (await em.findOneOrFail(Node, id)).name = name;
    await em.flush();
  }

  describe('many-to-one', () => {
    it(
      'leads to the version of the target that held at the same transaction',
      covers('Relations: many-to-one', 'Relations: to the same class'),
      async () => {
        const em = orm.em.fork();
        const parent = em.create(Node, { id: 1, name: 'p1' });
        const child = em.create(Node, { id: 2, name: 'c1', parent });
        await em.flush();
        parent.name = 'p2';
        await em.flush();
        child.name = 'c2';
        await em.flush();
        parent.name = 'p3';
        child.name = 'c3';
        await em.flush();
        expect(await toOne(2, 'parent')).toEqual(['p1', 'p2', 'p3']);
      },
    );

    it('is null where the key is null or the target is deleted, and is the last state on a DELETE version', async () => {
      const em = orm.em.fork();
      const parent = em.create(Node, { id: 1, name: 'p1' });
      const child = em.create(Node, { id: 2, name: 'c1' });
      await em.flush();
      child.parent = parent;
      await em.flush();
      em.remove(child);
      await em.flush();
      expect(await toOne(2, 'parent')).toEqual([null, 'p1', 'p1']);
    });

    it(
      'leads to the live entity where the target has no history',
      covers('Relations: to a target without history'),
      async () => {
        const em = orm.em.fork();
        const plain = em.create(Plain, { id: 1, name: 'first' });
        em.create(Node, { id: 1, name: 'a', plain });
        await em.flush();
        plain.name = 'renamed';
        await em.flush();
        expect(await toOne(1, 'plain')).toEqual(['renamed']);
        em.remove(plain);
        await em.flush();
        expect(await toOne(1, 'plain')).toEqual([null, null]);
      },
    );
  });

  describe('one-to-one', () => {
    it(
      'leads to versions from both sides',
      covers('Relations: one-to-one', 'Relations: one-to-one, inverse side'),
      async () => {
        const em = orm.em.fork();
        const a = em.create(Node, { id: 1, name: 'a1' });
        const b = em.create(Node, { id: 2, name: 'b1', twin: a });
        await em.flush();
        a.name = 'a2';
        b.name = 'b2';
        await em.flush();
        a.name = 'a3';
        b.twin = null;
        await em.flush();
        expect(await toOne(2, 'twin')).toEqual(['a1', 'a2', null]);
        expect(await toOne(1, 'twinOf')).toEqual(['b1', 'b2', null]);
      },
    );

    it('leads to live entities from both sides where the target has no history', async () => {
      const em = orm.em.fork();
      const node = em.create(Node, { id: 1, name: 'a', plainTwin: em.create(Plain, { id: 1, name: 'plain' }) });
      em.create(PlainProfile, { id: 1, node, text: 'text' });
      await em.flush();
      expect(await toOne(1, 'plainTwin')).toEqual(['plain']);
      expect(await toOne(1, 'plainProfile')).toEqual(['text']);
    });

    it('works with a foreign key as primary key', covers('Keys: a foreign key'), async () => {
      const em = orm.em.fork();
      const node = em.create(Node, { id: 1, name: 'a1' });
      const profile = em.create(Profile, { node, text: 't1' });
      await em.flush();
      node.name = 'a2';
      profile.text = 't2';
      await em.flush();
      expect(await toOne(1, 'profile')).toEqual(['t1', 't2']);
      const versions = await orm.em
        .fork()
        .find(versionOf(Profile), {}, { populate: ['node'], orderBy: { versionId: 'asc' } });
      expect(versions.map(version => version.node.name)).toEqual(['a1', 'a2']);
    });
  });

  describe('one-to-many', () => {
    it(
      'holds the versions of the children that referred to the row then, in the order of the relation',
      covers('Relations: one-to-many', 'Relations: orderBy'),
      async () => {
        const em = orm.em.fork();
        const parent = em.create(Node, { id: 1, name: 'p1' });
        const [a, b] = [2, 3].map(id => em.create(Node, { id, name: `n${id}`, parent }));
        await em.flush();
        a!.name = 'renamed';
        parent.name = 'p2';
        await em.flush();
        b!.parent = null;
        await em.flush();
        parent.name = 'p3';
        await em.flush();
        em.remove(parent);
        await em.flush();
        expect(await toMany(1, 'children')).toEqual([['n3', 'n2'], ['renamed', 'n3'], ['renamed'], []]);
      },
    );

    it('holds live children where they have no history', async () => {
      const em = orm.em.fork();
      const node = em.create(Node, { id: 1, name: 'a' });
      em.create(PlainItem, { id: 1, name: 'i1', node });
      await em.flush();
      await rename(1, 'b');
      expect(await toMany(1, 'plainChildren')).toEqual([['i1'], ['i1']]);
    });
  });

  describe('many-to-many', () => {
    it(
      'holds the linked versions of then, from both sides, also of the same class',
      covers('Relations: many-to-many', 'Relations: many-to-many, inverse side', 'Relations: to the same class'),
      async () => {
        const em = orm.em.fork();
        const a = em.create(Node, { id: 1, name: 'a1' });
        const b = em.create(Node, { id: 2, name: 'b1' });
        a.friends.add(b);
        await em.flush();
        b.name = 'b2';
        await em.flush();
        a.name = 'a2';
        await em.flush();
        a.friends.removeAll();
        a.name = 'a3';
        b.name = 'b3';
        await em.flush();
        expect(await toMany(1, 'friends')).toEqual([['b1'], ['b2'], []]);
        expect(await toMany(2, 'friendOf')).toEqual([['a1'], ['a1'], []]);
      },
    );

    it('has historical links to live targets', covers('Relations: to a target without history'), async () => {
      const em = orm.em.fork();
      const plain = em.create(Plain, { id: 1, name: 'x' });
      const node = em.create(Node, { id: 1, name: 'a', plains: [plain] });
      await em.flush();
      plain.name = 'y';
      node.plains.removeAll();
      node.name = 'b';
      await em.flush();
      expect(await toMany(1, 'plains')).toEqual([['y'], []]);
    });

    it('keeps the fixed order of then', covers('Relations: fixedOrder, fixedOrderColumn'), async () => {
      const em = orm.em.fork();
      const [a, b, c] = ['a', 'b', 'c'].map((name, i) => em.create(Node, { id: i + 1, name }));
      a!.ordered.set([c!, b!]);
      await em.flush();
      a!.ordered.set([b!, a!, c!]);
      a!.name = 'a2';
      await em.flush();
      expect(await toMany(1, 'ordered')).toEqual([
        ['c', 'b'],
        ['b', 'a2', 'c'],
      ]);
    });
  });

  it(
    'resolves composite keys with foreign keys in them, in every kind',
    covers('Relations: to a composite key', 'Keys: composite with a foreign key'),
    async () => {
      const em = orm.em.fork();
      const node = em.create(Node, { id: 1, name: 'n1' });
      const first = em.create(Seat, { node, row: 'a', label: 's1' });
      const second = em.create(Seat, { node, row: 'b', label: 't1', neighbour: first });
      second.visitors.add(node);
      await em.flush();
      first.label = 's2';
      node.name = 'n2';
      await em.flush();
      second.label = 't2';
      await em.flush();
      const seats = await orm.em
        .fork()
        .find(
          versionOf(Seat),
          {},
          { populate: ['neighbour', 'neighbourOf', 'visitors', 'node'], orderBy: { versionId: 'asc' } },
        );
      expect(
        seats.map(seat => [
          seat.label,
          seat.neighbour?.label ?? null,
          names(seat.neighbourOf as never),
          names(seat.visitors as never),
          seat.node.name,
        ]),
      ).toEqual([
        ['s1', null, ['t1'], [], 'n1'],
        ['t1', 's1', [], ['n1'], 'n1'],
        ['s2', null, ['t1'], [], 'n2'],
        ['t2', 's2', [], ['n2'], 'n2'],
      ]);
      expect(await toMany(1, 'seats')).toEqual([
        ['s1', 't1'],
        ['s2', 't1'],
      ]);
      await loadHistory(seats);
      expect(seats[3]!.changeset).toEqual({ label: ['t1', 't2'] });
      expect(seats[1]!.changeset).toMatchObject({ neighbour: [null, [1, 'a']] });
    },
  );

  describe('queries', () => {
    const RELATIONS = [
      'parent',
      'twin',
      'twinOf',
      'plain',
      'plainTwin',
      'profile',
      'plainProfile',
      'children',
      'plainChildren',
      'friends',
      'friendOf',
      'plains',
      'ordered',
      'seats',
    ];

    beforeEach(async () => {
      const em = orm.em.fork();
      const nodes = Array.from({ length: 8 }, (_, i) => em.create(Node, { id: i + 1, name: `n${i}` }));
      const plains = nodes.map((_, i) => em.create(Plain, { id: i + 1, name: `x${i}` }));
      nodes.forEach((node, i) => {
        const other = nodes[(i + 1) % nodes.length]!;
        Object.assign(node, { parent: other, plain: plains[i], twin: other, plainTwin: plains[i] });
        node.friends.add(other);
        node.plains.add(plains[i]!);
        node.ordered.add(other);
        em.create(Profile, { node, text: `p${i}` });
        em.create(PlainProfile, { id: i + 1, node, text: `q${i}` });
        em.create(PlainItem, { id: i + 1, node, name: `i${i}` });
        em.create(Seat, { node, row: 'a', label: `s${i}` });
      });
      await em.flush();
    });

    const countQueries = async (act: () => Promise<unknown>) => (await statementsOf(orm, act)).length;

    it.each(RELATIONS)('%s of 8 versions costs one query', async relation => {
      const em = orm.em.fork();
      const versions = (await em.find(versionOf(Node), {})) as object[];
      expect(versions).toHaveLength(8);
      const queries = await countQueries(() => em.populate(versions, [relation] as never, { strategy: 'select-in' }));
      // a relation to versions that are all loaded already costs none
      expect(queries).toBe(['parent', 'twin', 'twinOf'].includes(relation) ? 0 : 1);
    });

    it('eight versions with every relation cost one query with joined loading', async () => {
      const em = orm.em.fork();
      const queries = await countQueries(() =>
        em.find(versionOf(Node), {}, { populate: RELATIONS.slice(0, 7) as never, strategy: 'joined' }),
      );
      expect(queries).toBe(1);
    });

    it.each(['select-in', 'joined', 'balanced'] as const)('%s loading gives the same', async strategy => {
      const versions = await orm.em.fork().find(
        versionOf(Node),
        { name: 'n3' },
        {
          populate: RELATIONS as never,
          strategy,
        },
      );
      expect(versions).toHaveLength(1);
      const [version] = versions as unknown as Record<string, never>[];
      const shown = RELATIONS.map(relation => {
        const value = version![relation] as unknown as { name?: string; text?: string; label?: string } & Partial<
          Collection<object>
        >;
        return value.getItems ? names(value as never) : (value.name ?? value.text);
      });
      expect(shown).toEqual([
        'n4',
        'n4',
        'n2',
        'x3',
        'x3',
        'p3',
        'q3',
        ['n2'],
        ['i3'],
        ['n4'],
        ['n2'],
        ['x3'],
        ['n4'],
        ['s3'],
      ]);
    });

    it('conditions, order and counts go over relations', async () => {
      const em = orm.em.fork();
      const named = async (where: object, orderBy: object = { name: 'asc' }) =>
        ((await em.find(versionOf(Node), where as never, { orderBy: orderBy as never })) as { name: string }[]).map(
          ({ name }) => name,
        );
      expect(await named({ parent: { name: 'n4' } })).toEqual(['n3']);
      expect(await named({ plains: { name: 'x2' } })).toEqual(['n2']);
      expect(await named({ friendOf: { name: ['n1', 'n2'] } })).toEqual(['n2', 'n3']);
      expect(await named({ children: { $none: { name: { $ne: 'n1' } } } })).toEqual(['n2']);
      expect((await named({}, { parent: { name: 'desc' } })).slice(0, 2)).toEqual(['n6', 'n5']);
      expect(await em.count(versionOf(Node), { friends: { parent: { name: 'n0' } } } as never)).toBe(1);
    });

    it('collections can be asked before they are loaded', async () => {
      const [version] = (await orm.em.fork().find(versionOf(Node), { id: 2 })) as {
        friends: Collection<object>;
        plains: Collection<object>;
      }[];
      expect(await version!.friends.loadCount()).toBe(1);
      expect(await version!.friends.loadItems({ where: { name: 'other' } as never })).toEqual([]);
      expect(await version!.friends.matching({ where: { name: 'n2' } as never })).toHaveLength(1);
      expect(await version!.plains.loadItems({ orderBy: { name: 'asc' } as never })).toMatchObject([{ name: 'x1' }]);
    });

    it('the QueryBuilder joins them', async () => {
      const em = orm.em.fork() as never as { createQueryBuilder(entity: unknown, alias: string): never };
      const builder = em.createQueryBuilder(versionOf(Node), 'v') as {
        leftJoinAndSelect(
          field: string,
          alias: string,
        ): {
          leftJoinAndSelect(
            field: string,
            alias: string,
          ): { where(w: object): { getResult(): Promise<Record<string, never>[]> } };
        };
      };
      const [version] = await builder
        .leftJoinAndSelect('v.parent', 'parent')
        .leftJoinAndSelect('v.plains', 'plain')
        .where({ 'plain.name': 'x5' })
        .getResult();
      expect(version).toMatchObject({ name: 'n5', parent: { name: 'n6' } });
    });
  });
});
