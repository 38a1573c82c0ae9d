import { AsyncLocalStorage } from 'node:async_hooks';

import {
  Configuration,
  defineEntity,
  EventManager,
  EventType,
  helper,
  MetadataDiscovery,
  MetadataStorage,
  p,
  UnitOfWork,
  type EntityMetadata,
  type EventSubscriber,
} from '@mikro-orm/core';
import { AbstractSqlDriver, QueryBuilderHelper, SchemaComparator, SqlSchemaGenerator } from '@mikro-orm/sql';
import { Versioning, versioned } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import {
  isEntity,
  isLoaded,
  isManaged,
  loadedProperties,
  managerOf,
  metaOf,
  primaryKeyOf,
  snapshotOf,
} from '../packages/versioning/src/internals/entityState.ts';
import { ReferenceSnapshots } from '../packages/versioning/src/internals/referenceSnapshots.ts';
import { columnsOfIndex } from '../packages/versioning/src/internals/indexColumns.ts';
import { createOrm, describeDatabase, describeEachDatabase } from './support/databases.ts';

/*
 * What the package leans on inside of MikroORM, one contract each: when one of these fails after an upgrade, the file in
 * packages/versioning/src/internals that names it is where to look.
 */
const Plain = defineEntity({
  name: 'Plain',
  properties: { id: p.integer().primary(), name: p.string(), size: p.integer().nullable() },
});
const Marked = versioned(
  defineEntity({
    name: 'Marked',
    properties: { id: p.integer().primary(), name: p.string(), plains: () => p.manyToMany(Plain) },
  }),
);

const REWRITTEN = ['execute', 'stream'];
const REFUSED = ['callRoutine', 'callRoutineFunction', 'executeDump', 'getClient', 'getNativeClient', 'loadFile'];
// of a connection of SQLite or PostgreSQL: what runs no query that it is given, or is called by the above alone
const WITHOUT_QUERIES = `
  applyRoutineOutParams applySessionContext attachDatabases begin buildConnectionSessionStatements
  checkConnection close commit composeSessionContextOnReserve connect
  constructor convertRoutineInbound convertRoutineOutbound createKysely createKyselyDialect
  ensureConnection executeQuery fetchRefcursors getAttachDatabasesSql getConnectionOptions
  getConnectionSetupSql getPlatform getSql handlePoolErrors initClient
  isConnected logQuery mapOptions onConnect prepareQuery
  requireNativeClient rollback setMetadata setPlatform stringifySessionVariable
  transactional transformRawResult waitForIdleTransaction
`
  .trim()
  .split(/\s+/);

