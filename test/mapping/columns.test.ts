import { defineEntity, p, Type, types } from '@mikro-orm/core';
import { Versioning, versioned } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { about, covers } from '../support/compatibility/covers.ts';
import { createOrm, describeDatabase, describeEachDatabase } from '../support/databases.ts';
import { lifeOf, lifeOfValues } from '../support/lifeOf.ts';

/** A value that the database stores and gives in another case. */
class Shouted extends Type<string, string> {
  override convertToDatabaseValueSQL(key: string): string {
    return `upper(${key})`;
  }

  override convertToJSValueSQL(key: string): string {
    return `lower(${key})`;
  }

  override getColumnType(): string {
    return 'varchar(255)';
  }
}

class Money {
  readonly cents: number;

  constructor(cents: number) {
    this.cents = cents;
  }
}

class MoneyType extends Type<Money | null, number | null> {
  override convertToDatabaseValue(value: Money | null): number | null {
    return value && value.cents;
  }

  override convertToJSValue(value: number | null): Money | null {
    return value === null ? null : new Money(value);
  }

  override getColumnType(): string {
    return 'int';
  }

  override compareAsType(): string {
    return 'number';
  }
}

const thing = (properties: object, more: object = {}) =>
  versioned(
    defineEntity({
      name: 'Thing',
      properties: { id: p.integer().primary(), ...properties },
      ...more,
    } as never) as never,
  ) as never as object;

describeEachDatabase('columns', db => {
  const start = (entity: object) => createOrm(db, { entities: [entity as never], extensions: [Versioning] });

  it(
    'may be declared in every way',
    about({
      supported: [
        'Properties: column name (name, fieldName)',
        'Properties: column type (type, columnType, runtimeType, length, precision, scale)',
        'Properties: unsigned',
        'Properties: comment, extra, ignoreSchemaChanges',
        'Properties: returning',
        'Properties: autoincrement',
        'Properties: index, unique',
      ],
      'left out': ['Properties: check'],
    }),
    async () => {
      const Thing = thing(
        {
          named: p.string().name('other_name'),
          sized: p.string().length(20),
          exact: p.decimal().precision(8).scale(3),
          typed: p.type('string').columnType('text').runtimeType('string'),
          positive: p.integer().unsigned(),
          noted: p.string().comment('a note'),
          checked: p.string().check("checked <> ''"),
          indexed: p.string().index('thing_indexed'),
          unique: p.string().unique(),
          frozen: p.string().ignoreSchemaChanges('type'),
          extra: p.string().extra('of MySQL'),
          returned: p.integer().returning(),
          numbered: p.integer().autoincrement(false),
        },
        { comment: 'all of them' },
      );
      const orm = await start(Thing);
      const values = (text: string, number: number) => ({
        named: text,
        sized: text,
        exact: `${number}.125`,
        typed: text,
        positive: number,
        noted: text,
        checked: text,
        indexed: text,
        unique: text,
        frozen: text,
        extra: text,
        returned: number,
        numbered: number,
      });
      expect(await lifeOf(orm, Thing, { id: 1, ...values('a', 1) }, values('b', 2))).toEqual(
        lifeOfValues({ id: 1 }, values('a', 1), values('b', 2)),
      );
    },
  );

  it('may compare by a collation, which does not hide a change', covers('Properties: collation'), async () => {
    const Thing = thing({ text: p.string().collation(db.name === 'sqlite' ? 'NOCASE' : 'C') });
    const orm = await start(Thing);
    const [first, second] = [{ text: 'case' }, { text: 'CASE' }];
    expect(await lifeOf(orm, Thing, { id: 1, ...first }, second)).toEqual(lifeOfValues({ id: 1 }, first, second));
  });

  it(
    'may be of the smaller and the unknown types',
    covers(
      'Types: tinyint',
      'Types: unknown',
      'Types: enum of numbers, or of an object',
      'Types: array of a type (array: true)',
    ),
    async () => {
      const Thing = thing({
        tiny: p.tinyint(),
        unknown: p.type(types.unknown).columnType('text'),
        numbers: p.enum([1, 2]),
        items: p.enum(() => ({ A: 'a', B: 'b' })),
        strings: p.string().array(),
      });
      const orm = await start(Thing);
      const [first, second] = [
        { tiny: 1, unknown: 'a', numbers: 1, items: 'a', strings: ['a'] },
        { tiny: 2, unknown: 'b', numbers: 2, items: 'b', strings: ['b', 'c,d'] },
      ];
      expect(await lifeOf(orm, Thing, { id: 1, ...first }, second)).toEqual(lifeOfValues({ id: 1 }, first, second));
    },
  );

  it(
    'may have types of the application',
    covers('Types: a type of the user’s own', 'Types: a type that is converted in SQL'),
    async () => {
      const Thing = thing({ money: p.type(MoneyType), shouted: p.type(Shouted) });
      const orm = await start(Thing);
      const [first, second] = [
        { money: new Money(1), shouted: 'one' },
        { money: new Money(2), shouted: 'two' },
      ];
      expect(await lifeOf(orm, Thing, { id: 1, ...first }, second)).toEqual(lifeOfValues({ id: 1 }, first, second));
    },
  );
});

