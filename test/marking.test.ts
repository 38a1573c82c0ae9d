import { defineEntity, EntitySchema, p, type MikroORM } from '@mikro-orm/core';
import { Entity, ManyToOne, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import {
  ErrorCode,
  Versioned,
  Versioning,
  versioned,
  versionOf,
  VersionTransaction,
  type VersioningOptions,
} from 'mikro-orm-versioning';
import { describe, expect, it } from 'vitest';

import { covers } from './support/compatibility/covers.ts';
import { createOrm, describeEachDatabase, type OrmOptions } from './support/databases.ts';
import { historyOf } from './support/history.ts';

@Entity()
@Versioned({ exclude: ['views'] })
class Decorated {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @Property({ type: 'integer', default: 0 })
  views?: number;

  @ManyToOne(() => Decorated, { nullable: true })
  parent?: Decorated | null;
}

abstract class Base {
  @PrimaryKey({ type: 'integer' })
  id!: number;
}

@Versioned()
abstract class MarkedBase extends Base {}

@Entity()
class Inheriting extends MarkedBase {
  @Property({ type: 'string' })
  name!: string;
}

class Thing {
  id!: number;
  name!: string;
}
const schema = (name = 'Thing') =>
  new EntitySchema<Thing>({ name, properties: { id: { type: 'integer', primary: true }, name: { type: 'string' } } });
const define = (name = 'Defined') =>
  defineEntity({ name, properties: { id: p.integer().primary(), name: p.string() } });

describeEachDatabase('marking', db => {
  const start = (entities: readonly object[], options?: VersioningOptions) =>
    createOrm(db, { entities: entities as never, extensions: [options ? Versioning.with(options) : Versioning] });

  it.each([
    ['a decorator', [Decorated], Decorated, {}],
    ['a decorator on a base class', [Inheriting], Inheriting, {}],
    ...[versioned(schema('Wrapped'))].map(each => ['versioned(EntitySchema)', [each], each, {}] as const),
    ...[versioned(define('WrappedToo'))].map(each => ['versioned(defineEntity)', [each], each, {}] as const),
    ...[schema('Listed')].map(each => ['the list in the configuration', [each], each, { entities: [each] }] as const),
    ...[define('ListedToo')].map(
      each => ['the list with options', [each], each, { entities: [[each, { tableName: 'listed_history' }]] }] as const,
    ),
  ] as const)(
    '%s records history',
    covers(
      'Inheritance: abstract base class',
      'Inheritance: mark on a base class',
      'Metadata sources: the configuration’s list of marks',
    ),
    async (_, entities, entity, options) => {
      const orm = await start(entities, options as VersioningOptions);
      const em = orm.em.fork();
      em.create(entity as typeof Thing, { id: 1, name: 'a' });
      await em.flush();
      expect(await historyOf(orm, [entity])).toMatchObject([expect.stringMatching(/#1 INSERT \{ name: a/)]);
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    },
  );

  it('the options of one ORM start another one, with a history of its own', async () => {
    const Copied = versioned(define('Copied'));
    const first = await start([Copied]);
    const second = await createOrm(db, first.config.getAll() as OrmOptions);
    for (const orm of [first, second]) {
      const em = orm.em.fork();
      em.create(Copied, { id: 1, name: 'a' });
      await em.flush();
      expect(await historyOf(orm, [Copied])).toEqual(['Copied#1 INSERT { name: a } [1, )']);
      expect(await em.count(VersionTransaction)).toBe(1);
    }
  });

  it("an extension of the application's own may register it", async () => {
    const Registered = versioned(define('Registered'));
    const ours = { register: (orm: MikroORM) => Versioning.register(orm) };
    const orm = await createOrm(db, { entities: [Registered], extensions: [ours] });
    const em = orm.em.fork();
    em.create(Registered, { id: 1, name: 'a' });
    await em.flush();
    expect(await historyOf(orm, [Registered])).toEqual(['Registered#1 INSERT { name: a } [1, )']);
  });

  it(
    "global names of tables, columns and the type of ids are the user's",
    covers('Schemas and names: names of history tables and columns'),
    async () => {
      const Named = versioned(define('Named'), { tableName: 'named_past' });
      const Suffixed = versioned(
        defineEntity({ name: 'Suffixed', properties: { id: p.integer().primary(), named: () => p.manyToMany(Named) } }),
      );
      const orm = await start([Named, Suffixed], {
        tableSuffix: '_history',
        transactionTable: 'revision',
        transactionIdType: 'integer',
        columns: { versionId: 'vid', transactionId: 'rev', endTransactionId: 'rev_end', operationType: 'op' },
      });
      const em = orm.em.fork();
      em.create(Suffixed, { id: 1, named: [em.create(Named, { id: 1, name: 'a' })] });
      await em.flush();
      const rows = (table: string) => em.execute(`select * from ${table}`);
      expect(await rows('named_past')).toEqual([{ vid: 1, rev: 1, rev_end: 2147483647, op: 0, id: 1, name: 'a' }]);
      expect(await rows('suffixed_history')).toEqual([{ vid: 1, rev: 1, rev_end: 2147483647, op: 0, id: 1 }]);
      expect(await rows('suffixed_named_history')).toEqual([
        { vid: 1, rev: 1, rev_end: 2147483647, suffixed_id: 1, named_id: 1 },
      ]);
      expect(await rows('revision')).toHaveLength(1);
      const [version] = await em.find(versionOf(Suffixed), {}, { populate: ['named', 'transaction'] });
      expect(version!.named.map(each => each.name)).toEqual(['a']);
      expect(version!.endTransaction).toBeNull();
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    },
  );

  it('the rename option keeps both names apart', covers('Properties: renamed by the mark (rename)'), async () => {
    const Order = versioned(
      defineEntity({
        name: 'Order',
        tableName: 'orders',
        properties: { id: p.integer().primary(), transaction: p.string().fieldName('payment_ref'), index: p.integer() },
      }),
      { rename: { transaction: 'payment', index: 'position' } },
    );
    const orm = await start([Order]);
    const em = orm.em.fork();
    const order = em.create(Order, { id: 1, transaction: 'visa', index: 3 });
    await em.flush();
    order.transaction = 'cash';
    await em.flush();
    const versions = (await em.find(
      versionOf(Order),
      {},
      { populate: ['transaction'], orderBy: { versionId: 'asc' } },
    )) as unknown as {
      payment: string;
      position: number;
      index: number;
      changeset: object;
      transaction: VersionTransaction;
    }[];
    expect(
      versions.map(({ payment, position, index, changeset }) => ({ payment, position, index, changeset })),
    ).toEqual([
      {
        payment: 'visa',
        position: 3,
        index: 0,
        changeset: { id: [null, 1], payment: [null, 'visa'], position: [null, 3] },
      },
      { payment: 'cash', position: 3, index: 1, changeset: { payment: ['visa', 'cash'] } },
    ]);
    expect(versions[0]!.transaction).toBeInstanceOf(VersionTransaction);
  });

  it('the versions may have another name', async () => {
    const Release = versioned(
      defineEntity({ name: 'Release', properties: { id: p.integer().primary(), versions: p.string() } }),
      { versionsProperty: 'history' },
    );
    const orm = await start([Release]);
    const em = orm.em.fork();
    em.create(Release, { id: 1, versions: '1.0' });
    await em.flush();
    const release = (await em.findOneOrFail(Release, 1, { populate: ['history'] as never })) as unknown as {
      history: { versions: string }[];
    };
    expect(release.history[0]!.versions).toBe('1.0');
  });

  describe('refuses at start', () => {
    const collide = (name: string) =>
      versioned(defineEntity({ name: 'Order', properties: { id: p.integer().primary(), [name]: p.string() } }));

    it.each([
      [
        'transaction',
        "Order.transaction has the name of a version's own member. Give it another name on the version: @Versioned({ rename: { transaction: 'orderTransaction' } }).",
      ],
      [
        'operationType',
        "Order.operationType has the name of a version's own member. Give it another name on the version: @Versioned({ rename: { operationType: 'orderOperationType' } }).",
      ],
      [
        'changeset',
        "Order.changeset has the name of a version's own member. Give it another name on the version: @Versioned({ rename: { changeset: 'orderChangeset' } }).",
      ],
      [
        'versions',
        "Order.versions exists already, so the versions can't have that name. Give them another: @Versioned({ versionsProperty: 'history' }).",
      ],
    ])('a property called %s', async (name, message) => {
      await expect(start([collide(name)])).rejects.toMatchObject({ code: ErrorCode.NAME_COLLISION, message });
    });

    it.each([
      [
        'an unknown option of an entity',
        () => versioned(define('Bad'), { tableNam: 'x' } as never),
        ErrorCode.UNKNOWN_OPTION,
        "The versioning of Bad has no option 'tableNam'. Did you mean 'tableName'?",
      ],
      [
        'an unknown option',
        () => Versioning.with({ tableSufix: 'x' } as never),
        ErrorCode.UNKNOWN_OPTION,
        "Versioning.with() has no option 'tableSufix'. Did you mean 'tableSuffix'?",
      ],
      [
        'an unknown column',
        () => Versioning.with({ columns: { version: 'x' } as never }),
        ErrorCode.UNKNOWN_OPTION,
        "Versioning.with({ columns }) has no option 'version'.",
      ],
    ])('%s', (_, act, code, message) => {
      expect(act).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) as string }));
    });

    it.each([
      [
        'an excluded property that does not exist',
        () => [versioned(define('Bad'), { exclude: ['nam'] as never })],
        {},
        ErrorCode.UNKNOWN_PROPERTY,
        "Bad.nam, named in exclude, does not exist. Did you mean 'name'?",
      ],
      [
        'an excluded primary key',
        () => [versioned(define('Bad'), { exclude: ['id'] })],
        {},
        ErrorCode.UNKNOWN_PROPERTY,
        'Bad.id, named in exclude, is part of the primary key',
      ],
      [
        'two entities on one version table',
        () => [versioned(define('One'), { tableName: 'past' }), versioned(define('Two'), { tableName: 'past' })],
        {},
        ErrorCode.TABLE_COLLISION,
        'TwoVersion and OneVersion share the table past.',
      ],
      [
        'a version table that is a live table',
        () => [versioned(define('One'), { tableName: 'two' }), define('Two')],
        {},
        ErrorCode.TABLE_COLLISION,
        'Two and OneVersion share the table two.',
      ],
      [
        'a column that the version table needs',
        () => [
          versioned(
            defineEntity({ name: 'Taken', properties: { id: p.integer().primary(), versionId: p.integer() } }),
            { rename: { versionId: 'other' } },
          ),
        ],
        {},
        ErrorCode.NAME_COLLISION,
        'Taken has a column version_id',
      ],
      [
        'a listed entity that was not discovered',
        () => [define('Here')],
        { entities: [define('Elsewhere')] },
        ErrorCode.UNKNOWN_PROPERTY,
        'Elsewhere',
      ],
    ])('%s', async (_, entities, options, code, message) => {
      await expect(start(entities(), options as VersioningOptions)).rejects.toMatchObject({
        code,
        message: expect.stringContaining(message) as string,
      });
    });
  });

  it('a table that is called like an expression of ours is no problem', async () => {
    const Tx = versioned(defineEntity({ name: 'Tx', tableName: 'tx', properties: { id: p.integer().primary() } }));
    const orm = await createOrm(db, { entities: [Tx], extensions: [Versioning] });
    const em = orm.em.fork();
    em.create(Tx, { id: 1 });
    await em.flush();
    expect(await em.count(versionOf(Tx))).toBe(1);
  });
});
