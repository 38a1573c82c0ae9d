import { isLoaded, metaOf, primaryKeyOf } from '../internals/entityState.ts';
import { VersioningError } from '../errors.ts';
import { Operation } from '../model/Operation.ts';
import { VersionBase } from '../model/VersionBase.ts';
import { changesetOf, changesetWithLinksOf, type AnyVersion } from './changesets.ts';

/** Gives every version its computed members. The metadata room derives the classes; here they learn to read themselves. */
export function defineAccessors(): void {
  const getters: Record<string, (version: AnyVersion & { endTransaction: unknown }) => unknown> = {
    isCurrent: version => loaded(version).endTransaction === null,
    isDeleted: version => version.operationType === Operation.DELETE,
    index: indexOf,
    number: version => indexOf(version) + 1,
    changeset: changesetOf,
  };
  for (const [name, read] of Object.entries(getters)) {
    Object.defineProperty(VersionBase.prototype, name, {
      configurable: true,
      get(this: AnyVersion & { endTransaction: unknown }) {
        return read(this);
      },
    });
  }
  Object.defineProperty(VersionBase.prototype, 'changesetWithLinks', {
    configurable: true,
    value(this: AnyVersion) {
      return changesetWithLinksOf(this);
    },
  });
}

/** The version itself; one that a flush has made out of date must be loaded again first. */
function loaded<Version extends object>(version: Version): Version {
  if (!isLoaded(version)) {
    throw VersioningError.notLoaded(
      `${metaOf(version).className}#${String(primaryKeyOf(version))}`,
      'await loadHistory(version)',
    );
  }
  return version;
}

/** How many versions come before, counted along `previous`. */
function indexOf(version: AnyVersion): number {
  let index = 0;
  for (let { previous } = loaded(version); previous !== null; { previous } = previous) {
    if (!isLoaded(previous)) {
      throw VersioningError.notLoaded(
        `The history before ${metaOf(version).className}#${String(primaryKeyOf(version))}`,
        'await loadHistory(version)',
      );
    }
    index += 1;
  }
  return index;
}
