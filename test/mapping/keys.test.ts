import { defineEntity, p, Type } from '@mikro-orm/core';
import { ErrorCode, Versioning, versioned } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { covers, expectRefusal, refuses } from '../support/compatibility/covers.ts';
import { createOrm, describeEachDatabase } from '../support/databases.ts';
import { lifeOf, lifeOfValues } from '../support/lifeOf.ts';

class Doubled extends Type<number, number> {
  override convertToDatabaseValueSQL(key: string): string {
    return `(${key} * 2)`;
  }

  override getColumnType(): string {
    return 'int';
  }
}

const Parent = versioned(defineEntity({ name: 'Parent', properties: { id: p.integer().primary() } }));

const KEYS = {
  composite: { x: p.integer().primary(), y: p.string().primary() },
  'a foreign key': { parent: () => p.oneToOne(Parent).primary() },
  'composite with a foreign key': { parent: () => p.manyToOne(Parent).primary(), n: p.integer().primary() },
  'in a column of another name': { id: p.integer().primary().fieldName('the key') },
} as const;

const VALUES = {
  composite: { x: 1, y: 'a' },
  'a foreign key': { parent: 1 },
  'composite with a foreign key': { parent: 1, n: 2 },
  'in a column of another name': { id: 1 },
} as const satisfies Record<keyof typeof KEYS, object>;

describeEachDatabase('keys', db => {
  for (const name of Object.keys(KEYS) as (keyof typeof KEYS)[]) {
    it(`${name}: a row lives, dies and comes back`, covers(`Keys: ${name}`), async () => {
      const Thing = versioned(
        defineEntity({ name: 'Thing', properties: { ...KEYS[name], text: p.string() } } as never) as never,
      ) as never as object;
      const orm = await createOrm(db, { entities: [Parent, Thing as never], extensions: [Versioning] });
      const em = orm.em.fork();
      em.create(Parent, { id: 1 });
      await em.flush();
      const [first, second] = [{ text: 'a' }, { text: 'b' }];
      expect(await lifeOf(orm, Thing, { ...VALUES[name], ...first }, second)).toEqual(
        lifeOfValues(VALUES[name], first, second),
      );
    });
  }

  it(
    'a serialized key is left out, and the key itself is not',
    covers('Keys: serialized key (serializedPrimaryKey)'),
    async () => {
      const Thing = versioned(
        defineEntity({
          name: 'Thing',
          properties: {
            _id: p.integer().primary(),
            id: p.string().serializedPrimaryKey().persist(false).nullable(),
            text: p.string(),
          },
        }),
      );
      const orm = await createOrm(db, { entities: [Thing], extensions: [Versioning] });
      const [first, second] = [{ text: 'a' }, { text: 'b' }];
      expect(await lifeOf(orm, Thing, { _id: 1, ...first }, second)).toEqual(lifeOfValues({ _id: 1 }, first, second));
    },
  );

  it('one of JSON is refused', refuses('Keys: JSON'), async ({ task }) => {
    const Thing = versioned(defineEntity({ name: 'Thing', properties: { id: p.json().primary() } }));
    const attempt = createOrm(db, { entities: [Thing], extensions: [Versioning] });
    await expectRefusal(
      task,
      attempt,
      ErrorCode.UNSUPPORTED,
      'Thing.id is a key of type JSON. Use a key whose value is the one in the database.',
    );
  });

  it('one that is converted in SQL is refused', refuses('Keys: a type that is converted in SQL'), async ({ task }) => {
    const Thing = versioned(defineEntity({ name: 'Thing', properties: { id: p.type(Doubled).primary() } }));
    const attempt = createOrm(db, { entities: [Thing], extensions: [Versioning] });
    await expectRefusal(
      task,
      attempt,
      ErrorCode.UNSUPPORTED,
      'Thing.id is a key that its type converts in SQL. Use a key whose value is the one in the database.',
    );
  });
});
