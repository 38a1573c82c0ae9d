import {
  EventManager,
  FlushMode,
  isRaw,
  raw,
  type Configuration,
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
  type MetadataStorage,
} from '@mikro-orm/core';
import { NativeQueryBuilder, type AbstractSqlConnection, type AbstractSqlDriver } from '@mikro-orm/sql';
import { VersioningError } from '../errors.ts';

/**
 * Internals of MikroORM leaned on, to make a manager whose queries are rewritten before they reach the database, and nothing
 * else with it: no state is shared with the live manager but the connection, the metadata and the configuration.
 *
 * - A driver keeps its state in plain properties, so that one can be made after another, with a `connection`, `replicas`,
 *   `shouldHaveColumn()`, `buildFields()` and `mapPropToFieldNames()`, which say what is selected, and `convertException()` of
 *   its own. All queries go through `execute()` and `stream()` of a connection.
 * - A manager forks itself as `new em.constructor(em.config, em.driver, em.metadata, useContext, em.eventManager)`, and hands
 *   the fork what it holds in private: filters, their parameters, its session. Its `name` keeps apart the managers of open
 *   transactions in async contexts, `tryCache()`, `storeCache()` and `clearCache()` know of caches.
 *
 * `test/internals.test.ts` fails when MikroORM changes one of these.
 */
export interface Past {
  /** What queries of this moment are called. */
  readonly name: string;
  /** The id of the transaction that the past is as of. */
  transaction(ask: AskLive): Promise<number>;
  /** The query as of the moment. Throws for one that does not only read. */
  rewrite(sql: string, ask: AskLive): Promise<string>;
  /** What an error of the database is to the user. */
  explain(error: unknown): unknown;
  /** The listeners of a manager of the past, made of those of any manager. */
  guard(events: EventManager): EventManager;
  /** Properties that the past does not have. */
  excluded(meta: EntityMetadata): readonly EntityProperty[];
  /** For a use of the connection that could go by the rewriting. */
  refuse(what: string): never;
}

/** Asks the database about now, in the query's own transaction. */
export type AskLive = (sql: string, params: readonly unknown[]) => Promise<never[]>;

/** A manager of the class of `em`, with its filters and its session, in its open transaction if there is one. */
export function makePastManager<Manager extends EntityManager>(em: Manager, past: Past): Manager {
  const PastManager = pastClassOf(em.constructor as ManagerClass);
  const given = em.getDriver() as unknown as AbstractSqlDriver;
  // by way of another manager of the past, the query would be asked of that one's moment
  const live = PAST in given ? (Object.getPrototypeOf(given) as AbstractSqlDriver) : given;
  const driver = makePastDriver(live, past);
  Object.assign(driver, {
    createEntityManager: (useContext?: boolean) => new PastManager(em.config, driver, em.getMetadata(), useContext),
  });
  // what a manager holds in private only its own fork has
  const seed = Object.assign(em.fork({ keepTransactionContext: true }), { driver, constructor: PastManager });
  return seed.fork({ keepTransactionContext: true, flushMode: FlushMode.COMMIT }) as Manager;
}

type ManagerClass = new (
  config: Configuration,
  driver: AbstractSqlDriver,
  metadata: MetadataStorage,
  useContext?: boolean,
  events?: EventManager,
) => EntityManager;

interface CachingManager {
  name: string;
  readonly config: Configuration;
  readonly driver: PastDriver;
  getTransactionContext(): unknown;
  tryCache(entity: unknown, config: unknown, key: unknown, ...rest: unknown[]): Promise<unknown>;
  clearCache(key: string): Promise<void>;
}

const PAST = Symbol('past');

interface PastDriver {
  readonly [PAST]: Past & { readonly live: AbstractSqlConnection };
}

const pastClasses = new WeakMap<ManagerClass, ManagerClass>();

function pastClassOf(managerClass: ManagerClass): ManagerClass {
  const known = pastClasses.get(managerClass);
  if (known) {
    return known;
  }
  const Base = managerClass as unknown as new (...args: unknown[]) => CachingManager;
  class PastManager extends Base {
    constructor(config: Configuration, driver: PastDriver, metadata: unknown, useContext: unknown, events: unknown) {
      const past = driver[PAST];
      const given = (events as EventManager | undefined) ?? new EventManager(config.get('subscribers') as never);
      super(config, driver, metadata, useContext, past.guard(given));
      this.name = `${this.name} as of ${past.name} (${++managers})`;
    }

    // in a transaction it would not ask the connection for its client
    getKysely(): never {
      return this.driver[PAST].refuse('getKysely()');
    }

    // a cache of the live manager must neither serve the past, nor be served by it
    override async tryCache(entity: unknown, config: unknown, key: unknown, ...rest: unknown[]): Promise<unknown> {
      const cache: unknown = config ?? this.config.get('resultCache').global;
      if (!cache) {
        return super.tryCache(entity, config, key, ...rest);
      }
      const own = Array.isArray(cache) ? [await this.asOf(String(cache[0])), ...(cache as unknown[]).slice(1)] : cache;
      return super.tryCache(
        entity,
        own,
        Array.isArray(key) ? [...(key as unknown[]), await this.asOf('')] : key,
        ...rest,
      );
    }

    override async clearCache(key: string): Promise<void> {
      return super.clearCache(await this.asOf(key));
    }

    private async asOf(key: string): Promise<string> {
      const past = this.driver[PAST];
      return `${key} as of ${await past.transaction(askerOf(past.live, this.getTransactionContext()))}`;
    }
  }
  Object.defineProperty(PastManager, 'name', { value: managerClass.name });
  const made = PastManager as unknown as ManagerClass;
  pastClasses.set(managerClass, made).set(made, made);
  return made;
}

