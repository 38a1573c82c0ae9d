/** One fact that the history tells differently. */
export interface Difference {
  /** `release 4.0.0`. */
  readonly moment: string;
  /** `HRV`. */
  readonly subject: string;
  readonly property: string;
  readonly expected: unknown;
  readonly found: unknown;
}

/** Counts the facts that were compared, and keeps those that differ. */
export class FactCheck {
  readonly differences: Difference[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Compares one value. Objects are equal when their properties are, in any order; arrays in this order. */
  compare(moment: string, subject: string, property: string, expected: unknown, found: unknown): void {
    this.#count += 1;

    if (canonical(expected) !== canonical(found)) {
      this.differences.push({ moment, subject, property, expected, found });
    }
  }
}

/** PostgreSQL's `jsonb` does not keep the order of an object's properties. */
function canonical(value: unknown): string {
  return JSON.stringify(value ?? null, (_, part: unknown) =>
    isObject(part) ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1))) : part,
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
