import { Cascade, defineEntity, EntitySchema, p, ref, Reference, wrap, type Collection } from '@mikro-orm/core';
import { ErrorCode, Versioning, versioned, versionOf } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { about, covers, expectRefusal, leavesOut, refuses } from '../support/compatibility/covers.ts';
import { createOrm, describeEachDatabase, type Orm } from '../support/databases.ts';
import { historyOf } from '../support/history.ts';

/** An entity that is found out at runtime. */
type Row = Record<string, unknown>;

const User = versioned(
  defineEntity({
    name: 'User',
    tableName: 'person',
    properties: { id: p.integer().primary(), name: p.string(), code: p.string().unique() },
  }),
);

const Post = versioned(
  defineEntity({
    name: 'Post',
    properties: {
      id: p.integer().primary(),
      byKey: () => p.manyToOne(User).mapToPk().nullable(),
      wrapped: () => p.manyToOne(User).ref().nullable(),
      lazy: () => p.manyToOne(User).lazyRef().nullable(),
      unchecked: () => p.manyToOne(User).createForeignKeyConstraint(false).nullable(),
      deferred: () => p.manyToOne(User).deferMode('deferred').foreignKeyName('post_deferred').nullable(),
      byCode: () => p.manyToOne(User).targetKey('code').nullable(),
      joined: () => p.manyToOne(User).joinColumn('joined_to').referenceColumnName('id').nullable(),
      ruled: () => p.manyToOne(User).deleteRule('no action').updateRule('no action').nullable(),
      cascading: () => p.manyToOne(User).cascade(Cascade.ALL).nullable(),
    },
  }),
);
const TO_ONES = [
  'byKey',
  'wrapped',
  'lazy',
  'unchecked',
  'deferred',
  'byCode',
  'joined',
  'ruled',
  'cascading',
] as const;

/** A target by its name, a bare key as it is. */
const shown = (value: unknown) => {
  const target = Reference.unwrapReference(value as object) as unknown as { name?: string } | number | null;
  return typeof target === 'object' ? (target?.name ?? null) : target;
};

