import {
  type ChangeSet,
  type EntityManager,
  type EventSubscriber,
  type FlushEventArgs,
  type Platform,
  type TransactionEventArgs,
  type UnitOfWork,
} from '@mikro-orm/core';
import type { AbstractSqlPlatform } from '@mikro-orm/sql';
import { metaOf } from './internals/entityState.ts';
import { ChangeReader } from './capture/changes.ts';
import { LastSubscriber } from './capture/LastSubscriber.ts';
import { TransactionState } from './capture/TransactionState.ts';
import { TransactionTree, type TransactionHandle } from './capture/TransactionTree.ts';
import { ambientContext, checkContext, mergeContexts, ownContext } from './context.ts';
import { VersioningError } from './errors.ts';
import { takeFlushCaller, type FlushCaller } from './internals/flushCallers.ts';
import type { Leaving, ReplacedUnseen } from './model/Leaving.ts';
import type { Frame } from './model/Touched.ts';
import type { VersioningContext } from './model/VersioningContext.ts';
import type { VersioningModel } from './model/VersioningModel.ts';
import type { ResolvedOptions } from './options.ts';
import { forgetLoadedVersions, forgetRemoved } from './read/loadedVersions.ts';
import { refuseHistoryWrites } from './read/guard.ts';
import { connectionOf, rollBack } from './store/connection.ts';
import type { Store } from './store/Store.ts';
import { Survey, type SurveyTarget } from './store/Survey.ts';

/** A flush between its first and its last event. */
interface Flush {
  readonly context: VersioningContext;
  /** Who reads its change sets. */
  readonly reader: LastSubscriber;
  /** Of its call; one that failed fires no further event. */
  readonly caller: FlushCaller | undefined;
  read: boolean;
  readonly seen: Set<ChangeSet<object>>;
  /** What it touched, while it has no transaction yet. */
  state: TransactionState | undefined;
  leaving: Leaving[];
  unseen: ReplacedUnseen[];
  follow: SurveyTarget['follow'];
}

/**
 * Follows MikroORM's events and has the history written: touched rows are collected at each flush, per root database
 * transaction, and reconciled once, just before that transaction commits.
 *
 *     implicit flush   beforeFlush, onFlush, (begin) afterTransactionStart, …, beforeTransactionCommit: write
 *     transactional    (begin) afterTransactionStart, { beforeFlush, onFlush, …, afterFlush }*, beforeTransactionCommit: write
 */
export class Recorder implements EventSubscriber {
  readonly #model: VersioningModel;
  readonly #store: Store;
  readonly #reader: ChangeReader;
  readonly #survey: Survey;
  readonly #tree = new TransactionTree();
  readonly #flushes = new WeakMap<UnitOfWork, Flush>();
  readonly #states = new WeakMap<TransactionHandle, TransactionState>();
  /** Root transactions whose commit is under way: what is flushed now is written at once. */
  readonly #committing = new WeakSet<TransactionHandle>();
  readonly #contextOf: (() => VersioningContext | undefined) | undefined;
  readonly #prepare: boolean;
  readonly #isAlive = (frame: Frame): boolean => this.#tree.isAlive(frame);

  constructor(model: VersioningModel, store: Store, platform: Platform, options: ResolvedOptions) {
    this.#model = model;
    this.#store = store;
    this.#reader = new ChangeReader(model, platform);
    this.#survey = new Survey(model, store, platform);
    this.#contextOf = options.context;
    this.#prepare = options.preparedStatements;
  }

