import type { EntityManager } from '@mikro-orm/core';

/** A database transaction or savepoint, as MikroORM's events hand it around. */
export type TransactionHandle = object;

/**
 * Which database transaction a savepoint belongs to. MikroORM gives every savepoint a handle of its own without a link
 * to its parent; only the pair of events around its start shows both.
 */
export class TransactionTree {
  readonly #parents = new WeakMap<TransactionHandle, TransactionHandle>();
  readonly #opening = new WeakMap<EntityManager, TransactionHandle>();
  readonly #observed = new WeakSet<TransactionHandle>();
  readonly #rolledBack = new WeakSet<TransactionHandle>();

  /** `beforeTransactionStart`: `outer` is `undefined` for a root transaction. */
  starting(em: EntityManager, outer: TransactionHandle | undefined): void {
    if (outer) {
      this.#opening.set(em, outer);
    } else {
      this.#opening.delete(em);
    }
  }

  /** `afterTransactionStart` of the same manager. */
  started(em: EntityManager, transaction: TransactionHandle): void {
    const outer = this.#opening.get(em);
    this.#opening.delete(em);
    if (outer) {
      this.#parents.set(transaction, outer);
    } else {
      this.#observed.add(transaction);
    }
  }

  root(transaction: TransactionHandle): TransactionHandle {
    let root = transaction;
    for (let parent = this.#parents.get(root); parent; parent = this.#parents.get(root)) {
      root = parent;
    }
    return root;
  }

  /** `afterTransactionRollback`. */
  rolledBack(transaction: TransactionHandle): void {
    this.#rolledBack.add(transaction);
  }

  /** Whether neither the savepoint nor one around it was rolled back. */
  isAlive(transaction: TransactionHandle): boolean {
    for (let at: TransactionHandle | undefined = transaction; at; at = this.#parents.get(at)) {
      if (this.#rolledBack.has(at)) {
        return false;
      }
    }
    return true;
  }

  /** Whether the transaction's start was seen, so that its commit will be; a raw `connection.transactional()` fires no events. */
  isObserved(root: TransactionHandle): boolean {
    return this.#observed.has(root);
  }
}