describeEachDatabase('MikroORM', db => {
  it('keeps what entityState reads', async () => {
    const orm = await createOrm(db, { entities: [Plain] });
    const em = orm.em.fork();
    const created = em.create(Plain, { id: 1, name: 'a' });
    expect([isEntity(created), isEntity({}), isEntity(null)]).toEqual([true, false, false]);
    expect(metaOf(created).className).toBe('Plain');
    expect(managerOf(created)).toBeUndefined();
    expect(snapshotOf(created)).toBeUndefined();
    expect(isManaged(created)).toBe(false);
    await em.flush();
    expect(managerOf(created)).toBe(em);
    expect(isManaged(created)).toBe(true);
    expect(snapshotOf(created)).toMatchObject({ id: 1, name: 'a' });
    const other = orm.em.fork();
    const reference = other.getReference(Plain, 1);
    expect([isLoaded(reference), primaryKeyOf(reference)]).toEqual([false, 1]);
    const partial = await orm.em.fork().findOneOrFail(Plain, 1, { fields: ['name'] });
    expect([...loadedProperties(partial)].toSorted()).toEqual(['id', 'name']);
  });

  it('asks a hierarchy for a class as discriminators relies on', async () => {
    const Animal = defineEntity({
      name: 'Animal',
      discriminatorColumn: 'kind',
      discriminatorValue: 'animal',
      properties: { id: p.integer().primary(), kind: p.string(), owner: () => p.manyToOne(Keeper).nullable() },
    });
    const Dog = defineEntity({ name: 'Dog', extends: Animal, discriminatorValue: 'dog', properties: {} });
    const Keeper = defineEntity({
      name: 'Keeper',
      properties: { id: p.integer().primary(), dog: () => p.manyToOne(Dog).nullable() },
    });
    const orm = await createOrm(db, { entities: [Animal, Dog, Keeper] });
    const em = orm.em.fork();
    const dog = em.getMetadata().get(Dog.class as never);
    expect(em.createQueryBuilder(Dog).getFormattedQuery()).toMatch(/where .*kind. = 'dog'/);
    const joined = () => em.createQueryBuilder(Keeper, 'k').leftJoin('dog', 'd').getFormattedQuery();
    expect(joined()).toMatch(/d.{1,3}kind. = 'dog'/);
    // a relation holds a copy of its target's metadata
    for (const meta of [dog, em.getMetadata().get(Keeper.class as never).relations[0]!.targetMeta!]) {
      Object.defineProperty(meta, 'discriminatorValue', { get: () => ({ $in: ['dog', 'puppy'] }) });
    }
    expect(em.createQueryBuilder(Dog).getFormattedQuery()).toMatch(/where .*kind. in \('dog', 'puppy'\)/);
    expect(joined()).toMatch(/d.{1,3}kind. in \('dog', 'puppy'\)/);
    expect(AbstractSqlDriver.prototype).toHaveProperty('mapJoinedProps.length', 7);
  });

  it('fires its events in the order that the recorder relies on', async () => {
    const log: string[] = [];
    const subscriber = Object.fromEntries(
      [
        EventType.beforeFlush,
        EventType.onFlush,
        EventType.afterFlush,
        EventType.beforeTransactionStart,
        EventType.afterTransactionStart,
        EventType.beforeTransactionCommit,
        EventType.afterTransactionCommit,
        EventType.beforeTransactionRollback,
        EventType.afterTransactionRollback,
      ].map(event => [event, () => void log.push(event)]),
    ) as EventSubscriber;
    const orm = await createOrm(db, { entities: [Plain], subscribers: [subscriber] });
    const em = orm.em.fork();
    em.create(Plain, { id: 1, name: 'a' });
    await em.flush();
    expect(log.splice(0)).toEqual([
      'beforeFlush',
      'onFlush',
      'beforeTransactionStart',
      'afterTransactionStart',
      'beforeTransactionCommit',
      'afterTransactionCommit',
      'afterFlush',
    ]);
    await orm.em.fork().transactional(async outer => {
      await outer
        .transactional(async () => {
          throw new Error('back');
        })
        .catch(() => undefined);
      outer.create(Plain, { id: 2, name: 'b' });
    });
    expect(log).toEqual([
      'beforeTransactionStart',
      'afterTransactionStart',
      'beforeTransactionStart',
      'afterTransactionStart',
      'beforeTransactionRollback',
      'afterTransactionRollback',
      'beforeFlush',
      'onFlush',
      'afterFlush',
      'beforeTransactionCommit',
      'afterTransactionCommit',
    ]);
  });

  it('queues concurrent flushes and runs them in the order and the async context of the first', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const orm = await createOrm(db, {
      entities: [Plain],
      subscribers: [{ beforeFlush: () => void seen.push(storage.getStore()) }],
    });
    const em = orm.em.fork();
    expect(typeof UnitOfWork.prototype.commit).toBe('function');
    await Promise.all(
      ['one', 'two', 'three'].map((name, i) =>
        storage.run(name, () => {
          em.create(Plain, { id: i, name });
          return em.flush();
        }),
      ),
    );
    // flushCallers.ts is not needed any more when this shows three different names
    expect(seen).toEqual(['one', 'one', 'one']);
  });

  it('joins a many-to-many with a pivot join first, which takes a subquery', async () => {
    const orm = await createOrm(db, { entities: [Plain, Marked], extensions: [Versioning] });
    const { prototype } = QueryBuilderHelper;
    // called with a receiver below
    // eslint-disable-next-line typescript/unbound-method
    const original = prototype.joinManyToManyReference;
    const joins: Record<string, { subquery?: string; table: string }>[] = [];
    prototype.joinManyToManyReference = function (...args) {
      const result = original.apply(this, args);
      joins.push(result as never);
      return result;
    };
    try {
      const { versionOf } = await import('mikro-orm-versioning');
      await orm.em.fork().find(versionOf(Marked), { plains: { name: 'x' } });
    } finally {
      prototype.joinManyToManyReference = original;
    }
    const [pivot, target] = Object.values(joins[0]!);
    expect(pivot!.subquery).toMatch(/^select o\..*from .*marked_version/);
    expect(target!.table).toBe('plain');
  });

  it('hands a new configuration to its platform, so that its entities are found with their history', async () => {
    const { driver, dbName } = await db.options();
    const config = new Configuration({ driver, dbName, entities: [Marked, Plain], extensions: [Versioning] } as never);
    const discovery = new MetadataDiscovery(new MetadataStorage(), config.getPlatform(), config);
    const found = [...(await discovery.discover(false))].map(({ className }) => className);
    expect(found).toEqual(
      expect.arrayContaining(['Marked', 'MarkedPlainsVersion', 'MarkedVersion', 'Plain', 'VersionTransaction']),
    );
  });

  it('compares schemas through the methods that schemaDiffs wraps', () => {
    for (const [prototype, method] of [
      [SqlSchemaGenerator.prototype, 'prepareSchemaForComparison'],
      [SqlSchemaGenerator.prototype, 'getTargetSchema'],
      [SchemaComparator.prototype, 'compare'],
    ] as const) {
      expect(prototype).toHaveProperty(method, expect.any(Function));
    }
  });

  it('turns the properties of an index into columns as indexColumns relies on', async () => {
    const Part = defineEntity({
      name: 'Part',
      embeddable: true,
      properties: { name: p.string(), size: p.integer() },
    });
    const Whole = defineEntity({
      name: 'Whole',
      properties: {
        id: p.integer().primary(),
        label: p.string().name('title'),
        inlined: () => p.embedded(Part),
        stored: () => p.embedded(Part).object(),
        whole: () => p.manyToOne(Whole).nullable(),
      },
    });
    const orm = await createOrm(db, { entities: [Whole, Part] });
    const columns = (properties: string[], meta = orm.getMetadata().get(Whole.class as never)) =>
      columnsOfIndex(meta, { properties }, orm.em.getPlatform());
    expect(columns(['label', 'whole', 'inlined.size'])).toEqual(['title', 'whole_id', 'inlined_size']);
    expect(columns(['stored.size', 'label'])).toEqual(['stored.size', 'title']);
    expect(columns(['whole_id'])).toEqual(['whole_id']);
  });

  it('makes managers, and their forks, as pastManagers does', async () => {
    const orm = await createOrm(db, { entities: [Plain] });
    const calls: unknown[][] = [];
    const Manager = orm.em.constructor as new (...args: unknown[]) => typeof orm.em;
    class Watched extends Manager {
      constructor(...args: unknown[]) {
        super(...args);
        calls.push(args);
      }
    }
    const driver = orm.em.getDriver();
    const events = new EventManager([]);
    const watched = new Watched(orm.config, driver, orm.getMetadata(), false, events);
    const fork = watched.fork();
    expect([watched, fork].map(manager => manager.getDriver())).toEqual([driver, driver]);
    expect([watched, fork].map(manager => manager.getMetadata())).toEqual([orm.getMetadata(), orm.getMetadata()]);
    expect(calls[1]!.slice(0, 3)).toEqual([orm.config, driver, orm.getMetadata()]);
    expect(watched.getEventManager()).toBe(events);
    // a fork is made of what its manager holds, and of what it has in private
    const seed = orm.em.fork({ schema: 'app' });
    seed.setFilterParams('tenant', { id: 1 });
    const made = Object.assign(seed, { constructor: Watched, driver: Object.create(driver) as typeof driver }).fork();
    expect(made).toBeInstanceOf(Watched);
    expect(made.getDriver()).toBe(seed.getDriver());
    expect([made.schema, made.getFilterParams('tenant')]).toEqual(['app', { id: 1 }]);
    for (const method of ['tryCache', 'storeCache', 'clearCache']) {
      expect(Manager.prototype).toHaveProperty(method, expect.any(Function));
    }
    for (const method of ['shouldHaveColumn', 'buildFields', 'mapPropToFieldNames', 'convertException']) {
      expect(driver).toHaveProperty(method, expect.any(Function));
    }
  });

  it('leaves the discriminator out of the snapshot of a reference, which referenceSnapshots adds', async () => {
    const Root = defineEntity({
      name: 'Root',
      discriminatorColumn: 'kind',
      discriminatorValue: 'root',
      properties: { id: p.integer().primary(), name: p.string() },
    } as never);
    const Leader = defineEntity({
      name: 'Leader',
      properties: { id: p.integer().primary(), to: () => p.manyToOne(Root) as never },
    });
    const orm = await createOrm(db, { entities: [Root, Leader] });
    const em = orm.em.fork();
    em.create(Leader as never, { id: 1, to: em.create(Root as never, { id: 1, name: 'a' } as never) } as never);
    await em.flush();
    const readSnapshot = async (fork: typeof em) => {
      const { to } = await fork.findOneOrFail<{ to: object }>(Leader as never, 1 as never);
      return { ...helper(to).__originalEntityData };
    };
    expect(await readSnapshot(em.fork())).toEqual({ id: 1 });
    const meta = orm.getMetadata().find(Root as never) as unknown as EntityMetadata;
    const snapshots = new ReferenceSnapshots([]);
    const watched = em.fork({ freshEventManager: true });
    watched.getEventManager().registerSubscriber({ onInit: args => snapshots.onInit(args as never) });
    expect(await readSnapshot(watched)).toEqual({ id: 1, kind: 'root' });
    expect(meta.root.properties['kind' as never]).toMatchObject({ userDefined: false });
  });

  it('has no way to the database but those that pastManagers rewrites or refuses', async () => {
    const orm = await createOrm(db, { entities: [Plain] });
    const connection = orm.em.getConnection();
    const methods = new Set<string>();
    for (let each = Object.getPrototypeOf(connection) as object; each !== Object.prototype;) {
      for (const name of Object.getOwnPropertyNames(each)) {
        methods.add(name);
      }
      each = Object.getPrototypeOf(each) as object;
    }
    const known = new Set([...REWRITTEN, ...REFUSED, ...WITHOUT_QUERIES]);
    expect([...methods].filter(name => !known.has(name))).toEqual([]);
    expect(REWRITTEN.every(name => methods.has(name))).toBe(true);
    const { connection: own, replicas } = orm.em.getDriver() as unknown as { connection: unknown; replicas: unknown };
    expect([own, replicas]).toEqual([connection, []]);
  });
});

// Only PostgreSQL names its statements.
describeDatabase('postgresql', 'MikroORM', db => {
  it('hands a named statement to node-postgres, which keeps it', async () => {
    const orm = await createOrm(db, { entities: [Marked, Plain], extensions: [Versioning], pool: { min: 1, max: 1 } });
    for (const id of [1, 2, 3]) {
      const em = orm.em.fork();
      em.create(Marked, { id, name: 'a' });
      await em.flush();
    }
    const prepared = 'select name, generic_plans + custom_plans as runs from pg_prepared_statements';
    expect(await orm.em.fork().execute(prepared)).toEqual([
      { name: expect.stringMatching(/^versioning_/) as string, runs: '3' },
    ]);
    const plain = await createOrm(db, {
      entities: [Marked, Plain],
      extensions: [Versioning.with({ preparedStatements: false })],
      pool: { min: 1, max: 1 },
    });
    const em = plain.em.fork();
    em.create(Marked, { id: 1, name: 'a' });
    await em.flush();
    expect(await em.execute(prepared)).toEqual([]);
  });
});