describeEachDatabase('relations', db => {
  const start = (...entities: readonly object[]) =>
    createOrm(db, { entities: entities as never, extensions: [Versioning] });

  const versionsOf = async (orm: Orm, entity: object, populate: readonly string[], where: object = {}) =>
    (await orm.em.fork().find(versionOf(entity as never), where as never, {
      populate: populate as never,
      orderBy: { versionId: 'asc' } as never,
    })) as unknown as Row[];

  it(
    'to one lead to the versions of then, however they refer',
    covers(
      'Relations: ref, lazyRef',
      'Relations: mapToPk',
      'Relations: targetKey',
      'Relations: joinColumn, referenceColumnName',
      'Relations: createForeignKeyConstraint, foreignKeyName, deferMode',
      'Relations: cascade',
    ),
    async () => {
      const orm = await start(User, Post);
      const em = orm.em.fork();
      const [one, two] = [1, 2].map(id => em.create(User, { id, name: `u${id}`, code: `c${id}` }));
      await em.flush();
      const all = (user: typeof one, key: number) =>
        Object.fromEntries(TO_ONES.map(name => [name, name === 'byKey' ? key : user]));
      const post = em.create(Post, { id: 1, ...all(one, 1) } as never);
      await em.flush();
      one!.name = 'renamed';
      Object.assign(post, all(two, 2), { wrapped: ref(two!), lazy: two });
      await em.flush();
      Object.assign(post, Object.fromEntries(TO_ONES.map(name => [name, null])));
      await em.flush();
      const versions = await versionsOf(
        orm,
        Post,
        TO_ONES.filter(name => name !== 'byKey'),
      );
      expect(versions.map(version => TO_ONES.map(name => shown(version[name])))).toEqual([
        [1, ...Array.from({ length: 8 }, () => 'u1')],
        [2, ...Array.from({ length: 8 }, () => 'u2')],
        Array.from({ length: 9 }, () => null),
      ]);
      const keys = (from: number | null, to: number | null, code: readonly unknown[]) =>
        Object.fromEntries(TO_ONES.map(name => [name, name === 'byCode' ? code : [from, to]]));
      expect(versions.map(({ changeset }) => changeset)).toEqual([
        { id: [null, 1], ...keys(null, 1, [null, 'c1']) },
        keys(1, 2, ['c1', 'c2']),
        keys(2, null, ['c2', null]),
      ]);
      post.cascading = one!;
      await em.flush();
      em.remove(post);
      await em.flush();
      expect((await historyOf(orm, [User])).at(-1)).toBe('User#1 DELETE { name: renamed, code: c1 } [6, )');
    },
  );

  it(
    'with shared columns are null where their own are',
    covers('Relations: joinColumns that are shared (ownColumns)'),
    async () => {
      const Company = versioned(defineEntity({ name: 'Company', properties: { id: p.integer().primary() } }));
      const Office = versioned(
        defineEntity({
          name: 'Office',
          properties: { company: () => p.manyToOne(Company).primary(), n: p.integer().primary(), name: p.string() },
        }),
      );
      const Worker = versioned(
        defineEntity({
          name: 'Worker',
          properties: {
            id: p.integer().primary(),
            company: () => p.manyToOne(Company),
            office: () => p.manyToOne(Office).joinColumns('company_id', 'office_n').ownColumns('office_n').nullable(),
          },
        }),
      );
      const orm = await start(Company, Office, Worker);
      const em = orm.em.fork();
      const company = em.create(Company, { id: 1 });
      const [one, two] = [1, 2].map(n => em.create(Office, { company, n, name: `o${n}` }));
      const worker = em.create(Worker, { id: 1, company, office: one! });
      await em.flush();
      worker.office = two!;
      await em.flush();
      worker.office = null;
      await em.flush();
      const versions = await versionsOf(orm, Worker, ['office']);
      expect(versions.map(version => [shown(version['office']), version['changeset']])).toEqual([
        ['o1', { id: [null, 1], company: [null, 1], office: [null, [1, 1]] }],
        [
          'o2',
          {
            office: [
              [1, 1],
              [1, 2],
            ],
          },
        ],
        [null, { office: [[1, 2], null] }],
      ]);
    },
  );

  it(
    'keep their order and their condition, and load as they are asked for',
    about({
      supported: ['Relations: orderBy', 'Relations: where', 'Relations: strategy'],
      'left out': ['Relations: eager', 'Relations: filters', 'Entity options: filters'],
    }),
    async () => {
      const Item = versioned(
        new EntitySchema({
          name: 'Item',
          properties: {
            id: { type: 'integer', primary: true },
            name: { type: 'string' },
            box: { kind: 'm:1', entity: () => Box },
          } as never,
          filters: { unseen: { name: 'unseen', cond: { name: { $ne: 'c' } }, default: true } },
        }),
      );
      const Box = versioned(
        new EntitySchema({
          name: 'Box',
          properties: {
            id: { type: 'integer', primary: true },
            size: { type: 'integer' },
            items: { kind: '1:m', entity: () => Item, mappedBy: 'box', orderBy: { name: 'desc' } },
            first: { kind: '1:m', entity: () => Item, mappedBy: 'box', where: { name: 'a' } },
            others: { kind: 'm:n', entity: () => Item, strategy: 'joined', where: { name: { $ne: 'b' } } },
            outer: { kind: 'm:1', entity: () => Box, nullable: true, eager: true },
          } as never,
        }),
      );
      const orm = await start(Item, Box);
      const em = orm.em.fork();
      const outer = em.create(Box, { id: 2, size: 0 } as never);
      const box = em.create(Box, { id: 1, size: 1, outer } as never) as unknown as { others: Collection<object> };
      const items = ['a', 'b', 'c'].map((name, i) => em.create(Item, { id: i + 1, name, box } as never) as object);
      box.others.set(items);
      await em.flush();
      const [version] = await versionsOf(orm, Box, ['items', 'first', 'others'], { id: 1 });
      const names = (name: string) => [...(version![name] as Iterable<{ name: string }>)].map(item => item.name);
      expect([names('items'), names('first'), names('others')]).toEqual([['c', 'b', 'a'], ['a'], ['a', 'c']]);
      expect(wrap(version!['outer'] as object).isInitialized()).toBe(false);
    },
  );

  it(
    'keep the order of links in a column of any name',
    covers('Relations: fixedOrder, fixedOrderColumn', 'Relations: pivotTable, and names of its columns'),
    async () => {
      const Group = versioned(
        defineEntity({
          name: 'Group',
          tableName: 'team',
          properties: {
            id: p.integer().primary(),
            users: () =>
              p
                .manyToMany(User)
                .pivotTable('membership')
                .joinColumn('team')
                .inverseJoinColumn('member')
                .fixedOrder()
                .fixedOrderColumn('place'),
          },
        }),
      );
      const orm = await start(User, Group);
      const em = orm.em.fork();
      const [one, two] = [1, 2].map(id => em.create(User, { id, name: `u${id}`, code: `c${id}` }));
      const group = em.create(Group, { id: 1, users: [two!, one!] });
      await em.flush();
      group.users.set([one!, two!]);
      await em.flush();
      const places = (await historyOf(orm, [], ['membership_version'])).map(line => line.replace(/place \d+ /, ''));
      expect(places).toEqual([
        'team 1 -> member 1 -> [1, 2)',
        'team 1 -> member 2 -> [1, 2)',
        'team 1 -> member 1 -> [2, )',
        'team 1 -> member 2 -> [2, )',
      ]);
      const [version] = await versionsOf(orm, Group, ['users']);
      expect([...(version!['users'] as Iterable<{ name: string }>)].map(user => user.name)).toEqual(['u2', 'u1']);
    },
  );

  it(
    'that are derived from others are not in the history',
    leavesOut('Relations: through another entity', 'Relations: persist: false'),
    async () => {
      const Remark = versioned(
        defineEntity({
          name: 'Remark',
          properties: { id: p.integer().primary(), text: p.string(), page: () => p.manyToOne(Page) },
        }),
      );
      const Page = versioned(
        defineEntity({
          name: 'Page',
          properties: {
            id: p.integer().primary(),
            ownerId: p.integer().nullable(),
            owner: () => p.manyToOne(User).persist(false).joinColumn('owner_id').nullable(),
            last: () =>
              p
                .manyToOne(Remark)
                .through(() => Remark)
                .orderBy({ id: 'desc' })
                .nullable(),
          },
        }),
      );
      const orm = await start(User, Remark, Page);
      const em = orm.em.fork();
      em.create(User, { id: 1, name: 'u', code: 'c' });
      await em.flush();
      const page = em.create(Page, { id: 1, ownerId: 1 } as never);
      em.create(Remark, { id: 1, text: 'r', page } as never);
      await em.flush();
      expect(await historyOf(orm, [Page])).toEqual(['Page#1 INSERT { owner_id: 1 } [2, )']);
      const [version] = await versionsOf(orm, Page, []);
      expect(version).toMatchObject({ ownerId: 1, changeset: { id: [null, 1], ownerId: [null, 1] } });
      expect(version).not.toHaveProperty('owner');
      expect(version).not.toHaveProperty('last');
    },
  );

  it(
    'orphans are recorded when they are removed, and links that are left out are not',
    about({
      supported: ['Relations: orphanRemoval'],
      'left out': ['Relations: left out by the mark (exclude)'],
    }),
    async () => {
      const Line = versioned(
        defineEntity({
          name: 'Line',
          properties: { id: p.integer().primary(), text: p.string(), poem: () => p.manyToOne(Poem) },
        }),
      );
      const Poem = versioned(
        defineEntity({
          name: 'Poem',
          properties: {
            id: p.integer().primary(),
            lines: () => p.oneToMany(Line).mappedBy('poem').orphanRemoval(),
            readers: () => p.manyToMany(User),
          },
        }),
        { exclude: ['readers'] },
      );
      const orm = await start(User, Line, Poem);
      const em = orm.em.fork();
      const reader = em.create(User, { id: 1, name: 'u', code: 'c' });
      const poem = em.create(Poem, { id: 1, readers: [reader] } as never) as unknown as { lines: Collection<object> };
      const line = em.create(Line, { id: 1, text: 'l', poem } as never);
      await em.flush();
      poem.lines.remove(line);
      await em.flush();
      expect(await historyOf(orm, [Line])).toEqual([
        'Line#1 INSERT { text: l, poem_id: 1 } [1, 2)',
        'Line#1 DELETE { text: l, poem_id: 1 } [2, )',
      ]);
      expect(await orm.em.fork().execute('select * from poem_readers')).toHaveLength(1);
      await expect(orm.em.fork().execute('select * from poem_readers_version')).rejects.toThrow(/poem_readers_version/);
    },
  );

  it(
    'one to one, from the other side, to a composite key without history is refused',
    refuses('Relations: one-to-one, inverse side, to a composite key without history'),
    async ({ task }) => {
      const Plain = defineEntity({
        name: 'Plain',
        properties: {
          x: p.integer().primary(),
          y: p.integer().primary(),
          of: () => p.oneToOne(Main).inversedBy('plain'),
        },
      });
      const Main = versioned(
        defineEntity({
          name: 'Main',
          properties: { id: p.integer().primary(), plain: () => p.oneToOne(Plain).mappedBy('of').nullable() },
        }),
      );
      await expectRefusal(
        task,
        start(Plain, Main),
        ErrorCode.UNSUPPORTED,
        'Main.plain is the inverse side of a one-to-one relation to Plain, which has a composite key and is not versioned. Mark Plain as versioned, or exclude the relation.',
      );
    },
  );
});
