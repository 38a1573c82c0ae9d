import { p, Type, types } from '@mikro-orm/core';
import { FullTextType } from '@mikro-orm/postgresql';

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
export const PROPERTIES: Record<
  string,
  readonly [make: () => unknown, first: unknown, second: unknown, only?: 'postgresql']
> = {
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
