import { defineEntity, p } from '@mikro-orm/core';
import {
  changeset,
  countVersions,
  loadHistory,
  Operation,
  revert,
  Versioning,
  versioned,
  versionOf,
} from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { covers } from './support/compatibility/covers.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';
import { expectMirror } from './support/mirror.ts';
import { KEYS } from './support/keys.ts';

const byText = (a: string, b: string) => (a < b ? -1 : 1);

const byOperation = ([a, one]: readonly unknown[], [b, other]: readonly unknown[]) =>
  byText(`${String(one)} ${String(a)}`, `${String(other)} ${String(b)}`);

/** A class with such a key, that leads to others of its own. */
function thingOf(property: (typeof KEYS)[keyof typeof KEYS][0]): never {
  const Thing = versioned(
    defineEntity({
      name: 'Thing',
      properties: { id: property(), name: p.string(), other: () => p.manyToOne(Thing).nullable() },
    }) as never,
  ) as never;
  return Thing;
}

describeEachDatabase('keys', db => {
  for (const name of Object.keys(KEYS) as (keyof typeof KEYS)[]) {
    it(`${name}: insert, update, delete, recreate`, covers(`Keys: ${name}`), async () => {
      const [property, values] = KEYS[name];
      const Thing = thingOf(property);
      const orm = await createOrm(db, { entities: [Thing], extensions: [Versioning] });
      // on SQLite, MikroORM itself finds differences in live tables with bigint and enum keys
      expect(await orm.schema.getUpdateSchemaSQL()).not.toContain('thing_version');
      const em = orm.em.fork();
      const [first, second] = values.map(id =>
        em.create(Thing, { ...(id === undefined ? {} : { id }), name: 'a' } as never),
      ) as unknown as { id: unknown; name: string; other: unknown }[];
      await em.flush();
      second!.other = first;
      first!.name = 'b';
      await em.flush();
      await expectMirror(orm);
      expect(await countVersions(first!)).toBe(2);

      const fresh = orm.em.fork();
      const versions = (await fresh.find(
        versionOf(Thing),
        {},
        {
          populate: ['other'] as never,
          orderBy: { versionId: 'asc' } as never,
        },
      )) as never as {
        id: unknown;
        name: string;
        other: { name: string } | null;
        changeset: Record<string, unknown[]>;
        entity: unknown;
      }[];
      await loadHistory(versions as never);
      expect(versions.map(version => `${version.name} ${version.other?.name}`).toSorted(byText)).toEqual([
        'a b',
        'a undefined',
        'a undefined',
        'b undefined',
      ]);
      const reloaded = (await orm.em.fork().findOneOrFail(Thing, { name: 'b' } as never)) as { id: unknown };
      expect(versions.find(version => version.other)!.changeset['other']).toEqual([null, reloaded.id]);
      expect(versions[0]!.changeset['id']).toEqual([null, versions[0]!.id]);
      expect(versions.every(version => version.entity)).toBe(true);

      const last = orm.em.fork();
      const gone = (await last.findOneOrFail(Thing, { name: 'b' } as never)) as { id: unknown };
      last.remove(gone);
      expect(changeset(gone)).toMatchObject({ name: ['b', null] });
      await last.flush();
      await expectMirror(orm);

      const back = orm.em.fork();
      const [state] = await back.find(versionOf(Thing), { name: 'b', operationType: Operation.UPDATE } as never);
      await revert(state as never);
      await back.flush();
      expect(await orm.em.fork().count(Thing, { name: 'b' } as never)).toBe(1);
    });

    it(
      `${name}: a row has one version, in whatever ways a transaction comes to it`,
      covers(`Keys: ${name}`),
      async () => {
        const [property, values] = KEYS[name];
        const Thing = thingOf(property);
        const orm = await createOrm(db, { entities: [Thing], extensions: [Versioning] });
        const create = (em: Orm['em'], i: number, other?: object) =>
          em.create(Thing, { ...(values[i] === undefined ? {} : { id: values[i] }), name: `row ${i}`, other } as never);
        const find = async (em: Orm['em'], i: number) => em.findOneOrFail(Thing, { name: `row ${i}` } as never);
        const operations = async () => {
          const versions = await orm.em.fork().find(versionOf(Thing), {}, { orderBy: { versionId: 'asc' } as never });
          return (versions as { name: string; operationType: Operation }[]).map(each => [
            each.name,
            each.operationType,
          ]);
        };
        // one is inserted and deleted, of which the database tells the other
        await orm.em.fork().transactional(async outer => {
          const em = outer as Orm['em'];
          create(em, 1, create(em, 0));
          await em.flush();
          const inner = em.fork({ keepTransactionContext: true });
          inner.remove(await find(inner, 0));
          await inner.flush();
        });
        expect(await operations()).toEqual([['row 1', Operation.INSERT]]);
        // both are deleted, and one is told of the other besides
        const em = orm.em.fork();
        Object.assign(await find(em, 1), { other: create(em, 0) });
        await em.flush();
        const last = orm.em.fork();
        last.remove(await last.find(Thing, {}));
        await last.flush();
        expect((await operations()).toSorted(byOperation)).toEqual([
          ['row 0', Operation.INSERT],
          ['row 1', Operation.INSERT],
          ['row 1', Operation.UPDATE],
          ['row 0', Operation.DELETE],
          ['row 1', Operation.DELETE],
        ]);
      },
    );
  }

  it(
    'a pivot entity with a key of its own may link the same ends twice',
    covers('Relations: pivotEntity', 'Relations: pivotEntity with a key of its own'),
    async () => {
      const Left = versioned(
        defineEntity({
          name: 'Left',
          properties: { id: p.integer().primary(), rights: () => p.manyToMany(Right).pivotEntity(() => Pair) },
        }),
      );
      const Right = defineEntity({ name: 'Right', properties: { id: p.integer().primary() } });
      const Pair = defineEntity({
        name: 'Pair',
        properties: {
          id: p.integer().primary(),
          left: () => p.manyToOne(Left),
          right: () => p.manyToOne(Right),
          note: p.string(),
        },
      });
      const orm = await createOrm(db, { entities: [Left, Right, Pair], extensions: [Versioning] });
      const em = orm.em.fork();
      const [left, right] = [em.create(Left, { id: 1 }), em.create(Right, { id: 1 })];
      em.create(Pair, { id: 1, left, right, note: 'one' });
      const second = em.create(Pair, { id: 2, left, right, note: 'two' });
      await em.flush();
      second.note = 'TWO';
      await em.flush();
      expect(await em.execute('select note from pair_version order by version_id')).toEqual([
        { note: 'one' },
        { note: 'two' },
        { note: 'TWO' },
      ]);
    },
  );

  it.each(['select-in', 'joined', 'balanced'] as const)(
    'versions whose row is gone, or what its key leads to, are found with those, %s',
    async strategy => {
      const User = defineEntity({ name: 'User', properties: { id: p.integer().primary() } });
      const Vote = versioned(
        defineEntity({
          name: 'Vote',
          properties: {
            user: () => p.manyToOne(User).primary().deleteRule('cascade'),
            round: p.integer().primary(),
          },
        }),
      );
      const orm = await createOrm(db, { entities: [User, Vote], extensions: [Versioning] });
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
      expect((await orm.schema.getCreateSchemaSQL()).match(/user_id.{1,3}int(eger)? not null/g)).toHaveLength(2);
      const em = orm.em.fork();
      const users = [1, 2].map(id => em.create(User, { id }));
      users.forEach(user => em.create(Vote, { user, round: 1 } as never));
      await em.flush();
      em.remove(users[0]!);
      await em.flush();
      const versions = (await orm.em.fork().find(
        versionOf(Vote),
        {},
        {
          populate: ['entity', 'user'] as never,
          orderBy: { user: 'asc', versionId: 'asc' } as never,
          strategy,
        },
      )) as never as { entity: object | null; user: object | null }[];
      expect(versions.map(({ entity, user }) => [entity !== null, user !== null])).toEqual([
        [false, false],
        [false, false],
        [true, true],
      ]);
    },
  );
});