let managers = 0;

interface Columns {
  shouldHaveColumn(meta: EntityMetadata, prop: EntityProperty, ...rest: unknown[]): boolean;
  buildFields(meta: EntityMetadata, ...rest: unknown[]): unknown[];
  mapPropToFieldNames(
    qb: unknown,
    prop: EntityProperty,
    alias: string,
    meta: EntityMetadata,
    schema: unknown,
    explicit?: unknown,
  ): unknown[];
}

function makePastDriver(live: AbstractSqlDriver, past: Past): AbstractSqlDriver {
  const state = live as unknown as { connection: AbstractSqlConnection; replicas: AbstractSqlConnection[] };
  const columns = live as unknown as Columns;
  const isExcluded = (meta: EntityMetadata, name: unknown) => past.excluded(meta).some(prop => prop.name === name);
  return Object.assign(Object.create(live) as AbstractSqlDriver, {
    [PAST]: { ...past, live: state.connection },
    connection: makePastConnection(state.connection, past),
    replicas: state.replicas.map(replica => makePastConnection(replica, past)),
    // what the rewriting throws is no error of the database
    convertException: (error: Error) => (error instanceof VersioningError ? error : live.convertException(error)),
    shouldHaveColumn(this: Columns, meta: EntityMetadata, prop: EntityProperty, ...rest: unknown[]) {
      return columns.shouldHaveColumn.call(this, meta, prop, ...rest) && !isExcluded(meta, prop.name);
    },
    buildFields(this: Columns, meta: EntityMetadata, ...rest: unknown[]) {
      const explicit = (rest[4] as { fields?: unknown } | undefined)?.fields !== undefined;
      const fields = columns.buildFields.call(this, meta, ...rest);
      return explicit ? fields : fields.filter(field => !isExcluded(meta, field));
    },
    mapPropToFieldNames(this: Columns, ...args: Parameters<Columns['mapPropToFieldNames']>) {
      const [, prop, , meta, , explicit] = args;
      return explicit === undefined && isExcluded(meta, prop.name) ? [] : columns.mapPropToFieldNames.apply(this, args);
    },
  });
}

/** What a connection has that runs SQL which would not be rewritten. */
const REFUSED = ['getClient', 'getNativeClient', 'executeDump', 'callRoutine', 'callRoutineFunction', 'loadFile'];

function askerOf(live: AbstractSqlConnection, transaction: unknown): AskLive {
  return (sql, params) => live.execute(sql, [...params], 'all', transaction as never) as Promise<never[]>;
}

function makePastConnection(live: AbstractSqlConnection, past: Past): AbstractSqlConnection {
  const rewrite = async (query: unknown, params: unknown, transaction: unknown) => {
    const fragment = query instanceof NativeQueryBuilder ? query.toRaw() : query;
    const plain =
      typeof fragment === 'string' && !Array.isArray(params) && params !== undefined
        ? raw(fragment, params as never)
        : fragment;
    let sql = isRaw(plain) ? plain.sql : String(plain);
    let values = isRaw(plain) ? plain.params : ((params ?? []) as unknown[]);
    // a parameter that is SQL, or the name of a table, is seen when it is in its place
    if (sql.includes('??') || hasRaw(values)) {
      sql = live.getPlatform().formatQuery(sql, values);
      values = [];
    }
    return { sql: await past.rewrite(sql, askerOf(live, transaction)), params: values };
  };
  const own: Record<string, unknown> = {
    async execute(query: unknown, params: unknown, method: never, transaction: never, ...rest: never[]) {
      const rewritten = await rewrite(query, params, transaction);
      try {
        return await live.execute(rewritten.sql, rewritten.params as never, method, transaction, ...rest);
      } catch (error) {
        throw past.explain(error);
      }
    },
    async *stream(query: unknown, params: unknown, transaction: never, ...rest: never[]) {
      const rewritten = await rewrite(query, params, transaction);
      try {
        yield* live.stream(rewritten.sql as never, rewritten.params as never, transaction, ...rest);
      } catch (error) {
        throw past.explain(error);
      }
    },
  };
  // what can't be seen in SQL, such as a function that writes, the database refuses
  own['begin'] = (options?: object) => live.begin({ ...options, readOnly: true });
  own['transactional'] = (act: never, options?: object) => live.transactional(act, { ...options, readOnly: true });
  for (const name of REFUSED) {
    own[name] = () => past.refuse(`${name}()`);
  }
  return new Proxy(live, {
    get(target, name) {
      if (typeof name === 'string' && name in own) {
        return own[name];
      }
      const value: unknown = Reflect.get(target, name, target);
      // a connection has private fields, which a proxy does not
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

function hasRaw(values: readonly unknown[]): boolean {
  return values.some(value => isRaw(value) || (Array.isArray(value) && hasRaw(value as unknown[])));
}
