import {
  FlushMode,
  type AutoPath,
  type EntityManager,
  type EntityName,
  type FromEntityType,
  type Primary,
} from '@mikro-orm/core';
import { describe, ownMetaOf, ownSchemaOf, schemaOption } from '../internals/entityState.ts';
import { VersioningError } from '../errors.ts';
import { versionInfos, type VersionInfo } from '../metadata/versionClass.ts';
import { Operation } from '../model/Operation.ts';
import type { AnyVersion } from '../model/Version.ts';
import { requireLoaded } from '../read/changesets.ts';
import {
  countVersions,
  isVersion,
  keyCondition,
  keyFrom,
  liveKey,
  requireManaged,
  requireVersioned,
  rowName,
  versionOf,
} from '../read/versions.ts';
import { readRelationPaths, type RelationTree } from './relationPaths.ts';
import { Reverter } from './Reverter.ts';

/** What to bring back besides the row itself. */
export interface RevertOptions {
  /**
   * Dotted paths of relations whose rows and links are restored as of the version's transaction; a path includes its
   * prefixes. Rows that came later are unlinked, and removed only where the relation has orphan removal.
   */
  readonly relations?: readonly string[];
}

/**
 * Sets the live entity to the version's state: recreates it with its key when it was deleted, removes it when the
 * version is a DELETE. Nothing is written until `em.flush()`, and then it is a new version.
 *
 *     await revert(article.versions[0], { relations: ['category', 'tags'] });
 *     await revert(article, 2);      // to its second version
 *     await em.flush();
 *
 * Returns the live entity, `null` when it is removed. Throws a `VersioningError` for an unknown relation, for a version
 * number that does not exist, and for a to-one target that is gone and not listed in `relations`.
 */
export function revert<Entity extends object, Path extends string = never>(
  version: AnyVersion & { readonly entity: Entity | null },
  options?: RevertOptions & { readonly relations?: readonly AutoPath<Entity, Path>[] },
): Promise<Entity | null>;
export function revert<Entity extends object, Path extends string = never>(
  entity: Entity,
  number: number,
  options?: RevertOptions & { readonly relations?: readonly AutoPath<Entity, Path>[] },
): Promise<FromEntityType<Entity> | null>;
export async function revert(
  subject: object,
  numberOrOptions: number | RevertOptions = {},
  options: RevertOptions = {},
): Promise<object | null> {
  if (typeof numberOrOptions === 'number') {
    return revertVersion(await findNumbered(subject, numberOrOptions), options);
  }
  if (!isVersion(subject)) {
    throw VersioningError.notAVersion(describe(subject));
  }
  return revertVersion(subject, numberOrOptions);
}

async function revertVersion(version: object, options: RevertOptions): Promise<object | null> {
  const em = requireManaged(version);
  const info = versionInfos.get(ownMetaOf(version))!;
  const relations = readRelations('revert()', options, info, em);
  requireLoaded(version, info);
  const { transaction } = version as { transaction: { id: number } };
  return new Reverter(em, transaction.id, ownSchemaOf(version)).revert(version, relations);
}

/**
 * Recreates a deleted row with its key, as it was right before it was deleted, and the relations that were asked for with
 * the rows and links that they had then. Nothing is written until `em.flush()`, and then it is a new version.
 *
 *     await restore(em, Article, 1, { relations: ['tags', 'comments'] });
 *     await em.flush();
 *
 * The key is a plain value, or an array or an object for a composite one. Returns the new entity. Throws a
 * `VersioningError` for a row that was never recorded or is not deleted, for an unknown relation, and for a to-one target
 * that is gone and not listed in `relations`.
 */
export async function restore<Entity extends object, Path extends string = never>(
  em: EntityManager,
  entity: EntityName<Entity>,
  key: Primary<Entity>,
  options: RevertOptions & { readonly relations?: readonly AutoPath<Entity, Path>[] } = {},
): Promise<Entity> {
  const { live, version } = infoOf(em, entity);
  const manager = em.getContext();
  const given = keyFrom(key, live);
  const named = rowName(live, given);
  const [last] = await manager.find<Record<string, unknown>>(
    version.class,
    keyCondition(versionInfos.get(version)!, given),
    { orderBy: { transaction: 'desc' }, limit: 1, flushMode: FlushMode.COMMIT },
  );
  if (!last) {
    throw VersioningError.neverRecorded(named);
  }
  const { operationType, transaction } = last as { operationType: Operation; transaction: { id: number } } & object;
  if (operationType !== Operation.DELETE) {
    throw VersioningError.notDeleted(named);
  }
  // a class above knows the version as that of the row's own class
  const relations = readRelations('restore()', options, versionInfos.get(ownMetaOf(last))!, em);
  const reverter = new Reverter(manager, transaction.id - 1, ownSchemaOf(last));
  return (await reverter.restore(last, relations)) as Entity;
}

function infoOf(em: EntityManager, entity: EntityName): VersionInfo {
  const info = versionInfos.get(em.getMetadata().find(versionOf(entity) as never) as never);
  if (!info) {
    throw VersioningError.noHistory('restore()');
  }
  return info;
}

function readRelations(method: string, options: RevertOptions, info: VersionInfo, em: EntityManager): RelationTree {
  const unknown = Object.keys(options).find(option => option !== 'relations');
  if (unknown !== undefined) {
    throw VersioningError.unknownOption(method, unknown, ['relations']);
  }
  return readRelationPaths(options.relations ?? [], info.live, em);
}

/** The version with this number, 1-based, in transaction order. */
async function findNumbered(entity: object, number: number): Promise<object> {
  const info: VersionInfo = requireVersioned(entity);
  const em: EntityManager = requireManaged(entity);
  const [version] =
    Number.isInteger(number) && number > 0
      ? await em.find<Record<string, unknown>>(info.version.class, keyCondition(info, liveKey(entity, info)), {
          orderBy: { transaction: 'asc' },
          limit: 1,
          offset: number - 1,
          flushMode: FlushMode.COMMIT,
          ...schemaOption(info.version, ownSchemaOf(entity)),
        })
      : [];
  if (!version) {
    throw VersioningError.noSuchVersion(info.live.className, number, await countVersions(entity));
  }
  return version;
}
