import { defineEntity, p } from '@mikro-orm/core';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import { changeset, ErrorCode, revert, Versioned, Versioning, versioned, versionOf } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { about, covers, expectRefusal, leavesOut, refuses } from '../support/compatibility/covers.ts';
import { createOrm, describeEachDatabase } from '../support/databases.ts';
import { historyOf } from '../support/history.ts';
import { lifeOf, lifeOfValues } from '../support/lifeOf.ts';

/** Values that the program or MikroORM gives, and how properties show them. */
@Entity({ forceConstructor: true })
@Versioned()
class Account {
  @PrimaryKey({ type: 'integer' })
  id: number;

  // behind a pair of accessors
  @Property({ type: 'string', accessor: 'email' })
  private _email: string;

  #phone = '';

  constructor(id: number, email: string) {
    this.id = id;
    this._email = email;
  }

  get email(): string {
    return this._email;
  }

  set email(value: string) {
    this._email = value.toLowerCase();
  }

  @Property({ type: 'string', accessor: true })
  get phone(): string {
    return this.#phone;
  }

  set phone(value: string) {
    this.#phone = value.replaceAll(' ', '');
  }

  // stored, and found out again each time
  @Property({ type: 'string', hydrate: false })
  get domain(): string {
    return this.email.split('@')[1] ?? '';
  }

  // not stored
  @Property({ type: 'string', persist: false })
  get label(): string {
    return `<${this.email}>`;
  }

  @Property({ type: 'string', getter: true, getterName: 'shout', persist: false })
  shout(): string {
    return this.email.toUpperCase();
  }
}

describeEachDatabase('values', db => {
  it(
    'that MikroORM finds out are recorded as they were written',
    covers(
      'Properties: default',
      'Properties: onCreate',
      'Properties: onUpdate',
      'Properties: concurrencyCheck',
      'Properties: strictNullable',
    ),
    async () => {
      const Thing = versioned(
        defineEntity({
          name: 'Thing',
          properties: {
            id: p.integer().primary(),
            name: p.string(),
            size: p.integer().default(3),
            kind: p.string().onCreate(() => 'created'),
            touched: p
              .integer()
              .onCreate(() => 0)
              .onUpdate(thing => (thing as { touched: number }).touched + 1),
            at: p.integer().concurrencyCheck(),
            maybe: p.string().strictNullable(),
          },
        }),
      );
      const orm = await createOrm(db, { entities: [Thing], extensions: [Versioning] });
      const first = { name: 'a', at: 1, maybe: 'm' };
      const [inserted, updated] = await lifeOf(orm, Thing, { id: 1, ...first }, { name: 'b', at: 2, maybe: null });
      expect([inserted, updated]).toEqual([
        [
          'INSERT',
          {
            id: [null, 1],
            name: [null, 'a'],
            size: [null, 3],
            kind: [null, 'created'],
            touched: [null, 0],
            at: [null, 1],
            maybe: [null, 'm'],
          },
        ],
        ['UPDATE', { name: ['a', 'b'], touched: [0, 1], at: [1, 2], maybe: ['m', null] }],
      ]);
    },
  );

  it(
    'are recorded however they are shown',
    covers(
      'Properties: hidden',
      'Properties: serializer, serializedName',
      'Properties: groups',
      'Properties: customOrder',
    ),
    async () => {
      const Thing = versioned(
        defineEntity({
          name: 'Thing',
          properties: {
            id: p.integer().primary(),
            hidden: p.string().hidden(),
            shown: p
              .string()
              .serializer(value => `<${value}>`)
              .serializedName('other'),
            grouped: p.string().groups('admin'),
            ordered: p.enum(['b', 'a']).customOrder('b', 'a'),
          },
        }),
      );
      const orm = await createOrm(db, { entities: [Thing], extensions: [Versioning] });
      const [first, second] = [
        { hidden: 'a', shown: 'a', grouped: 'a', ordered: 'a' },
        { hidden: 'b', shown: 'b', grouped: 'b', ordered: 'b' },
      ];
      expect(await lifeOf(orm, Thing, { id: 1, ...first }, second)).toEqual(lifeOfValues({ id: 1 }, first, second));
      const [version] = await orm.em.fork().find(versionOf(Thing), { hidden: 'b' }, { orderBy: { ordered: 'asc' } });
      expect(JSON.parse(JSON.stringify(version))).toMatchObject({ other: '<b>', ordered: 'b' });
    },
  );

  it(
    'behind accessors are recorded as they are stored',
    about({
      supported: ['Properties: accessor', 'Properties: hydrate: false'],
      'left out': ['Properties: getter, setter, getterName without a column'],
    }),
    async () => {
      const orm = await createOrm(db, { entities: [Account], extensions: [Versioning] });
      const em = orm.em.fork();
      const account = new Account(1, 'kim@a.example');
      account.phone = '1 2';
      em.persist(account);
      await em.flush();
      account.email = 'KIM@B.example';
      expect(changeset(account)).toEqual({
        _email: ['kim@a.example', 'kim@b.example'],
        domain: ['a.example', 'b.example'],
      });
      await em.flush();
      const [first, second] = await orm.em
        .fork()
        .find(versionOf(Account), {}, { orderBy: { versionId: 'asc' } as never });
      expect((first as { changeset: object }).changeset).toEqual({
        id: [null, 1],
        _email: [null, 'kim@a.example'],
        phone: [null, '12'],
        domain: [null, 'a.example'],
      });
      expect((second as { changeset: object }).changeset).toEqual({
        _email: ['kim@a.example', 'kim@b.example'],
        domain: ['a.example', 'b.example'],
      });
      for (const absent of ['label', 'shout']) {
        expect(first).not.toHaveProperty(absent);
      }
      await revert(account, 1);
      await em.flush();
      expect(await orm.em.fork().findOneOrFail(Account, 1)).toMatchObject({ email: 'kim@a.example', phone: '12' });
    },
  );

  it('that a mark leaves out make no version', leavesOut('Properties: left out by the mark (exclude)'), async () => {
    const Thing = versioned(
      defineEntity({ name: 'Thing', properties: { id: p.integer().primary(), views: p.integer() } }),
      { exclude: ['views'] },
    );
    const orm = await createOrm(db, { entities: [Thing], extensions: [Versioning] });
    const em = orm.em.fork();
    const row = em.create(Thing, { id: 1, views: 1 });
    await em.flush();
    row.views = 2;
    await em.flush();
    expect(await historyOf(orm, [Thing])).toEqual(['Thing#1 INSERT {  } [1, )']);
  });

  it(
    'of a name that a version has itself are refused',
    refuses("Properties: of a version member's name"),
    async ({ task }) => {
      const Thing = versioned(
        defineEntity({ name: 'Thing', properties: { id: p.integer().primary(), changeset: p.json() } }),
      );
      await expectRefusal(
        task,
        createOrm(db, { entities: [Thing], extensions: [Versioning] }),
        ErrorCode.NAME_COLLISION,
        "Thing.changeset has the name of a version's own member. Give it another name on the version: @Versioned({ rename: { changeset: 'thingChangeset' } }).",
      );
    },
  );
});
