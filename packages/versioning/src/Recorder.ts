import {
  type ChangeSet,
  type EntityManager,
  type EventArgs,
  type EventSubscriber,
  type FlushEventArgs,
  type Platform,
  type TransactionEventArgs,
  type UnitOfWork,
} from '@mikro-orm/core';
import { metaOf } from './internals/entityState.ts';
import { ChangeReader } from './capture/changes.ts';
import { TransactionState } from './capture/TransactionState.ts';
import { TransactionTree, type TransactionHandle } from './capture/TransactionTree.ts';
import { ambientContext, mergeContexts, ownContext } from './context.ts';
import { VersioningError } from './errors.ts';
import { takeFlushCaller } from './internals/flushCallers.ts';
import type { Leaving, ReplacedUnseen } from './model/Leaving.ts';
import type { VersioningContext } from './model/VersioningContext.ts';
import type { VersioningModel } from './model/VersioningModel.ts';
import { forgetLoadedVersions } from './read/loadedVersions.ts';
import { refuseHistoryWrites } from './read/guard.ts';
import { connectionOf, rollBack } from './store/connection.ts';
import type { Store } from './store/Store.ts';
import { Survey } from './store/Survey.ts';

/** A flush between its first and its last event. */
interface Flush {
  readonly context: VersioningContext;
  readonly seen: Set<ChangeSet<object>>;
  /** What it touched, while it has no transaction yet. */
  state: TransactionState | undefined;
  leaving: Leaving[];
  unseen: ReplacedUnseen[];
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
  readonly #contextOf: (() => VersioningContext | undefined) | undefined;
  readonly #concerned: object[];

  constructor(
    model: VersioningModel,
    store: Store,
    platform: Platform,
    contextOf: (() => VersioningContext | undefined) | undefined,
  ) {
    this.#model = model;
    this.#store = store;
    this.#reader = new ChangeReader(model, platform);
    this.#survey = new Survey(model, store, platform);
    this.#concerned = concernedClasses(model);
    this.#contextOf = contextOf;
  }

  getSubscribedEntities(): never[] {
    return this.#concerned as never[];
  }

  beforeFlush({ em, uow }: FlushEventArgs): void {
    const caller = takeFlushCaller(uow);
    const ambient = caller ? (caller.value as VersioningContext) : ambientContext();
    const context = mergeContexts(this.#contextOf?.(), ambient, ownContext(em as EntityManager));
    this.#flushes.set(uow, { context, seen: new Set(), state: undefined, leaving: [], unseen: [] });
  }

  async onFlush({ em, uow }: FlushEventArgs): Promise<void> {
    refuseHistoryWrites(uow, this.#model);
    const flush = this.#flushes.get(uow);
    if (!flush) {
      return;
    }
    const transaction = em.getTransactionContext<TransactionHandle>();
    const state = transaction ? this.#stateOf(transaction) : new TransactionState();
    state.frame = transaction ?? state;
    flush.leaving = this.#readNew(uow, flush, state);
    this.#reader.readExtraUpdates(uow, state);
    flush.unseen = this.#reader.readCollections(uow, state);
    if (state.isEmpty && flush.leaving.length === 0 && flush.unseen.length === 0) {
      this.#flushes.delete(uow);
      return;
    }
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
    if (flush?.state && !this.#states.has(this.#tree.root(handle))) {
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

  /** A deletion that another subscriber added after `onFlush`. */
  async beforeDelete({ em, changeSet }: EventArgs<object>): Promise<void> {
    const uow = em.getUnitOfWork(false);
    const transaction = em.getTransactionContext<TransactionHandle>();
    let flush = this.#flushes.get(uow);
    if (!changeSet || !transaction || flush?.seen.has(changeSet)) {
      return;
    }
    flush ??= { context: {}, seen: new Set(), state: undefined, leaving: [], unseen: [] };
    this.#flushes.set(uow, flush);
    flush.state = this.#stateOf(transaction);
    flush.state.frame = transaction;
    flush.seen.add(changeSet);
    flush.leaving = this.#reader.readChangeSets([changeSet], flush.state);
    await this.#lookAhead(em as EntityManager, flush, transaction);
  }

  /** The end of a flush inside of a transaction; an implicit flush has committed by now. */
  async afterFlush({ em, uow }: FlushEventArgs): Promise<void> {
    const flush = this.#flushes.get(uow);
    this.#flushes.delete(uow);
    const transaction = em.getTransactionContext<TransactionHandle>();
    if (!flush || !transaction) {
      return;
    }
    const state = this.#stateOf(transaction);
    this.#finish(uow, flush, state);
    const root = this.#tree.root(transaction);
    if (!this.#tree.isObserved(root) || state.written !== undefined) {
      // nobody will tell of this transaction's commit, or it is under way already
      await this.#write(em as EntityManager, root, state);
      forgetLoadedVersions(em as EntityManager, state.stale, this.#model);
    }
  }

  async beforeTransactionCommit({ em, uow, transaction }: TransactionEventArgs): Promise<void> {
    const handle = transaction as TransactionHandle;
    const state = this.#states.get(handle);
    const flush = uow && this.#flushes.get(uow);
    if (flush?.state && uow) {
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
      await this.#survey.run({ connection: connectionOf(em, transaction), touched, frame }, leaving, unseen);
    }
  }

  #finish(uow: UnitOfWork, flush: Flush, state: TransactionState): void {
    this.#readNew(uow, flush, state);
    this.#reader.resolve(state, false);
    state.context = mergeContexts(state.context, flush.context);
  }

  async #write(em: EntityManager, root: TransactionHandle, state: TransactionState): Promise<void> {
    this.#reader.resolve(state, true);
    const touched = state.touched.counting(frame => this.#tree.isAlive(frame));
    if (touched.tables.size === 0) {
      return;
    }
    const connection = connectionOf(em, root);
    if (state.written !== undefined) {
      await this.#store.withdraw(connection, touched, state.written);
    }
    state.written = await this.#store.reconcile(connection, touched, state.context);
  }

  #nameTouched(uow: UnitOfWork): string {
    const changeSet = uow.getChangeSets().find(each => this.#reader.concerns(each.meta));
    const collection = uow.getCollectionUpdates()[0];
    return changeSet?.meta.className ?? (collection ? metaOf(collection.owner).className : 'An entity');
  }
}

/** Classes whose deletion matters; MikroORM asks for them at each transaction. */
function concernedClasses({ rows, links, dependents }: VersioningModel): object[] {
  const versioned = [...rows.values()].map(({ live }) => live.class);
  const ends = links.flatMap(({ owner, target, pivot }) => [owner.class, target.class, pivot.class]);
  return [...new Set<object>([...versioned, ...ends, ...dependents.keys()])];
}
