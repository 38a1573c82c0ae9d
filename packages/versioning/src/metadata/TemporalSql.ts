import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { Operation } from '../model/Operation.ts';
import type { LinkHistory } from '../model/VersioningModel.ts';
import type { DeriveContext } from './DeriveContext.ts';
import type { DerivedVersion } from './deriveVersion.ts';
import { rowsWith } from './joinedTables.ts';
import { aliasOf, qualified, type FormulaColumns } from './properties.ts';

/** Columns of a joined row, each with the column of the row it is joined to that it equals. */
export type JoinColumns = readonly (readonly [column: string, equals: string])[];

/** What stands at the other end of a relation: the versions of the target, or its live rows where it has none. */
export interface Target {
  readonly live: EntityMetadata;
  readonly versions: DerivedVersion | undefined;
}

/** The SQL by which relations of a version are resolved as of its transaction. */
export class TemporalSql {
  readonly #context: DeriveContext;

  constructor(context: DeriveContext) {
    this.#context = context;
  }

  /**
   * The key of the one row of `rows` that is joined at the version's transaction, as a formula of the version:
   * `(select r.version_id from category_version r where r.id = a.category_id and <r holds at a.transaction_id> limit 1)`.
   */
  keyOf(rows: string, key: string, on: JoinColumns, isHistorical: boolean): (columns: FormulaColumns) => string {
    const { columns: names } = this.#context.options;
    return columns => {
      const of = (column: string) => this.#quote(`${aliasOf(columns, names)}.${column}`);
      const conditions = on.map(([column, equals]) => `__r.${this.#quote(column)} = ${of(equals)}`);
      if (isHistorical) {
        conditions.push(this.#holds('__r', of(names.transactionId)));
      }
      // limit 1: a database without a unique constraint may hold two rows for an inverse one-to-one
      return `(select __r.${this.#quote(key)} from ${rows} __r where ${conditions.join(' and ')} limit 1)`;
    };
  }

  /** `select owner_id, item_0, …` of a one-to-many at each version's transaction. */
  children(owner: DerivedVersion, { live, versions }: Target, foreignKey: EntityProperty): string {
    const { platform } = this.#context;
    const conditions = foreignKey.fieldNames.map(
      (column, i) => `i.${this.#quote(column)} = o.${this.#quote(foreignKey.referencedColumnNames[i]!)}`,
    );
    const rows = versions ? qualified(versions.version, platform) : rowsWith(live, foreignKey.name, platform);
    return this.#pairs(owner, { live, versions }, [], `join ${rows} i on ${conditions.join(' and ')}`);
  }

  /** `select owner_id, item_0, … [, position]` of a many-to-many, over the spans of its links, seen from either end. */
  linked(
    owner: DerivedVersion,
    { live, versions }: Target,
    link: LinkHistory,
    end: 'owner' | 'target',
    order: string | undefined,
  ): string {
    const { ends, history } = link.table;
    const { transactionId, endTransactionId } = this.#context.options.columns;
    const [own, theirs] = end === 'owner' ? [ends!.owner, ends!.target] : [ends!.target, ends!.owner];
    const at = `o.${this.#quote(transactionId)}`;
    const spans = [
      ...keyColumns(owner.meta).map((column, i) => `l.${this.#quote(own[i]!.name)} = o.${this.#quote(column)}`),
      `l.${this.#quote(transactionId)} <= ${at}`,
      `l.${this.#quote(endTransactionId)} > ${at}`,
    ];
    const items = keyColumns(live).map((column, i) => `i.${this.#quote(column)} = l.${this.#quote(theirs[i]!.name)}`);
    return this.#pairs(
      owner,
      { live, versions },
      order === undefined ? [] : [`l.${this.#quote(order)} as ${this.#quote('position')}`],
      `join ${history} l on ${spans.join(' and ')} ` +
        `join ${qualified(versions?.version ?? live, this.#context.platform)} i on ${items.join(' and ')}`,
    );
  }

  #pairs(owner: DerivedVersion, { live, versions }: Target, more: readonly string[], joins: string): string {
    const { versionId, transactionId, operationType } = this.#context.options.columns;
    const keys = versions ? [versionId] : keyColumns(live);
    const selected = [
      `o.${this.#quote(versionId)} as owner_id`,
      ...keys.map((key, i) => `i.${this.#quote(key)} as item_${i}`),
      ...more,
    ];
    const conditions = [`o.${this.#quote(operationType)} <> ${Operation.DELETE}`];
    if (versions) {
      conditions.push(this.#holds('i', `o.${this.#quote(transactionId)}`));
    }
    return `select ${selected.join(', ')} from ${owner.table.history} o ${joins} where ${conditions.join(' and ')}`;
  }

  /** Whether the version `alias` holds, not deleted, at the transaction `at`. */
  #holds(alias: string, at: string): string {
    const { transactionId, endTransactionId, operationType } = this.#context.options.columns;
    const column = (name: string) => `${alias}.${this.#quote(name)}`;
    return `${column(transactionId)} <= ${at} and ${column(endTransactionId)} > ${at} and ${column(operationType)} <> ${Operation.DELETE}`;
  }

  #quote(identifier: string): string {
    return this.#context.platform.quoteIdentifier(identifier);
  }
}

function keyColumns(meta: EntityMetadata): string[] {
  return meta.getPrimaryProps().flatMap(prop => prop.fieldNames);
}
