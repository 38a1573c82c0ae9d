import { FlushMode, type AutoPath, type EntityManager, type FromEntityType } from '@mikro-orm/core';
import { describe, ownMetaOf, ownSchemaOf, schemaOption } from '../internals/entityState.ts';
import { VersioningError } from '../errors.ts';
import { versionInfos, type VersionInfo } from '../metadata/versionClass.ts';
import type { AnyVersion } from '../model/Version.ts';
import { requireLoaded } from '../read/changesets.ts';
import { countVersions, isVersion, keyCondition, liveKey, requireManaged, requireVersioned } from '../read/versions.ts';
import { readRelationPaths } from './relationPaths.ts';
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
  const unknown = Object.keys(options).find(option => option !== 'relations');
  if (unknown !== undefined) {
    throw VersioningError.unknownOption('revert()', unknown, ['relations']);
  }
  const relations = readRelationPaths(options.relations ?? [], info.live, em);
  requireLoaded(version, info);
  const { transaction } = version as { transaction: { id: number } };
  return new Reverter(em, transaction.id, ownSchemaOf(version)).revert(version, relations);
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