describeDatabase('sqlite', 'columns', db => {
  it('may be medium integers', covers('Types: mediumint'), async () => {
    const Thing = thing({ medium: p.mediumint() });
    const orm = await createOrm(db, { entities: [Thing as never], extensions: [Versioning] });
    const [first, second] = [{ medium: 1 }, { medium: 2 }];
    expect(await lifeOf(orm, Thing, { id: 1, ...first }, second)).toEqual(lifeOfValues({ id: 1 }, first, second));
  });
});

/** Types without an equality among them, by name, with two values as the database writes them. */
const POSTGRESQL_TYPES = {
  bit: ['bit(3)', '101', '010'],
  'time with a zone': ['timetz', '12:30:00+02', '00:00:01-03:30'],
  money: ['money', '$1.50', '-$2.00'],
  cidr: ['cidr', '10.0.0.0/8', '::1/128'],
  macaddr: ['macaddr', '08:00:2b:01:02:03', '08:00:2b:01:02:04'],
  line: ['line', '{1,2,3}', '{2,2,3}'],
  lseg: ['lseg', '[(0,0),(1,1)]', '[(0,0),(2,2)]'],
  box: ['box', '(1,1),(0,0)', '(2,1),(1,0)'],
  path: ['path', '((0,0),(1,1))', '[(0,0),(1,1)]'],
  polygon: ['polygon', '((0,0),(1,1),(2,0))', '((0,0),(1,1),(3,0))'],
  tsquery: ['tsquery', "'a' & 'b'", "'c'"],
  'range of times': ['tstzrange', '["2024-01-01 00:00:00+00","2024-02-01 00:00:00+00")', 'empty'],
  multirange: ['int4multirange', '{[1,3)}', '{[1,2),[5,6)}'],
  jsonpath: ['jsonpath', '$."a"', '$."b"'],
} as const;

describeDatabase('postgresql', 'columns', db => {
  it('may be of any type of the database', covers('Types: any other column type'), async () => {
    const columns = Object.entries(POSTGRESQL_TYPES).map(([name, type]) => [name.replaceAll(' ', '_'), type] as const);
    const Thing = thing(Object.fromEntries(columns.map(([name, [type]]) => [name, p.string().columnType(type)])));
    const orm = await createOrm(db, { entities: [Thing as never], extensions: [Versioning], timezone: 'UTC' });
    const [first, second] = [1, 2].map(i => Object.fromEntries(columns.map(([name, type]) => [name, type[i]])));
    expect(await lifeOf(orm, Thing, { id: 1, ...first }, second!)).toMatchObject(
      lifeOfValues({ id: 1 }, first!, second!),
    );
  });
});