  beforeFlush({ em, uow }: FlushEventArgs): void {
    const reader = LastSubscriber.of(this, em.getEventManager(), (args, by) => this.#readFlush(args, by));
    const caller = takeFlushCaller(uow);
    const ambient = caller ? (caller.value as VersioningContext) : ambientContext();
    const context = mergeContexts(checkContext(this.#contextOf?.()), ambient, ownContext(em as EntityManager));
    this.#flushes.set(uow, {
      context,
      reader,
      caller,
      read: false,
      seen: new Set(),
      state: undefined,
      leaving: [],
      unseen: [],
      follow: () => [],
    });
  }

  async #readFlush({ em, uow }: FlushEventArgs, by: LastSubscriber): Promise<void> {
    const flush = this.#flushes.get(uow);
    if (flush?.reader !== by || flush.read) {
      return;
    }
    refuseHistoryWrites(uow, this.#model);
    flush.read = true;
    const transaction = em.getTransactionContext<TransactionHandle>();
    const state = transaction ? this.#stateOf(transaction) : new TransactionState();
    state.frame = transaction ?? state;
    state.schema = (em as EntityManager).schema;
    // what is left belongs to an earlier flush, which failed
    this.#reader.resolve(state, false);
    flush.leaving = this.#readNew(uow, flush, state);
    if (flush.leaving.length > 0) {
      const { followers, deleted } = this.#reader.followersOf([...flush.seen], state);
      flush.leaving.push(...followers.of(deleted, flush.leaving));
      flush.follow = gone => followers.of([], gone);
    }
    this.#reader.readExtraUpdates(uow, state);
    flush.unseen = this.#reader.readCollections(uow, state);
    if (state.isEmpty && flush.leaving.length === 0 && flush.unseen.length === 0) {
      this.#flushes.delete(uow);
      return;
    }
    this.#refuseOtherSchema(em as EntityManager, uow);
    flush.state = state;
    if (transaction) {
      await this.#lookAhead(em as EntityManager, flush, transaction);
    } else if (!em.config.get('implicitTransactions')) {
      throw VersioningError.noTransaction(this.#nameTouched(uow));
    }
  }

  beforeTransactionStart({ em, transaction }: TransactionEventArgs): void {
    this.#tree.starting(em as EntityManager, transaction as TransactionHandle | undefined);
  }

  async afterTransactionStart({ em, uow, transaction }: TransactionEventArgs): Promise<void> {
    const handle = transaction as TransactionHandle;
    this.#tree.started(em as EntityManager, handle);
    const flush = uow && this.#flushes.get(uow);
    if (flush?.state && flush.caller?.running !== false && !this.#states.has(this.#tree.root(handle))) {
      // the transaction is the flush's own
      this.#states.set(this.#tree.root(handle), flush.state);
      try {
        await this.#lookAhead(em as EntityManager, flush, handle);
      } catch (error) {
        // MikroORM does not roll back a transaction whose start event fails, and its connection would never be free again
        await rollBack(em as EntityManager, handle);
        throw error;
      }
    }
  }

  /** The end of a flush inside of a transaction; an implicit flush has committed by now. */
  async afterFlush({ em, uow }: FlushEventArgs): Promise<void> {
    forgetRemoved(em as EntityManager, uow, this.#model);
    const flush = this.#flushes.get(uow);
    this.#flushes.delete(uow);
    const transaction = em.getTransactionContext<TransactionHandle>();
    if (!flush || !transaction) {
      return;
    }
    const state = this.#stateOf(transaction);
    this.#finish(uow, flush, state);
    const root = this.#tree.root(transaction);
    if (!this.#tree.isObserved(root) || this.#committing.has(root)) {
      // nobody will tell of this transaction's commit, or it is under way already
      await this.#write(em as EntityManager, transaction, state);
      forgetLoadedVersions(em as EntityManager, state.stale, this.#model);
    }
  }

  async beforeTransactionCommit({ em, uow, transaction }: TransactionEventArgs): Promise<void> {
    const handle = transaction as TransactionHandle;
    if (this.#tree.root(handle) === handle) {
      this.#committing.add(handle);
    }
    const state = this.#states.get(handle);
    const flush = uow && this.#flushes.get(uow);
    if (flush?.state && flush.caller?.running !== false && uow) {
      this.#finish(uow, flush, flush.state);
    }
    if (state && this.#tree.isObserved(handle)) {
      await this.#write(em as EntityManager, handle, state);
    }
  }

  afterTransactionCommit({ em, transaction }: TransactionEventArgs): void {
    const state = this.#states.get(transaction as TransactionHandle);
    if (state) {
      this.#states.delete(transaction as TransactionHandle);
      forgetLoadedVersions(em as EntityManager, state.stale, this.#model);
    }
  }

  afterTransactionRollback({ transaction }: TransactionEventArgs): void {
    this.#tree.rolledBack(transaction as TransactionHandle);
  }

  #stateOf(transaction: TransactionHandle): TransactionState {
    const root = this.#tree.root(transaction);
    let state = this.#states.get(root);
    if (!state) {
      state = new TransactionState();
      this.#states.set(root, state);
    }
    return state;
  }

  /** Reads the change sets that were not there before, from another subscriber say. */
  #readNew(uow: UnitOfWork, flush: Flush, state: TransactionState): Leaving[] {
    const fresh = (uow.getChangeSets() as ChangeSet<object>[]).filter(changeSet => !flush.seen.has(changeSet));
    for (const changeSet of fresh) {
      flush.seen.add(changeSet);
    }
    return this.#reader.readChangeSets(fresh, state);
  }

  async #lookAhead(em: EntityManager, flush: Flush, transaction: TransactionHandle): Promise<void> {
    const { leaving, unseen, state } = flush;
    flush.leaving = [];
    flush.unseen = [];
    if (leaving.length > 0 || unseen.length > 0) {
      const { touched, frame } = state!;
      const connection = await connectionOf(em, transaction, this.#prepare);
      const target = { connection, touched, frame, isAlive: this.#isAlive, follow: flush.follow };
      await this.#survey.run(target, leaving, unseen);
    }
  }

  #finish(uow: UnitOfWork, flush: Flush, state: TransactionState): void {
    if (!flush.read) {
      throw new Error('mikro-orm-versioning did not see the onFlush event of a flush. Please report this.');
    }
    this.#readNew(uow, flush, state);
    this.#reader.resolve(state, false);
    state.context = mergeContexts(state.context, flush.context);
  }

  async #write(em: EntityManager, transaction: TransactionHandle, state: TransactionState): Promise<void> {
    this.#reader.resolve(state, true);
    const touched = state.touched.counting(this.#isAlive);
    if (touched.tables.length === 0) {
      return;
    }
    const connection = await connectionOf(em, transaction, this.#prepare);
    const written = state.writes.findLast(({ frame }) => this.#isAlive(frame))?.transaction;
    if (written !== undefined) {
      await this.#store.withdraw(connection, touched, written);
    }
    state.writes.push({
      frame: transaction,
      transaction: await this.#store.reconcile(connection, touched, state.context),
    });
  }

  /** A manager, or an entity, with a schema of its own writes to tables that have no history. */
  #refuseOtherSchema(em: EntityManager, uow: UnitOfWork): void {
    if (!(em.getPlatform() as AbstractSqlPlatform).supportsSchemas()) {
      return;
    }
    const configured = em.config.get('schema') ?? em.getPlatform().getDefaultSchemaName();
    const { schema: managers } = em;
    for (const { meta, schema } of uow.getChangeSets()) {
      const used = schema ?? managers;
      const isFixed = meta.root.schema !== '*';
      if (isFixed && used !== undefined && used !== (meta.root.schema ?? configured) && this.#reader.concerns(meta)) {
        throw VersioningError.otherSchema(meta.className, used);
      }
    }
  }

  #nameTouched(uow: UnitOfWork): string {
    const changeSet = uow.getChangeSets().find(each => this.#reader.concerns(each.meta));
    const collection = uow.getCollectionUpdates()[0];
    return changeSet?.meta.className ?? (collection ? metaOf(collection.owner).className : 'An entity');
  }
}
