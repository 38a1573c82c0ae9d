/** Stable codes of `VersioningError`. */
export const ErrorCode = Object.freeze({
  NOT_VERSIONED: 'VERSIONING_NOT_VERSIONED',
  UNKNOWN_OPTION: 'VERSIONING_UNKNOWN_OPTION',
  UNKNOWN_PROPERTY: 'VERSIONING_UNKNOWN_PROPERTY',
  UNKNOWN_RELATION: 'VERSIONING_UNKNOWN_RELATION',
  NAME_COLLISION: 'VERSIONING_NAME_COLLISION',
  TABLE_COLLISION: 'VERSIONING_TABLE_COLLISION',
  UNSUPPORTED: 'VERSIONING_UNSUPPORTED',
  NOT_LOADED: 'VERSIONING_NOT_LOADED',
  READ_ONLY: 'VERSIONING_READ_ONLY',
  NO_TRANSACTION: 'VERSIONING_NO_TRANSACTION',
  MISSING_TABLE: 'VERSIONING_MISSING_TABLE',
  NO_SUCH_VERSION: 'VERSIONING_NO_SUCH_VERSION',
  TARGET_GONE: 'VERSIONING_TARGET_GONE',
  INVALID_CONTEXT: 'VERSIONING_INVALID_CONTEXT',
  SERIALIZATION: 'VERSIONING_SERIALIZATION',
  NO_SUCH_TRANSACTION: 'VERSIONING_NO_SUCH_TRANSACTION',
  NOT_IN_THE_PAST: 'VERSIONING_NOT_IN_THE_PAST',
  CONFLICT: 'VERSIONING_CONFLICT',
} as const);

export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** What stands in the way of `undo`. */
export interface UndoConflict {
  /** The class and key of the row. */
  readonly entity: string;
  readonly key: unknown;
  /** `null` where it is about the whole row. */
  readonly property: string | null;
  /** `Article#1.name was changed again` */
  readonly message: string;
}

