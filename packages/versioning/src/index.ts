// The extension and how to mark entities
export { Versioning } from './Versioning.ts';
export { Versioned, versioned } from './metadata/marks.ts';
export type { EntityReference, VersionedOptions, VersioningOptions } from './options.ts';

// Who and why
export { versioning } from './context.ts';
export type { VersioningContext } from './model/VersioningContext.ts';

// Versions
export { Operation } from './model/Operation.ts';
export { VersionTransaction } from './model/VersionTransaction.ts';
export type {
  AnyVersion,
  Changeset,
  Version,
  VersionClass,
  VersionMembers,
  VersionOf,
  Versions,
  WithVersions,
} from './model/Version.ts';

// Reading
export { history, type HistoryOptions } from './read/history.ts';
export { countVersions, loadHistory, versionOf } from './read/versions.ts';

// The past
export { asOf } from './read/asOf.ts';
export type { Moment } from './read/moments.ts';

export { diff } from './read/diff.ts';
export type { Difference } from './read/graphs.ts';
export { between, type BetweenOptions, type Change } from './read/between.ts';

// Before commit
export { changeset, isModified } from './read/pendingChanges.ts';

// Back
export { restore, revert, type RevertOptions } from './restore/revert.ts';
export { undo, type UndoOptions } from './restore/undo.ts';

// Errors
export { ErrorCode, VersioningError, type UndoConflict } from './errors.ts';
