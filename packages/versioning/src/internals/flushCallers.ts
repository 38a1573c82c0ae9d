import { UnitOfWork } from '@mikro-orm/core';

/**
 * Internal of MikroORM leaned on: `UnitOfWork.commit` queues concurrent flushes of one manager and runs them in the
 * async context of the first caller, so that an AsyncLocalStorage read in a hook would take the first caller's value for
 * all of them. Each call's own value is noted here and handed out in the order of the queue, which is the order of the
 * `beforeFlush` events. `test/internals.test.ts` fails when MikroORM changes it.
 */
/** A flush: what was noted for it, and whether it is still under way. */
export interface FlushCaller {
  readonly value: unknown;
  running: boolean;
}

const callers = new WeakMap<UnitOfWork, FlushCaller[]>();

let installed: (() => unknown) | undefined;

/** Notes `read()` at each flush, in the caller's async context. */
export function noteFlushCallers(read: () => unknown): void {
  if (installed) {
    return;
  }
  installed = read;
  const prototype = UnitOfWork.prototype;
  // the method is called with its own receiver below
  // eslint-disable-next-line typescript/unbound-method
  const original = prototype.commit;
  prototype.commit = async function (this: UnitOfWork) {
    const entry: FlushCaller = { value: read(), running: true };
    const queue = callers.get(this) ?? [];
    callers.set(this, queue);
    queue.push(entry);
    try {
      await original.call(this);
    } finally {
      entry.running = false;
      // a flush that was refused never reached its event
      const left = queue.indexOf(entry);
      if (left >= 0) {
        queue.splice(left, 1);
      }
    }
  };
}

/** The value noted for the flush whose `beforeFlush` event is running; `undefined` where none was. */
export function takeFlushCaller(uow: UnitOfWork): FlushCaller | undefined {
  return callers.get(uow)?.shift();
}
