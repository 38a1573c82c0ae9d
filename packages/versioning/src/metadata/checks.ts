import { JsonType, type EntityMetadata, type EntityProperty } from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import type { DeriveContext } from './DeriveContext.ts';
import { columnPrefix, isJoined, type Hierarchy, type Shape } from './hierarchy.ts';
import { ownColumns } from './joinedTables.ts';
import { isPolymorphicToOne } from './properties.ts';
import { isWildcard } from './schemas.ts';
import type { MarkedEntity } from './marks.ts';

/** Members that every version has; a property of the entity with such a name must be renamed. */
const MEMBERS = [
  'versionId',
  'operationType',
  'transaction',
  'endTransaction',
  'validFrom',
  'validUntil',
  'entity',
  'isCurrent',
  'isDeleted',
  'index',
  'number',
  'previous',
  'next',
  'changeset',
  'changesetWithLinks',
  'endTransactionId',
];

/** Throws a `VersioningError` for what an entity has that can't be versioned. */
export function refuseUnsupported(live: EntityMetadata, version: string, { platform, options }: DeriveContext): void {
  if (options.schema !== undefined && isWildcard(live, platform)) {
    throw VersioningError.unsupported(
      live.className,
      `has the wildcard schema, so that its histories can't be together in the schema ${options.schema}`,
      'Leave out Versioning.with({ schema }): each history is in the schema of its rows then.',
    );
  }
  if (version.length > platform.getMaxIdentifierLength()) {
    throw VersioningError.unsupported(
      live.className,
      `would have the version table ${version}, a name of ${version.length} characters where the database has ${platform.getMaxIdentifierLength()}`,
      "Give it a shorter one: @Versioned({ tableName: '…' }).",
    );
  }
  const long = live.props
    .flatMap(prop => prop.fieldNames ?? [])
    .find(column => {
      return columnPrefix(live).length + column.length > platform.getMaxIdentifierLength();
    });
  if (isJoined(live) && long !== undefined) {
    throw VersioningError.unsupported(
      `${live.className}, of a hierarchy of tables,`,
      `would have the column ${columnPrefix(live)}${long} in its history, a name too long for the database`,
      'Give the table or the column a shorter one.',
    );
  }
  for (const prop of live.getPrimaryProps()) {
    const { customType } = prop;
    if (isPolymorphicToOne(prop)) {
      throw VersioningError.unsupported(
        `${live.className}.${prop.name}`,
        'is a polymorphic relation in a primary key, by which MikroORM finds nothing',
        'Give the entity a key of its own.',
      );
    }
    if (customType instanceof JsonType || customType?.convertToDatabaseValueSQL) {
      throw VersioningError.unsupported(
        `${live.className}.${prop.name}`,
        customType instanceof JsonType ? 'is a key of type JSON' : 'is a key that its type converts in SQL',
        'Use a key whose value is the one in the database.',
      );
    }
  }
}

/** Throws a `VersioningError` for options that name what does not exist, and for names that a version needs itself. */
export function checkNames(
  { meta: live, options }: MarkedEntity,
  shape: Shape,
  rootShape: Shape,
  context: DeriveContext,
): void {
  const known = Object.keys(shape);
  for (const [option, names] of [
    ['exclude', options.exclude ?? []],
    ['rename', Object.keys(options.rename ?? {})],
  ] as const) {
    for (const name of names) {
      const prop = shape[name] ?? Object.values(rootShape).find(each => each.name === name);
      if (!prop) {
        throw VersioningError.unknownProperty(live.className, name, known, option);
      }
      if (option === 'exclude' && prop.primary) {
        throw VersioningError.primaryKeyExcluded(live.className, name);
      }
    }
  }
  for (const prop of Object.values(shape)) {
    const name = options.rename?.[prop.name] ?? prop.name;
    const isTaken = MEMBERS.includes(name) || (isJoined(live) && name === context.options.columns.entityType);
    if (isTaken && !options.exclude?.includes(prop.name) && prop.persist !== false) {
      throw VersioningError.nameCollision(live.className, prop.name);
    }
  }
  const versionsProperty = options.versionsProperty ?? 'versions';
  if (shape[versionsProperty]) {
    throw VersioningError.versionsCollision(live.className, versionsProperty);
  }
}

/** Throws a `VersioningError` for columns of different tables that would be one in the history of a joined hierarchy. */
export function checkJoinedColumns({ classes }: Hierarchy): void {
  const holders = new Map<string, EntityMetadata>();
  for (const meta of classes) {
    for (const column of ownColumns(meta).map(name => columnPrefix(meta) + name)) {
      const other = holders.get(column);
      if (other) {
        throw VersioningError.joinedColumnCollision(other.className, meta.className, column);
      }
      holders.set(column, meta);
    }
  }
}

/** Throws a `VersioningError` for a column that has the name of one of the history's own. */
export function checkColumns(live: EntityMetadata, copied: readonly EntityProperty[], context: DeriveContext): void {
  const taken = new Set(copied.flatMap(prop => prop.fieldNames));
  for (const [option, column] of Object.entries(context.options.columns)) {
    if (taken.has(column) && (option !== 'entityType' || isJoined(live))) {
      throw VersioningError.columnCollision(live.className, column, option);
    }
  }
}
