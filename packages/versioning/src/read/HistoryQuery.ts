import { raw, type EntityMetadata } from '@mikro-orm/core';
import { BasePostgreSqlPlatform, type SqlEntityManager } from '@mikro-orm/sql';
import { isJoined } from '../metadata/hierarchy.ts';
import { inSchema } from '../metadata/schemas.ts';
import type { Shadow } from '../metadata/shadows.ts';
import { Operation } from '../model/Operation.ts';
import type { VersioningModel } from '../model/VersioningModel.ts';
import type { Shadows } from './Shadows.ts';
import type { View } from './views.ts';

interface Query {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** Makes a query for the live rows `e` that meet a condition, with these properties or SQL as its fields. */
type Ask = (fields: readonly unknown[]) => Promise<Query>;

/** A table with history that a query names, and the quoted name of that history. */
interface Named {
  readonly shadow: Shadow;
  readonly history: string;
}

/** Ids of transactions; `undefined` for no limit. */
interface Span {
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/** Makes a query for live rows into one for the ids of the versions that such rows ever had while they met it. */
export class HistoryQuery {
  readonly #em: SqlEntityManager;
  readonly #shadows: Shadows;
  readonly #model: VersioningModel;
  readonly #span: Span;
  /** Of what has its tables in several. */
  readonly #schema: string | undefined;

  constructor(em: SqlEntityManager, shadows: Shadows, model: VersioningModel, span: Span, schema: string | undefined) {
    this.#em = em;
    this.#schema = schema;
    this.#shadows = shadows;
    this.#model = model;
    this.#span = span;
  }

  async write(meta: EntityMetadata, ask: Ask, views: readonly View[]): Promise<Query> {
    const plain = await ask(meta.primaryKeys);
    const named = this.#namedIn(plain.sql, views);
    const words = this.#shadows.wordsOf(plain.sql);
    const isAlone =
      named.length === 1 &&
      words.filter(word => word === meta.root.tableName.toLowerCase()).length === 1 &&
      !views.some(({ table }) => words.includes(table.toLowerCase()));
    if (isAlone && !isJoined(meta)) {
      const { versionId } = this.#model.columns;
      const { sql, params } = await ask([raw(this.#quote('e', versionId))]);
      return { sql: this.#amongStates(sql), params };
    }
    return { sql: this.#amongMoments(plain.sql, meta, named, views), params: plain.params };
  }

  /** Of a row's own columns, a version says what they were in all of its span. */
  #amongStates(sql: string): string {
    const { transactionId, endTransactionId } = this.#model.columns;
    const { from, to } = this.#span;
    const limits = [
      ...(from === undefined ? [] : [` and ${this.#quote(endTransactionId)} > ${from}`]),
      ...(to === undefined ? [] : [` and ${this.#quote(transactionId)} <= ${to}`]),
    ];
    return this.#shadows.castBy(sql, [], ({ ever }) => ever + limits.join(''));
  }

  /** What related rows were changes within a version's span: asks as of each transaction that changed one of the tables. */
  #amongMoments(sql: string, meta: EntityMetadata, named: readonly Named[], views: readonly View[]): string {
    const { versionId, transactionId, endTransactionId, operationType } = this.#model.columns;
    const rows = this.#model.rows.get(meta.root.class)!;
    const history = inSchema(rows.table.history, this.#schema, this.#em.getPlatform());
    const keys = rows.table.key.map(({ name }) => name);
    // a query for a hierarchy selects more than the key
    const key = keys.map(name => this.#quote('__e', name)).join(', ');
    const then = `select ${key} from (${this.#shadows.cast(sql, views).at('__m.id')}) __e`;
    const holds =
      `${this.#quote('__v', transactionId)} <= __m.id and ${this.#quote('__v', endTransactionId)} > __m.id ` +
      `and ${this.#quote('__v', operationType)} <> ${Operation.DELETE}`;
    const columns = keys.map(name => this.#quote('__v', name));
    const moments = `(${this.#moments(named)}) __m`;
    if (this.#em.getPlatform() instanceof BasePostgreSqlPlatform) {
      const isSame = columns.map((column, i) => `${column} = ${this.#quote('__k', keys[i]!)}`).join(' and ');
      return (
        `select ${this.#quote('__v', versionId)} from ${moments} cross join lateral (${then}) __k ` +
        `join ${history} __v on ${isSame} and ${holds}`
      );
    }
    return (
      `select ${this.#quote('__v', versionId)} from ${moments} cross join ${history} __v ` +
      `where (${columns.join(', ')}) in (${then}) and ${holds}`
    );
  }

  #moments(named: readonly Named[]): string {
    const { transactionId, endTransactionId } = this.#model.columns;
    const { from, to } = this.#span;
    const within = (column: string) =>
      [...(from === undefined ? [] : [`${column} > ${from}`]), `${column} <= ${to ?? this.#model.openEnd - 1}`].join(
        ' and ',
      );
    const ids = named.flatMap(({ shadow, history }) =>
      // where a link ends, nothing begins
      [transactionId, ...(shadow.isLink ? [endTransactionId] : [])].map(
        column => `select ${this.#quote(column)} as id from ${history} where ${within(this.#quote(column))}`,
      ),
    );
    return [...ids, ...(from === undefined ? [] : [`select ${from}`])].join(' union ');
  }

  #namedIn(sql: string, views: readonly View[]): Named[] {
    const named: Named[] = [];
    this.#shadows.castBy(sql, views, (shadow, schema) => {
      named.push({ shadow, history: inSchema(shadow.history, schema, this.#em.getPlatform()) });
      return shadow.ever;
    });
    return named;
  }

  #quote(...path: string[]): string {
    return path.map(name => this.#em.getPlatform().quoteIdentifier(name)).join('.');
  }
}
