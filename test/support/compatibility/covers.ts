import { VersioningError, type ErrorCode } from 'mikro-orm-versioning';
import { expect, type TestOptions } from 'vitest';

import type { Feature } from './features.ts';

/** How a feature of MikroORM's mapping fares. */
export type Status = 'supported' | 'refused' | 'left out';

/** What a test says about features. */
export type Covered = Readonly<Partial<Record<Status, readonly Feature[]>>>;

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

declare module 'vitest' {
  interface TaskMeta {
    covered?: Covered;
    refusal?: Refusal;
  }
}

/**
 * Says that a test shows these features to be supported, for docs/compatibility.md:
 *
 *     it('keeps the fixed order of then', covers('Relations: fixedOrder'), async () => { … });
 */
export function covers(...supported: readonly Feature[]): TestOptions {
  return about({ supported });
}

/** Says that a test shows these features to be refused; it has to `expectRefusal()`. */
export function refuses(...refused: readonly Feature[]): TestOptions {
  return about({ refused });
}

/** Says that a test shows these features to have no part in the history, by design. */
export function leavesOut(...leftOut: readonly Feature[]): TestOptions {
  return about({ 'left out': leftOut });
}

/** Several of these at once. */
export function about(covered: Covered): TestOptions {
  return { meta: { covered } };
}

/** Expects an error of the package, and notes what it says for the page. */
export async function expectRefusal(
  task: { readonly meta: { refusal?: Refusal } },
  attempt: Promise<unknown>,
  code: ErrorCode,
  message: string,
): Promise<void> {
  const error = await attempt.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(VersioningError);
  expect(error).toMatchObject({ code, message });
  task.meta.refusal = { code, message };
}
