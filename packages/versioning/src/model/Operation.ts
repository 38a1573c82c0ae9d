/**
 * What a transaction did to a row, as stored in the version's `operation_type`.
 *
 *     version.operationType === Operation.INSERT
 */
export const Operation = Object.freeze({
  /** The row was absent before the transaction and present after it. */
  INSERT: 0,
  /** The row was present before and after, and a versioned column differs. */
  UPDATE: 1,
  /** The row was present before and absent after; the version carries the last committed state. */
  DELETE: 2,
} as const);

export type Operation = (typeof Operation)[keyof typeof Operation];
