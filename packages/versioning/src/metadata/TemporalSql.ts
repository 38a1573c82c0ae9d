import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { Operation } from '../model/Operation.ts';
import type { Column } from '../model/HistoryTable.ts';
import type { LinkHistory } from '../model/VersioningModel.ts';
import type { DeriveContext } from './DeriveContext.ts';
import type { DerivedVersion } from './deriveVersion.ts';
import { rowsWith } from './joinedTables.ts';
import { aliasOf, discriminatorValueOf, isPolymorphicToOne, type FormulaColumns } from './properties.ts';
import { qualified } from './schemas.ts';

/** How a row is joined: pairs of its columns and those of the row that it is joined to. */
export interface JoinColumns {
  readonly pairs: readonly (readonly [column: string, equals: string])[];
  /** Columns of the joined row that have a value: which class a polymorphic foreign key is of. */
  readonly values?: readonly (readonly [column: string, value: string])[];
}

/** What stands at the other end of a relation: the versions of the target, or its live rows where it has none. */
export interface Target {
  readonly live: EntityMetadata;
  readonly versions: DerivedVersion | undefined;
}

interface LinkEnd extends Required<Pick<JoinColumns, 'values'>> {
  readonly columns: readonly Column[];
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
      const conditions = [
        ...on.pairs.map(([column, equals]) => `__r.${this.#quote(column)} = ${of(equals)}`),
        ...this.#valued('__r', on),
      ];
      if (isHistorical) {
        conditions.push(this.#holds('__r', of(names.transactionId)));
      }
      // limit 1: a database without a unique constraint may hold two rows for an inverse one-to-one
      return `(select __r.${this.#quote(key)} from ${rows} __r where ${conditions.join(' and ')} limit 1)`;
    };
  }

  /** `select owner_id, item_0, …` of a one-to-many at each version's transaction. */
  children(owner: DerivedVersion, { live, versions }: Target, foreignKey: EntityProperty, on: JoinColumns): string {
    const { platform } = this.#context;
    const conditions = [
      ...on.pairs.map(([column, equals]) => `i.${this.#quote(column)} = o.${this.#quote(equals)}`),
      ...this.#valued('i', on),
    ];
    const rows = versions ? qualified(versions.version, platform) : rowsWith(live, foreignKey.name, platform);
    return this.#pairs(owner, { live, versions }, [], `join ${rows} i on ${conditions.join(' and ')}`);
  }

  /** `select owner_id, item_0, … [, position]` of a many-to-many, over the spans of its links, seen from either end. */
  linked(
    owner: DerivedVersion,
    { live, versions }: Target,
    link: LinkHistory,
    end: 'owner' | 'target',
    more: readonly string[],
  ): string {
    const { history } = link.table;
    const { transactionId, endTransactionId, operationType } = this.#context.options.columns;
    const own = linkEnd(link, end);
    const theirs = linkEnd(link, end === 'owner' ? 'target' : 'owner');
    const at = `o.${this.#quote(transactionId)}`;
    const spans = [
      ...keyColumns(owner.meta).map((column, i) => `l.${this.#quote(own.columns[i]!.name)} = o.${this.#quote(column)}`),
      ...this.#valued('l', own),
      ...this.#valued('l', theirs),
      `l.${this.#quote(transactionId)} <= ${at}`,
      `l.${this.#quote(endTransactionId)} > ${at}`,
      ...(link.table.kind === 'row' ? [`l.${this.#quote(operationType)} <> ${Operation.DELETE}`] : []),
    ];
    const items = keyColumns(live).map(
      (column, i) => `i.${this.#quote(column)} = l.${this.#quote(theirs.columns[i]!.name)}`,
    );
    return this.#pairs(
      owner,
      { live, versions },
      more,
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

  /** The key by the class that the version's column `type` names, with a formula for each: `case type when 'post' then … end`. */
  byType(
    type: string,
    formulas: readonly (readonly [value: string, formula: (columns: FormulaColumns) => string])[],
  ): (columns: FormulaColumns) => string {
    return columns => {
      const of = this.#quote(`${aliasOf(columns, this.#context.options.columns)}.${type}`);
      return `(case ${of} ${formulas.map(([value, formula]) => `when ${this.literal(value)} then ${formula(columns)}`).join(' ')} end)`;
    };
  }

  #valued(alias: string, { values = [] }: Pick<JoinColumns, 'values'>): string[] {
    return values.map(([column, value]) => `${alias}.${this.#quote(column)} = ${this.literal(value)}`);
  }

  literal(value: string): string {
    return `'${value.replaceAll("'", "''")}'`;
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

/** The key's columns of one end of a link, and the value of the one that says which class a polymorphic end is of. */
function linkEnd(link: LinkHistory, end: 'owner' | 'target'): LinkEnd {
  const columns = link.table.ends![end];
  const type = link[`${end}Type`];
  return type === undefined
    ? { columns, values: [] }
    : { columns: columns.slice(1), values: [[columns[0]!.name, type]] };
}

/** How rows refer to those of `owner` by a foreign key. */
export function referringColumns(foreignKey: EntityProperty, owner: EntityMetadata): JoinColumns {
  if (!isPolymorphicToOne(foreignKey)) {
    return { pairs: foreignKey.fieldNames.map((column, i) => [column, foreignKey.referencedColumnNames[i]!] as const) };
  }
  const [type, ...columns] = foreignKey.fieldNames as [string, ...string[]];
  const key = keyColumns(owner);
  return {
    pairs: columns.map((column, i) => [column, key[i]!] as const),
    values: [[type, discriminatorValueOf(foreignKey, owner.class)!]],
  };
}

function keyColumns(meta: EntityMetadata): string[] {
  return meta.getPrimaryProps().flatMap(prop => prop.fieldNames);
}
