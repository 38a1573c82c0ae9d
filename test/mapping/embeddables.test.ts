import { defineEntity, p } from '@mikro-orm/core';
import { Embeddable, Embedded, Entity, Enum, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import { Versioned, Versioning, versioned, versionOf } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { covers } from '../support/compatibility/covers.ts';
import { createOrm, describeEachDatabase } from '../support/databases.ts';
import { lifeOf } from '../support/lifeOf.ts';

@Embeddable({ abstract: true, discriminatorColumn: 'kind' })
abstract class Animal {
  @Enum({ items: ['cat', 'dog'], type: 'string' })
  kind!: 'cat' | 'dog';

  @Property({ type: 'string' })
  name!: string;
}

@Embeddable({ discriminatorValue: 'cat' })
class Cat extends Animal {
  override kind = 'cat' as const;

  @Property({ type: 'boolean', nullable: true })
  purrs?: boolean | null;

  constructor(name: string, purrs: boolean) {
    super();
    Object.assign(this, { name, purrs });
  }
}

@Embeddable({ discriminatorValue: 'dog' })
class Dog extends Animal {
  override kind = 'dog' as const;

  @Property({ type: 'integer', nullable: true })
  barks?: number | null;

  constructor(name: string, barks: number) {
    super();
    Object.assign(this, { name, barks });
  }
}

@Entity()
@Versioned()
class Owner {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Embedded(() => [Cat, Dog])
  pet!: Cat | Dog;

  @Embedded(() => [Cat, Dog], { object: true, nullable: true })
  stored?: Cat | Dog | null;

  @Embedded(() => [Cat, Dog], { array: true, nullable: true })
  former?: (Cat | Dog)[] | null;
}

const Inner = defineEntity({
  name: 'Inner',
  embeddable: true,
  properties: { text: p.string(), size: p.integer().nullable() },
});
const Outer = defineEntity({
  name: 'Outer',
  embeddable: true,
  properties: {
    inner: () => p.embedded(Inner),
    relative: () => p.embedded(Inner).prefix('r_').prefixMode('relative'),
    absolute: () => p.embedded(Inner).prefix('abs_').prefixMode('absolute'),
    kept: () => p.embedded(Inner).object(),
  },
});
const Holder = versioned(
  defineEntity({
    name: 'Holder',
    properties: {
      id: p.integer().primary(),
      plain: () => p.embedded(Inner).prefix(false),
      deep: () => p.embedded(Outer),
      json: () => p.embedded(Outer).object().nullable(),
    },
  }),
);

describeEachDatabase('embeddables', db => {
  it(
    'of one of several classes are of that class on the version',
    covers('Embeddables: of one of several classes (discriminator)'),
    async () => {
      const orm = await createOrm(db, { entities: [Animal, Cat, Dog, Owner], extensions: [Versioning] });
      const [cat, dog] = [new Cat('Tom', true), new Dog('Rex', 3)];
      const history = await lifeOf(
        orm,
        Owner,
        { id: 1, pet: cat, stored: cat, former: [cat] },
        { pet: dog, stored: dog, former: [cat, dog] },
      );
      const [tom, rex] = [
        { kind: 'cat', name: 'Tom', purrs: true },
        { kind: 'dog', name: 'Rex', barks: 3 },
      ];
      expect(history).toMatchObject([
        ['INSERT', { id: [null, 1], pet: [null, tom], stored: [null, tom], former: [null, [tom]] }],
        ['UPDATE', { pet: [tom, rex], stored: [tom, rex], former: [[tom], [tom, rex]] }],
        ['DELETE', { pet: [rex, null], stored: [rex, null], former: [[tom, rex], null] }],
        ['INSERT', { id: [null, 1], pet: [null, tom], stored: [null, tom], former: [null, [tom]] }],
      ]);
      const versions = await orm.em.fork().find(versionOf(Owner), {}, { orderBy: { versionId: 'asc' } as never });
      const pets = versions.map(version => (version as unknown as Owner).pet.constructor);
      expect(pets).toEqual([Cat, Dog, Dog, Cat]);
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    },
  );

  it(
    'have the columns that their prefixes say',
    covers('Embeddables: prefix', 'Embeddables: prefixMode', 'Embeddables: nested'),
    async () => {
      const orm = await createOrm(db, { entities: [Inner, Outer, Holder], extensions: [Versioning] });
      const inner = (text: string) => ({ text, size: null });
      const outer = (text: string) => ({
        inner: inner(text),
        relative: inner(`${text}r`),
        absolute: inner(`${text}a`),
        kept: inner(`${text}k`),
      });
      const [first, second] = ['a', 'b'].map(text => ({ plain: inner(text), deep: outer(text), json: outer(text) }));
      const history = await lifeOf(orm, Holder, { id: 1, ...first }, second!);
      expect(history).toMatchObject([
        ['INSERT', { plain: [null, first!.plain], deep: [null, first!.deep], json: [null, first!.json] }],
        ['UPDATE', { plain: [first!.plain, second!.plain], deep: [first!.deep, second!.deep] }],
        ['DELETE', { json: [second!.json, null] }],
        ['INSERT', { plain: [null, first!.plain], deep: [null, first!.deep], json: [null, first!.json] }],
      ]);
      const columns = (table: string) =>
        orm.em
          .fork()
          .execute<object[]>(`select * from ${table}`)
          .then(rows => Object.keys(rows[0]!));
      expect(await columns('holder_version')).toEqual(expect.arrayContaining(await columns('holder')));
    },
  );
});
