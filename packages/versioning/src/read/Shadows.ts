import type { Platform } from '@mikro-orm/core';
import { deriveShadows, type Shadow } from '../metadata/shadows.ts';
import { inSchema } from '../metadata/schemas.ts';
import type { VersioningModel } from '../model/VersioningModel.ts';
import { blankOut, findWrite, withExpressions } from './sqlText.ts';

/** A query, ready to be asked as of any transaction. */
export interface Cast {
  /** The word by which it is more than a question. */
  readonly write: string | undefined;
  readonly at: (transaction: number) => string;
}

/** Beyond so many different texts, those known are forgotten; longer ones are not worth their memory. */
const MOST_CASTS = 500;
const LONGEST_CAST = 10_000;

/** Stands for the transaction; in no text that a database takes. */
const TRANSACTION = '\0';

/**
 * Asks any query of the past: a common table expression hides the table of its name, and the database pushes the query's
 * conditions down into the history behind it. Only the tables that the query names get one.
 */
export class Shadows {
  readonly all: readonly Shadow[];
  readonly #platform: Platform;
  readonly #casts = new Map<string, Cast>();

  constructor(model: VersioningModel, platform: Platform) {
    this.all = deriveShadows(model, platform);
    this.#platform = platform;
  }

  /** Known by its text: to read it again costs about as much as a query by key on SQLite. */
  cast(sql: string): Cast {
    const key = `${this.#configured ?? ''}${TRANSACTION}${sql}`;
    const known = this.#casts.get(key);
    if (known) {
      return known;
    }
    const parts = this.#rewritten(sql).split(TRANSACTION);
    const cast: Cast = { write: findWrite(sql), at: transaction => parts.join(String(transaction)) };
    if (sql.length <= LONGEST_CAST) {
      if (this.#casts.size >= MOST_CASTS) {
        this.#casts.clear();
      }
      this.#casts.set(key, cast);
    }
    return cast;
  }

  #rewritten(sql: string): string {
    const expressions = new Map<string, string>();
    let rewritten = sql;
    for (const shadow of this.all) {
      rewritten = this.#qualified(rewritten, shadow, expressions);
    }
    const names = blankOut(rewritten, false);
    for (const shadow of this.all.filter(each => this.#isUnqualified(each))) {
      if (nameOf(shadow.table).test(names)) {
        const name = this.#platform.quoteIdentifier(shadow.table);
        expressions.set(name, inSchema(shadow.at(TRANSACTION), undefined, this.#platform));
      }
    }
    // materialized, the database would work out the whole table first
    return withExpressions(
      rewritten,
      [...expressions].map(([name, query]) => `${name} as not materialized (${query})`),
    );
  }

  /** A schema can't be part of an expression's name: `"app"."article"` becomes `"app.article"`. */
  #qualified(sql: string, shadow: Shadow, expressions: Map<string, string>): string {
    const names = blankOut(sql, false);
    // any schema may be a manager's, but `a.article` in a list of columns is none
    const where = shadow.schema === '*' ? String.raw`(?<=\b(?:from|join)\s+)` : '';
    const reference = new RegExp(
      String.raw`${where}(${QUOTED}|\w+)\s*\.\s*(?:${quotedOrBare(shadow.table)})(?!\s*\.|\w)`,
      'gi',
    );
    let result = '';
    let end = 0;
    for (const match of names.matchAll(reference)) {
      const schema = match[1]!.replaceAll(/^["`]|["`]$/g, '');
      if (!this.#isIn(shadow, schema)) {
        continue;
      }
      const name = this.#platform.quoteIdentifier(`${schema}/${shadow.table}`.replaceAll('.', '/'));
      expressions.set(name, inSchema(shadow.at(TRANSACTION), schema, this.#platform));
      result += sql.slice(end, match.index) + name;
      end = match.index + match[0].length;
    }
    return result + sql.slice(end);
  }

  #isIn({ schema }: Shadow, named: string): boolean {
    return schema === '*' || named === (schema ?? this.#configured ?? this.#platform.getDefaultSchemaName());
  }

  /** Whether a name without a schema means this table. */
  #isUnqualified({ schema }: Shadow): boolean {
    const known = schema === undefined || schema === '*' ? this.#configured : schema;
    return known === undefined || known === this.#platform.getDefaultSchemaName();
  }

  get #configured(): string | undefined {
    return this.#platform.getConfig().get('schema');
  }
}

const QUOTED = '"(?:[^"]|"")*"|`(?:[^`]|``)*`';

/** A table's name, quoted or not, that is not a part of another one or a column of another alias. */
function nameOf(table: string): RegExp {
  return new RegExp(`(?<![\\w.])(?:${quotedOrBare(table)})(?!\\w)`, 'i');
}

function quotedOrBare(table: string): string {
  const name = table.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
  return `"${name}"|\`${name}\`|(?<!["\`\\w])${name}(?!["\`\\w])`;
}
