import type { EventManager, EventSubscriber, FlushEventArgs } from '@mikro-orm/core';

type OnFlush = (args: FlushEventArgs, by: LastSubscriber) => Promise<void>;

/**
 * The part of the recorder that reads the change sets. It has to come after every other `onFlush` subscriber, which may
 * still add changes or turn a deletion into an update, and subscribers run in the order of their registration. MikroORM
 * can't move one, so a new one is registered behind those that came later. Which of them is the last is settled before
 * each flush, since MikroORM settles it at the start of the event as well.
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

  /** The subscriber that is called last in this manager, from now on. Called from `beforeFlush`, which comes just before. */
  static of(owner: object, manager: EventManager, onFlush: OnFlush): LastSubscriber {
    const last = [...manager.getSubscribers()].at(-1);
    if (last instanceof LastSubscriber && last.#owner === owner && last.#manager === manager) {
      return last;
    }
    const added = new LastSubscriber(owner, manager, onFlush);
    manager.registerSubscriber(added);
    return added;
  }

  async onFlush(args: FlushEventArgs): Promise<void> {
    await this.#onFlush(args, this);
  }
}
