import { FlushMode, type EntityManager } from '@mikro-orm/core';
import { schemaOption } from '../internals/entityState.ts';
import { linksOf, orderOfLinks, otherEnd } from './links.ts';
import { keyCondition } from './versions.ts';
import type { VersionInfo, VersionedLink } from '../metadata/versionClass.ts';
import { Operation } from '../model/Operation.ts';

/** Reads versions and links as of one transaction, without flushing what is pending. */
export class HistoryAt {
  readonly #em: EntityManager;
  readonly #transaction: number;
  /** Of what has its tables in several. */
  readonly #schema: string | undefined;

  constructor(em: EntityManager, transaction: number, schema: string | undefined) {
    this.#em = em;
    this.#schema = schema;
    this.#transaction = transaction;
  }

  /** The versions of these rows that held then, not deleted. */
  versions(info: VersionInfo, keys: readonly Record<string, unknown>[]): Promise<object[]> {
    return keys.length === 0
      ? Promise.resolve([])
      : this.#find(info, { $or: keys.map(key => keyCondition(info, key)) });
  }

  /** The versions of the children that referred to a row then. */
  children(info: VersionInfo, foreignKey: string, owner: unknown): Promise<object[]> {
    const property = info.properties.find(each => each.live === foreignKey);
    if (!property) {
      return Promise.resolve([]);
    }
    const { parts, value } = property;
    return this.#find(
      info,
      parts ? Object.fromEntries(parts.map((part, i) => [part, (owner as unknown[])[i]])) : { [value]: owner },
    );
  }

  /** Keys at the other end of a row's links then; `[type, key]` where the relation leads to several classes. */
  async linked(linked: VersionedLink, key: unknown): Promise<unknown[]> {
    const spans = await this.#em.find<Record<string, unknown>>(
      linked.link.version.class,
      { ...linksOf(linked, key), ...this.#holds() },
      {
        flushMode: FlushMode.COMMIT,
        orderBy: orderOfLinks(linked),
        ...schemaOption(linked.link.version, this.#schema),
      },
    );
    return spans.map(span => otherEnd(linked, span));
  }

  #find(info: VersionInfo, where: object): Promise<object[]> {
    return this.#em.find<Record<string, unknown>>(
      info.version.class,
      { ...where, ...this.#holds(), operationType: { $ne: Operation.DELETE } },
      { flushMode: FlushMode.COMMIT, ...schemaOption(info.version, this.#schema) },
    );
  }

  #holds(): object {
    return { transaction: { $lte: this.#transaction }, endTransactionId: { $gt: this.#transaction } };
  }
}
