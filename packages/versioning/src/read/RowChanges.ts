import { FlushMode, type EntityManager, type EntityMetadata } from '@mikro-orm/core';
import { qualified } from '../metadata/schemas.ts';
import { versionInfos, type VersionedLink, type VersionInfo } from '../metadata/versionClass.ts';
import { Operation } from '../model/Operation.ts';
import type { VersioningModel } from '../model/VersioningModel.ts';
import { areSameKeys, keyText, linksOf, orderOfLinks, otherEnd, ownEnd } from './links.ts';
import { askRows, quotedColumn } from './moments.ts';
import { keyAsOnEntity } from './shownValue.ts';
import { chunksOf, identify, infoOf, isDeletion, keyCondition, keyFrom, versionKey } from './versions.ts';

/** What became of one row from after the transaction `from` to after the transaction `to`. */
export interface RowChange {
  readonly info: VersionInfo;
  /** By the names of the live key properties. */
  readonly key: Readonly<Record<string, unknown>>;
  /** Versions of that time, in transaction order; empty where only links changed. */
  readonly versions: readonly object[];
  /** The row's last state before; `null` where there was no row, and where it is not known. */
  readonly before: object | null;
  /** Its last state; `null` where there is no row any more. */
  readonly after: object | null;
  /** Whether the row is older than its history, so that there was one that is not known. */
  readonly isOlder: boolean;
  readonly links: readonly LinkChange[];
}

/** Keys at the other ends of a row's links, where they differ. */
export interface LinkChange {
  readonly linked: VersionedLink;
  readonly before: readonly unknown[];
  readonly after: readonly unknown[];
}

type Span = Record<string, unknown> & {
  readonly transaction: { readonly id: number };
  readonly endTransactionId: number;
};

/** The rows that changed in a span, in a few queries for each class, without flushing what is pending. */
export class RowChanges {
  readonly #em: EntityManager;
  readonly #model: VersioningModel;
  readonly #from: number;
  readonly #to: number;

  constructor(em: EntityManager, model: VersioningModel, from: number, to: number) {
    this.#em = em;
    this.#model = model;
    this.#from = from;
    this.#to = to;
  }

