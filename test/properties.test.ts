import { defineEntity, p, raw, ref, Type, types, type ScalarReference } from '@mikro-orm/core';
import { FullTextType } from '@mikro-orm/postgresql';
import { changeset, loadHistory, revert, Versioning, versioned, versionOf } from 'mikro-orm-versioning';
import { describe, expect, it } from 'vitest';

import { createOrm, describeEachDatabase } from './support/databases.ts';
import { expectMirror } from './support/mirror.ts';

class Point {
  readonly x: number;
  readonly y: number;

  constructor(x: number, y: number) {
    this.x = x;
    this.y = y;
  }
}

class PointType extends Type<Point, string> {
  // null where the column is nullable
  override convertToDatabaseValue(value: Point | null): string {
    return value === null ? (value as never) : `(${value.x},${value.y})`;
  }

  override convertToJSValue(value: string | { x: number; y: number } | null): Point {
    if (typeof value !== 'string') {
      return value === null ? (value as never) : new Point(value.x, value.y);
    }
    const [x, y] = value.slice(1, -1).split(',').map(Number);
    return new Point(x!, y!);
  }

  override getColumnType(): string {
    return 'point';
  }
}

const column = (type: string) => p.type(types.string).columnType(type);

/** A property, two values of it, and where the database has the type. */
const PROPERTIES: Record<string, readonly [make: () => unknown, first: unknown, second: unknown, only?: 'postgresql']> =
  {
    integer: [() => p.integer(), 1, 0],
    smallint: [() => p.smallint(), 1, -2],
    bigint: [() => p.bigint(), 9007199254740993n, 0n],
    'bigint as a number': [() => p.bigint('number'), 5, 6],
    double: [() => p.double(), 0.1, -1e300],
    float: [() => p.float(), 0.5, 0],
    decimal: [() => p.decimal().precision(10).scale(2), '1.50', '2.25'],
    boolean: [() => p.boolean(), true, false],
    string: [() => p.string(), 'a', ''],
    'string that differs by case': [() => p.string(), 'case', 'CASE'],
    'string with trailing blanks': [() => p.string(), 'a', 'a '],
    text: [() => p.text(), 'long '.repeat(500), "it's \\ ünï ? :x $1"],
    character: [() => p.character().length(5), 'abcde', 'fghij'],
    uuid: [() => p.uuid(), '0d5a2b5c-4b1e-4f5e-9a3d-1c2b3a4d5e6f', 'ffffffff-4b1e-4f5e-9a3d-1c2b3a4d5e6f'],
    date: [() => p.date(), '2024-02-29', '1969-12-31'],
    time: [() => p.time(), '12:30:00', '00:00:01'],
    datetime: [() => p.datetime(3), new Date('2024-02-29T12:00:00.123Z'), new Date('1969-07-20T20:17:40.001Z')],
    'datetime by its name': [() => p.type('datetime').length(3), new Date(1e12), new Date(2e12 + 1)],
    'datetime without a zone': [
      () => p.datetime(3).columnType('timestamp(3)'),
      new Date(1e12),
      new Date(2e12),
      'postgresql',
    ],
    interval: [() => p.interval(), '1 day', '02:00:00', 'postgresql'],
    blob: [() => p.blob(), Buffer.from([0, 1, 255]), Buffer.from('b')],
    uint8array: [() => p.uint8array(), new Uint8Array([0, 9]), new Uint8Array([255])],
    json: [() => p.json(), { a: [1, { b: null }] }, [1, 'two', false]],
    'json by its order of keys': [() => p.json().columnType('json'), { a: 1, b: 2 }, { b: 2, a: 1 }, 'postgresql'],
    array: [() => p.array(), ['a', 'b,c'], []],
    'array of integers': [() => p.array<number>(Number).columnType('int[]'), [1, 2], [3], 'postgresql'],
    enum: [() => p.enum(['a', 'b']), 'a', 'b'],
    'native enum': [() => p.enum(['a', 'b']).nativeEnumName('letter'), 'a', 'b', 'postgresql'],
    'array of enums': [() => p.enum(['a', 'b']).array(), ['a'], ['b', 'a']],
    point: [() => p.type(PointType), new Point(1, 2), new Point(3, 4), 'postgresql'],
    'full text': [() => p.type(new FullTextType('simple')), 'one two', 'three', 'postgresql'],
    xml: [() => column('xml'), '<a/>', '<b>x</b>', 'postgresql'],
    inet: [() => column('inet'), '10.0.0.1', '::1', 'postgresql'],
    range: [() => column('int4range'), '[1,5)', 'empty', 'postgresql'],
    'reserved word': [() => p.string().fieldName('select'), 'a', 'b'],
    'quoted name': [() => p.string().fieldName('we"ird name'), 'a', 'b'],
    hidden: [() => p.string().hidden(), 'a', 'b'],
    lazy: [() => p.string().lazy(), 'a', 'b'],
  };

describeEachDatabase('properties', db => {
  const names = Object.keys(PROPERTIES).filter(name => (PROPERTIES[name]![3] ?? db.name) === db.name);

  it.each(names)('%s: every state comes back, differs where it differs, and can be brought back', async name => {
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
      const thing = (await em.findOneOrFail(Thing, 1 as never, { populate: ['value'] as never })) as { value: unknown };
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
    const versions = (await reader.find(versionOf(Thing), {}, { orderBy: { versionId: 'asc' } as never })) as never as {
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
    const thing = (await back.findOneOrFail(Thing, 1 as never, { populate: ['value'] as never })) as { value: unknown };
    await revert(thing, 2);
    expect(changeset(thing)).toEqual({ value: [null, one] });
    if (name === 'full text') {
      // MikroORM makes a text search vector of whatever it writes, also of a vector
      return;
    }
    await back.flush();
    expect(
      ((await orm.em.fork().findOneOrFail(Thing, 1 as never, { populate: ['value'] as never })) as { value: unknown })
        .value,
    ).toEqual(one);
  });

  describe('what is no plain column', () => {
    it('generated and database-computed columns are versioned as the database has them, formulas are not', async () => {
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
    });

    it('scalar references are references on the version as well', async () => {
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
    });
  });
});
