import type { EventManager, EventSubscriber, FlushEventArgs } from '@mikro-orm/core';

type OnFlush = (args: FlushEventArgs) => Promise<void>;

/**
 * The part of the recorder that reads the change sets. It has to come after every other `onFlush` subscriber, which may
 * still add changes or turn a deletion into an update, and subscribers run in the order of their registration. MikroORM
 * can't move one, so a new one is registered behind those that came later, and the ones before it stay silent.
 */
export class LastSubscriber implements EventSubscriber {
  readonly #owner: object;
  readonly #manager: EventManager;
  readonly #onFlush: OnFlush;

  private constructor(owner: object, manager: EventManager, onFlush: OnFlush) {
    this.#owner = owner;
    this.#manager = manager;
    this.#onFlush = onFlush;
  }

  /** Makes sure that `onFlush` is called last in this manager. Called from `beforeFlush`, which comes just before. */
  static ensure(owner: object, manager: EventManager, onFlush: OnFlush): void {
    const last = lastOf(manager);
    if (!(last instanceof LastSubscriber && last.#owner === owner && last.#manager === manager)) {
      manager.registerSubscriber(new LastSubscriber(owner, manager, onFlush));
    }
  }

  async onFlush(args: FlushEventArgs): Promise<void> {
    // a manager that was cloned from another took over the other's as well
    if (lastOf(this.#manager) === this && args.em.getEventManager() === this.#manager) {
      await this.#onFlush(args);
    }
  }
}

function lastOf(manager: EventManager): EventSubscriber | undefined {
  return [...manager.getSubscribers()].at(-1);
}
