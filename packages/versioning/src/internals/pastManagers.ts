import {
  EventManager,
  FlushMode,
  isRaw,
  raw,
  type Configuration,
  type EntityManager,
  type EntityMetadata,
  type EntityProperty,
  type EventSubscriber,
  type MetadataStorage,
} from '@mikro-orm/core';
import { NativeQueryBuilder, type AbstractSqlConnection, type AbstractSqlDriver } from '@mikro-orm/sql';

/**
 * Internals of MikroORM leaned on, to make a manager whose queries are rewritten before they reach the database, and nothing
 * else with it: no state is shared with the live manager but the connection, the metadata and the configuration.
 *
 * - A driver keeps its state in plain properties, so that one can be made after another, with a `connection`, `replicas`,
 *   `shouldHaveColumn()` and `buildFields()` of its own. All queries go through `execute()` and `stream()` of a connection.
 * - A manager is made as `new EntityManager(config, driver, metadata, useContext, eventManager)`, and so are its forks; its
 *   `name` keeps apart the managers of open transactions in async contexts, `tryCache()` and `storeCache()` know of caches.
 *
 * `test/internals.test.ts` fails when MikroORM changes one of these.
 */
export interface Past {
  /** What queries of this moment are called in a cache. */
  readonly name: string;
  /** The query as of the moment. Throws for one that does not only read. */
  rewrite(sql: string, ask: AskLive): Promise<string>;
  /** What an error of the database is to the user. */
  explain(error: unknown): unknown;
  /** Properties that the past does not have. */
  excluded(meta: EntityMetadata): readonly EntityProperty[];
  /** For a use of the connection that could go by the rewriting. */
  refuse(what: string): never;
}

/** Asks the database about now, in the query's own transaction. */
export type AskLive = (sql: string, params: readonly unknown[]) => Promise<never[]>;

/** A manager of the class of `em`, in its open transaction if there is one. */
export function makePastManager<Manager extends EntityManager>(
  em: Manager,
  past: Past,
  subscribers: readonly EventSubscriber[],
): Manager {
  const driver = makePastDriver(em.getDriver() as unknown as AbstractSqlDriver, past);
  const PastManager = pastClassOf(em.constructor as ManagerClass);
  const manager = new PastManager(em.config, driver, em.getMetadata(), false, new EventManager([...subscribers]));
  manager.setFlushMode(FlushMode.COMMIT);
  const { schema } = em;
  if (schema !== undefined) {
    manager.schema = schema;
  }
  const transaction = em.getTransactionContext();
  if (transaction) {
    manager.setTransactionContext(transaction);
  }
  return manager as unknown as Manager;
}

type ManagerClass = new (
  config: Configuration,
  driver: unknown,
  metadata: MetadataStorage,
  useContext: boolean,
  events: EventManager,
) => EntityManager;

interface CachingManager {
  name: string;
  driver: { readonly [PAST]: Past };
  tryCache(entity: unknown, config: unknown, key: unknown, ...rest: unknown[]): Promise<unknown>;
}

const PAST = Symbol('past');
const pastClasses = new WeakMap<ManagerClass, ManagerClass>();

function pastClassOf(managerClass: ManagerClass): ManagerClass {
  const known = pastClasses.get(managerClass);
  if (known) {
    return known;
  }
  const Base = managerClass as unknown as new (...args: unknown[]) => CachingManager;
  class PastManager extends Base {
    constructor(...args: unknown[]) {
      super(...args);
      this.name = `${this.name} as of ${this.driver[PAST].name} (${++managers})`;
    }

    // a cache of the live manager must neither serve the past, nor be served by it
    override tryCache(entity: unknown, config: unknown, key: unknown, ...rest: unknown[]): Promise<unknown> {
      const { name } = this.driver[PAST];
      const own = Array.isArray(config)
        ? [`${String(config[0])} as of ${name}`, ...(config as unknown[]).slice(1)]
        : config;
      return super.tryCache(entity, own, Array.isArray(key) ? [...(key as unknown[]), `as of ${name}`] : key, ...rest);
    }
  }
  Object.defineProperty(PastManager, 'name', { value: managerClass.name });
  pastClasses.set(managerClass, PastManager as unknown as ManagerClass);
  return PastManager as unknown as ManagerClass;
}

let managers = 0;

interface Columns {
  shouldHaveColumn(meta: EntityMetadata, prop: EntityProperty, ...rest: unknown[]): boolean;
  buildFields(meta: EntityMetadata, ...rest: unknown[]): unknown[];
}

function makePastDriver(live: AbstractSqlDriver, past: Past): AbstractSqlDriver {
  const state = live as unknown as { connection: AbstractSqlConnection; replicas: AbstractSqlConnection[] };
  const columns = live as unknown as Columns;
  const isExcluded = (meta: EntityMetadata, name: unknown) => past.excluded(meta).some(prop => prop.name === name);
  return Object.assign(Object.create(live) as AbstractSqlDriver, {
    [PAST]: past,
    connection: makePastConnection(state.connection, past),
    replicas: state.replicas.map(replica => makePastConnection(replica, past)),
    shouldHaveColumn(this: Columns, meta: EntityMetadata, prop: EntityProperty, ...rest: unknown[]) {
      return columns.shouldHaveColumn.call(this, meta, prop, ...rest) && !isExcluded(meta, prop.name);
    },
    buildFields(this: Columns, meta: EntityMetadata, ...rest: unknown[]) {
      const explicit = (rest[4] as { fields?: unknown } | undefined)?.fields !== undefined;
      const fields = columns.buildFields.call(this, meta, ...rest);
      return explicit ? fields : fields.filter(field => !isExcluded(meta, field));
    },
  });
}

/** What a connection has that runs SQL which would not be rewritten. */
const REFUSED = ['getClient', 'getNativeClient', 'executeDump', 'callRoutine', 'callRoutineFunction', 'loadFile'];

function makePastConnection(live: AbstractSqlConnection, past: Past): AbstractSqlConnection {
  const rewrite = async (query: unknown, params: unknown, transaction: unknown) => {
    const fragment = query instanceof NativeQueryBuilder ? query.toRaw() : query;
    const plain =
      typeof fragment === 'string' && !Array.isArray(params) && params !== undefined
        ? raw(fragment, params as never)
        : fragment;
    const sql = isRaw(plain) ? plain.sql : String(plain);
    const ask: AskLive = (question, values) =>
      live.execute(question, [...values], 'all', transaction as never) as Promise<never[]>;
    return { sql: await past.rewrite(sql, ask), params: isRaw(plain) ? plain.params : ((params ?? []) as unknown[]) };
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
