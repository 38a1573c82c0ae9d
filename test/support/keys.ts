import { p, Type, types } from '@mikro-orm/core';

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

export const KEYS = {
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
  'uuid in capitals': [
    () => p.uuid().primary(),
    ['AD5A2B5C-4B1E-4F5E-9A3D-1C2B3A4D5E6F', 'FFFFFFFF-4B1E-4F5E-9A3D-1C2B3A4D5E6F'],
  ],
  bigint: [() => p.type(types.bigint).primary(), [9007199254740990n, 12n]],
  date: [() => p.date().primary(), ['2024-02-29', '1999-12-31']],
  datetime: [
    () => p.datetime(3).primary(),
    [new Date('2024-02-29T12:00:00.123Z'), new Date('1969-07-20T20:17:40.001Z')],
  ],
  'datetime of whole seconds': [
    () => p.datetime(0).primary(),
    [new Date('2024-02-29T12:00:10Z'), new Date('1969-07-20T20:17:00Z')],
  ],
  'decimal that is written otherwise than the database does': [
    () => p.decimal().precision(10).scale(2).primary(),
    ['1.5', '22.750'],
  ],
  decimal: [() => p.decimal().precision(10).scale(2).primary(), ['1.50', '22.75']],
  blob: [() => p.blob().primary(), [Buffer.from([0, 1, 255]), Buffer.from('key')]],
  enum: [() => p.enum(['a', 'b']).primary(), ['a', 'b']],
  'a type of the user’s own': [() => p.type(IsbnType).primary(), [new Isbn('1'), new Isbn('2')]],
} as const;