/** Every error of this package. `code` is stable, the sentence is for people, `cause` is what the database said. */
export class VersioningError extends Error {
  readonly code: ErrorCode;
  /** Of the code `CONFLICT`. */
  declare readonly conflicts?: readonly UndoConflict[];

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'VersioningError';
    this.code = code;
  }

  static notVersioned(entity: string): VersioningError {
    return new VersioningError(
      ErrorCode.NOT_VERSIONED,
      `${entity} is not versioned. Mark it with @Versioned(), wrap its schema in versioned(), or list it in Versioning.with({ entities: [${entity}] }).`,
    );
  }

  static unknownOption(where: string, option: string, known: readonly string[]): VersioningError {
    return new VersioningError(
      ErrorCode.UNKNOWN_OPTION,
      `${where} has no option '${option}'.${didYouMean(option, known)} Known options: ${known.join(', ')}.`,
    );
  }

  static unknownProperty(entity: string, property: string, known: readonly string[], where: string): VersioningError {
    return new VersioningError(
      ErrorCode.UNKNOWN_PROPERTY,
      `${entity}.${property}, named in ${where}, does not exist.${didYouMean(property, known)}`,
    );
  }

  static primaryKeyExcluded(entity: string, property: string): VersioningError {
    return new VersioningError(
      ErrorCode.UNKNOWN_PROPERTY,
      `${entity}.${property}, named in exclude, is part of the primary key, which every version needs. Remove it from exclude.`,
    );
  }

  static unknownRelation(entity: string, property: string, known: readonly string[]): VersioningError {
    return new VersioningError(
      ErrorCode.UNKNOWN_RELATION,
      `${entity}.${property} is not a relation.${didYouMean(property, known)} Relations of ${entity}: ${known.join(', ') || 'none'}.`,
    );
  }

  static notDiscovered(entity: string): VersioningError {
    return new VersioningError(
      ErrorCode.UNKNOWN_PROPERTY,
      `${entity}, listed in Versioning.with({ entities }), is not among the entities of MikroORM.init(). Add it there.`,
    );
  }

  static sameColumn(option: string, other: string, column: string): VersioningError {
    return new VersioningError(
      ErrorCode.NAME_COLLISION,
      `Versioning.with({ columns }) names ${option} and ${other} both '${column}'. Give them different names.`,
    );
  }

  static nameCollision(entity: string, property: string): VersioningError {
    return new VersioningError(
      ErrorCode.NAME_COLLISION,
      `${entity}.${property} has the name of a version's own member. Give it another name on the version: @Versioned({ rename: { ${property}: '${entity.charAt(0).toLowerCase()}${entity.slice(1)}${property.charAt(0).toUpperCase()}${property.slice(1)}' } }).`,
    );
  }

  static nameTaken(version: string, property: string): VersioningError {
    return new VersioningError(
      ErrorCode.NAME_COLLISION,
      `${version} would have two properties called ${property}. Choose another name with @Versioned({ rename: { … } }).`,
    );
  }

  static versionsCollision(entity: string, property: string): VersioningError {
    return new VersioningError(
      ErrorCode.NAME_COLLISION,
      `${entity}.${property} exists already, so the versions can't have that name. Give them another: @Versioned({ versionsProperty: 'history' }).`,
    );
  }

  static columnCollision(entity: string, column: string, option: string): VersioningError {
    return new VersioningError(
      ErrorCode.NAME_COLLISION,
      `${entity} has a column ${column}, which its version table needs for itself. Rename the version table's column: Versioning.with({ columns: { ${option}: 'version_${column}' } }).`,
    );
  }

  static joinedColumnCollision(first: string, second: string, column: string): VersioningError {
    return new VersioningError(
      ErrorCode.NAME_COLLISION,
      `${first} and ${second}, of one hierarchy of tables, would share the column ${column} of their history. Give one of them another table or column name.`,
    );
  }

  static tableCollision(table: string, first: string, second: string): VersioningError {
    return new VersioningError(
      ErrorCode.TABLE_COLLISION,
      `${first} and ${second} share the table ${table}. Give one of them a table of its own: @Versioned({ tableName: '…' }).`,
    );
  }

  static unsupported(subject: string, what: string, instead: string): VersioningError {
    return new VersioningError(ErrorCode.UNSUPPORTED, `${subject} ${what}. ${instead}`);
  }

  static notLoaded(subject: string, load: string): VersioningError {
    return new VersioningError(ErrorCode.NOT_LOADED, `${subject} is not loaded. Load it first: ${load}.`);
  }

  static unloadedChange(entity: string, property: string): VersioningError {
    return new VersioningError(
      ErrorCode.NOT_LOADED,
      `${entity}.${property} was changed without having been loaded, so what it was before is not known. Load it before changing it: em.findOne() without 'fields', or populate: ['${property}'].`,
    );
  }

  static notManaged(entity: string): VersioningError {
    return new VersioningError(
      ErrorCode.NOT_LOADED,
      `This ${entity} belongs to no EntityManager, so its history can't be asked for. Load it, or flush it first.`,
    );
  }

  static readOnly(entity: string, action: string): VersioningError {
    return new VersioningError(
      ErrorCode.READ_ONLY,
      `${entity} is read-only: it was ${action}, and the flush was refused before anything was written. History is written by changing the live entity; to bring a state back, use revert(version).`,
    );
  }

  static pastIsReadOnly(subject: string): VersioningError {
    return new VersioningError(
      ErrorCode.READ_ONLY,
      `${subject} can't be written through a manager of the past; nothing was written. Change the live entity through the manager that asOf() was given, or bring a state back with revert().`,
    );
  }

  static goesByThePast(what: string): VersioningError {
    return new VersioningError(
      ErrorCode.UNSUPPORTED,
      `${what} of a manager of the past would read the present, since its queries can't be seen. Use the manager's own queries, its QueryBuilder, or em.execute().`,
    );
  }

  static noSuchTransaction(id: number): VersioningError {
    return new VersioningError(
      ErrorCode.NO_SUCH_TRANSACTION,
      `There is no transaction ${id}. Give one that exists, or a Date.`,
    );
  }

  static wrongOrder(from: number, to: number): VersioningError {
    return new VersioningError(
      ErrorCode.NO_SUCH_TRANSACTION,
      `between() was given moments in the wrong order: the first is after transaction ${from}, the second after ${to}. Exchange them.`,
    );
  }

  static notAMoment(given: string): VersioningError {
    return new VersioningError(
      ErrorCode.NO_SUCH_TRANSACTION,
      `${given} is no moment. Give a VersionTransaction or its id, a version, a Date, or 'latest'.`,
    );
  }

  static notComparable(given: string): VersioningError {
    return new VersioningError(
      ErrorCode.NOT_VERSIONED,
      `diff() can't compare ${given}. Give it two versions of one class, an entity and two moments, or two graphs of entities.`,
    );
  }

  static noHistory(method: string): VersioningError {
    return new VersioningError(
      ErrorCode.NOT_VERSIONED,
      `${method} was given a manager of a MikroORM instance that has no history. List Versioning in its extensions.`,
    );
  }

  static notInThePast(entity: string, property: string, cause: unknown): VersioningError {
    return new VersioningError(
      ErrorCode.NOT_IN_THE_PAST,
      `${entity}.${property} has no history, so the past can't be asked for it. Leave it out of the query, or out of exclude.`,
      { cause },
    );
  }

  static conflict(transaction: number, conflicts: readonly UndoConflict[]): VersioningError {
    const named = conflicts.slice(0, 3).map(({ message }) => message);
    const more = conflicts.length > 3 ? `; and ${conflicts.length - 3} more` : '';
    const error = new VersioningError(
      ErrorCode.CONFLICT,
      `Transaction ${transaction} can't be undone, since something stands in the way: ${named.join('; ')}${more}. Nothing was changed. To undo it all the same: undo(em, ${transaction}, { force: true }).`,
    );
    return Object.assign(error, { conflicts });
  }

  static otherClass(row: string, found: string): VersioningError {
    return new VersioningError(
      ErrorCode.UNSUPPORTED,
      `${row} can't come back, since a ${found} has its key now, and MikroORM can't make a row one of another class. Remove that one first, and flush.`,
    );
  }

  static cannotUndo(subject: string, what: string): VersioningError {
    return new VersioningError(
      ErrorCode.TARGET_GONE,
      `${subject} ${what}, and must not be null; nothing was changed. Remove or move the row first.`,
    );
  }

  static noTransaction(entity: string): VersioningError {
    return new VersioningError(
      ErrorCode.NO_TRANSACTION,
      `${entity} is versioned, and its changes were flushed outside of a transaction, where the history can't be atomic; nothing was written. Flush inside em.transactional(), or set implicitTransactions: true.`,
    );
  }

  static missingTable(table: string, cause: unknown): VersioningError {
    return new VersioningError(
      ErrorCode.MISSING_TABLE,
      `The history could not be written, since the table ${table} does not exist; the transaction was not committed. Create it: npx mikro-orm migration:create && npx mikro-orm migration:up (or npx mikro-orm schema:update --run).`,
      { cause },
    );
  }

  static serializationConflict(tables: readonly string[]): VersioningError {
    return new VersioningError(
      ErrorCode.SERIALIZATION,
      `Another transaction deleted a row that this one inserted again under the same key, in ${tables.join(', ')}; nothing was committed. Run the transaction again.`,
    );
  }

  static invalidContext(key: string, found: string, expected: string): VersioningError {
    return new VersioningError(
      ErrorCode.INVALID_CONTEXT,
      `The context of a transaction can't have ${found} as its ${key}. ${expected}`,
    );
  }

  static noSuchVersion(entity: string, number: number, count: number): VersioningError {
    return new VersioningError(
      ErrorCode.NO_SUCH_VERSION,
      `${entity} has no version ${number}: it has ${count}, numbered from 1.`,
    );
  }

  static notAVersion(entity: string, given = 'revert'): VersioningError {
    return new VersioningError(
      ErrorCode.NO_SUCH_VERSION,
      `${given}() was given ${entity}, which is not a version. Give it a version${given === 'revert' ? ', or a number as well: revert(entity, 1)' : ''}.`,
    );
  }

  static neverRecorded(row: string): VersioningError {
    return new VersioningError(
      ErrorCode.NO_SUCH_VERSION,
      `${row} can't be restored: no version of it was ever recorded.`,
    );
  }

  static notDeleted(row: string): VersioningError {
    return new VersioningError(
      ErrorCode.NO_SUCH_VERSION,
      `${row} can't be restored: its last version is not a DELETE. Set a row that exists to an old state with revert(version).`,
    );
  }

  static cannotUnlink(entity: string, property: string, relation: string): VersioningError {
    return new VersioningError(
      ErrorCode.TARGET_GONE,
      `A ${entity} that came later can't be unlinked from ${relation}, since ${entity}.${property} must not be null. Remove or move it first, or leave '${relation}' out of relations.`,
    );
  }

  static registeredTwice(): VersioningError {
    return new VersioningError(
      ErrorCode.UNSUPPORTED,
      'Versioning is listed twice in extensions. List it once, with all of its options.',
    );
  }

  static otherSchema(entity: string, schema: string): VersioningError {
    return new VersioningError(
      ErrorCode.UNSUPPORTED,
      `${entity} would be written to the schema ${schema} of its EntityManager, where its history is not kept; nothing was written. Give the entity the wildcard schema, @Entity({ schema: '*' }), or use the schema of the configuration.`,
    );
  }

  static targetGone(entity: string, property: string, path: string): VersioningError {
    return new VersioningError(
      ErrorCode.TARGET_GONE,
      `${entity}.${property} can't be reverted, since the row it pointed to does not exist any more. Revert it too: revert(version, { relations: ['${path}'] }).`,
    );
  }
}

/** ` Did you mean 'name'?`, or nothing where no known word is near. */
function didYouMean(word: string, known: readonly string[]): string {
  const near = known
    .map(candidate => ({ candidate, edits: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= Math.max(1, Math.floor(candidate.length * 0.4)))
    .toSorted((a, b) => a.edits - b.edits)[0];
  return near ? ` Did you mean '${near.candidate}'?` : '';
}

/** Levenshtein distance, one row of the matrix at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
