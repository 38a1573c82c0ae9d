/** Who and why, as stored on the transaction row. What is not given is stored as `null`. */
export interface VersioningContext {
  /** Who did it: a user's id or name. A number is stored as text. */
  readonly actor?: string | number | bigint | null | undefined;
  /** Why. */
  readonly reason?: string | null | undefined;
  /** Anything else, stored as JSON. */
  readonly meta?: Readonly<Record<string, unknown>> | null | undefined;
}
