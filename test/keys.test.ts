import { defineEntity, p, Type, types } from '@mikro-orm/core';
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

import { createOrm, describeEachDatabase } from './support/databases.ts';
import { expectMirror } from './support/mirror.ts';

/** A key that the database holds as text and the program as an object. */
class Isbn {
  readonly digits: string;

  constructor(digits: string) {
    this.digits = digits;
  }
}
Object.defineProperty(Isbn.prototype, 'toString', {
  value(this: Isbn) {
    return this.digits;
  },
});

class IsbnType extends Type<Isbn, string> {
  override convertToDatabaseValue(value: Isbn | string): string {
    return typeof value === 'string' ? value : `isbn-${value.digits}`;
  }

  override convertToJSValue(value: string | Isbn): Isbn {
    return typeof value === 'string' ? new Isbn(value.replace('isbn-', '')) : value;
  }

  override getColumnType(): string {
    return 'varchar(40)';
  }

  override compareAsType(): string {
    return 'string';
  }
}

const KEYS = {
  integer: [() => p.integer().primary(), [1, 2]],
  'assigned by the database': [() => p.integer().primary(), [undefined, undefined]],
  string: [() => p.string().primary(), ["it's", 'a "quoted" ünïcode \\ key']],
  uuid: [() => p.uuid().primary(), ['0d5a2b5c-4b1e-4f5e-9a3d-1c2b3a4d5e6f', 'ffffffff-4b1e-4f5e-9a3d-1c2b3a4d5e6f']],
  'assigned by onCreate': [
    () =>
      p
        .uuid()
        .primary()
        .onCreate(() => crypto.randomUUID()),
    [undefined, undefined],
  ],
  bigint: [() => p.type(types.bigint).primary(), [9007199254740990n, 12n]],
  date: [() => p.date().primary(), ['2024-02-29', '1999-12-31']],
  datetime: [
    () => p.datetime(3).primary(),
    [new Date('2024-02-29T12:00:00.123Z'), new Date('1969-07-20T20:17:40.001Z')],
  ],
  decimal: [() => p.decimal().precision(10).scale(2).primary(), ['1.50', '22.75']],
  blob: [() => p.blob().primary(), [Buffer.from([0, 1, 255]), Buffer.from('key')]],
  enum: [() => p.enum(['a', 'b']).primary(), ['a', 'b']],
  'a type of the user’s own': [() => p.type(IsbnType).primary(), [new Isbn('1'), new Isbn('2')]],
} as const;

const byText = (a: string, b: string) => (a < b ? -1 : 1);

describeEachDatabase('keys', db => {
  it.each(Object.keys(KEYS))('%s: insert, update, delete, recreate', async name => {
    const [property, values] = KEYS[name as keyof typeof KEYS];
    const Thing = versioned(
      defineEntity({
        name: 'Thing',
        properties: { id: property(), name: p.string(), other: () => p.manyToOne(Thing).nullable() },
      }) as never,
    ) as never;
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

  it('a pivot entity with a key of its own may link the same ends twice', async () => {
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
  });

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