  /**
   * Of the classes that are asked for, by the root of their hierarchies; each row once, by class, then by key. A row that
   * became one of another class was deleted as what it was, and inserted as what it is.
   */
  async read(isAsked: (root: EntityMetadata) => boolean): Promise<RowChange[]> {
    const isChanged = await this.#changedTables();
    const histories = [...this.#model.rows.values()].filter(({ live }) => isAsked(live.root));
    const rows = new Map<string, RowChange[]>();
    for (const { version } of histories.filter(({ table }) => isChanged(table.name))) {
      for (const changes of await this.#versions(version)) {
        rows.set(identify(changes[0]!.info.live, changes[0]!.key), changes);
      }
    }
    for (const link of this.#model.links.filter(({ table }) => isChanged(table.name))) {
      for (const end of ['owner', 'target'] as const) {
        const info = versionInfos.get(link[end]);
        const linked = info?.links.find(each => each.link === link && each.end === end);
        if (linked && isAsked(info!.live.root)) {
          await this.#addLinks(rows, info!, linked);
        }
      }
    }
    const order = histories.map(({ live }) => live.root);
    return [...rows.values()]
      .flat()
      .toSorted(
        (a, b) => order.indexOf(a.info.live.root) - order.indexOf(b.info.live.root) || compareKeys(a.key, b.key),
      );
  }

  /** By what the transactions say that they changed; where one says what is not known, its class had another name then. */
  async #changedTables(): Promise<(name: string) => boolean> {
    const { transaction, rows, links } = this.#model;
    const platform = this.#em.getPlatform();
    const column = (property: 'id' | 'changed') => quotedColumn(transaction, property, platform);
    const found = await askRows<{ changed: string }>(
      this.#em,
      `select distinct cast(${column('changed')} as text) as changed from ${qualified(transaction, platform)} ` +
        `where ${column('id')} > ? and ${column('id')} <= ?`,
      [this.#from, this.#to],
    );
    const names = new Set(found.flatMap(({ changed }) => JSON.parse(changed) as string[]));
    const known = new Set([...rows.values(), ...links].map(({ table }) => table.name));
    return [...names].every(name => known.has(name)) ? name => names.has(name) : () => names.size > 0;
  }

  /** What became of each row, by the classes that it had. */
  async #versions(version: EntityMetadata): Promise<RowChange[][]> {
    const found = await this.#em.find<Record<string, unknown>>(
      version.class,
      { transaction: { $gt: this.#from, $lte: this.#to } },
      {
        orderBy: { transaction: 'asc', versionId: 'asc' },
        populate: ['previous'] as never,
        flushMode: FlushMode.COMMIT,
        filters: false,
      },
    );
    const byRow = Map.groupBy(found, each => identify(infoOf(each).live, versionKey(each, infoOf(each))));
    return [...byRow.values()].map(versions => {
      const before = stateBefore(versions[0]!);
      const after = present(versions.at(-1)!);
      const isOlder =
        before === null && (versions[0] as { operationType?: unknown }).operationType === Operation.UPDATE;
      const infos = new Set([before, ...versions].flatMap(each => (each ? infoOf(each) : [])));
      return [...infos].map(info => ({
        info,
        key: versionKey(versions[0]!, info),
        versions: versions.filter(each => infoOf(each) === info),
        before: before && infoOf(before) === info ? before : null,
        after: after && infoOf(after) === info ? after : null,
        isOlder,
        links: [],
      }));
    });
  }

  async #addLinks(rows: Map<string, RowChange[]>, info: VersionInfo, linked: VersionedLink): Promise<void> {
    for (const [keys, spans] of await this.#changedLinks(linked)) {
      const before = spans.filter(span => this.#holds(span, this.#from)).map(span => otherEnd(linked, span));
      const after = spans.filter(span => this.#holds(span, this.#to)).map(span => otherEnd(linked, span));
      if (areSameKeys(before, after, linked.link.property.fixedOrder ?? false)) {
        continue;
      }
      const key = keyFrom(keys, info.live);
      const changes = rows.get(identify(info.live, key)) ?? [await this.#unchanged(info, key)];
      const isOfClass = (each: RowChange) =>
        each.info.links.some(own => own.link === linked.link && own.end === linked.end);
      const row = changes.find(each => isOfClass(each) && each.after) ?? changes.find(isOfClass) ?? changes[0]!;
      const more = { ...row, links: [...row.links, { linked, before, after }] };
      rows.set(
        identify(info.live, key),
        changes.map(each => (each === row ? more : each)),
      );
    }
  }

  /** By the key of a row whose links began or ended: all of its links that held before or hold after. */
  async #changedLinks(linked: VersionedLink): Promise<Map<unknown, Span[]>> {
    const within = { $gt: this.#from, $lte: this.#to };
    const changed = await this.#findSpans(linked, undefined, [{ transaction: within }, { endTransactionId: within }]);
    const live = linked.link[linked.end];
    const keyOf = (span: Span) => keyAsOnEntity(ownEnd(linked, span), live, this.#em);
    const keys = [...new Map(changed.map(span => [keyText(keyOf(span)), keyOf(span)])).values()];
    const byRow = new Map<string, [unknown, Span[]]>();
    const held = [this.#from, this.#to].map(at => ({ transaction: { $lte: at }, endTransactionId: { $gt: at } }));
    for (const some of chunksOf(keys)) {
      for (const span of await this.#findSpans(linked, { $in: some }, held)) {
        const id = keyText(keyOf(span));
        byRow.set(id, [keyOf(span), [...(byRow.get(id)?.[1] ?? []), span]]);
      }
    }
    return new Map(byRow.values());
  }

  #findSpans(linked: VersionedLink, key: object | undefined, either: readonly object[]): Promise<Span[]> {
    return this.#em
      .fork({ keepTransactionContext: true })
      .find<Span>(linked.link.version.class, { ...linksOf(linked, key), $or: [...either] } as never, {
        orderBy: orderOfLinks(linked) as never,
        filters: false,
      });
  }

  /** A row that only has other links: what it is, it was before. */
  async #unchanged(info: VersionInfo, key: Record<string, unknown>): Promise<RowChange> {
    const [version = null] = await this.#em.find<Record<string, unknown>>(
      info.version.class,
      {
        ...keyCondition(info, key),
        transaction: { $lte: this.#to },
        endTransactionId: { $gt: this.#to },
        operationType: { $ne: Operation.DELETE },
      },
      { flushMode: FlushMode.COMMIT, filters: false },
    );
    const own = version ? infoOf(version) : info;
    return { info: own, key, versions: [], before: version, after: version, isOlder: false, links: [] };
  }

  #holds({ transaction, endTransactionId }: Span, at: number): boolean {
    return transaction.id <= at && endTransactionId > at;
  }
}

/** A version that is a deletion has the last state itself. */
function stateBefore(first: object): object | null {
  const { previous } = first as { previous: object | null };
  if (isDeletion(first)) {
    return first;
  }
  return previous === null ? null : present(previous);
}

function present(version: object): object | null {
  return isDeletion(version) ? null : version;
}

/** Numbers and dates by value, anything else as text. */
function compareKeys(a: object, b: object): number {
  const others = Object.values(b).flat(Infinity) as unknown[];
  for (const [i, part] of (Object.values(a).flat(Infinity) as unknown[]).entries()) {
    const [left, right] = [part, others[i]].map(each => (each instanceof Date ? each.getTime() : each));
    const areNumbers = [left, right].every(each => typeof each === 'number' || typeof each === 'bigint');
    const [x, y] = areNumbers ? [left as number, right as number] : [String(left), String(right)];
    if (x !== y) {
      return x < y ? -1 : 1;
    }
  }
  return 0;
}
