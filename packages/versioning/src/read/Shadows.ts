import type { Platform } from '@mikro-orm/core';
import { BasePostgreSqlPlatform } from '@mikro-orm/sql';
import { inSchema } from '../metadata/schemas.ts';
import { deriveShadows, type Shadow } from '../metadata/shadows.ts';
import type { VersioningModel } from '../model/VersioningModel.ts';
import { countExplain, findWrite, withExpressions } from './sqlText.ts';
import { folded, isWord, tokensOf, type SqlDialect, type Token } from './sqlTokens.ts';
import { findExpressions, findTables, type TableName } from './tableNames.ts';
import type { View } from './views.ts';

/** What a query can read from. */
type Source = Shadow | View;

/** The query that stands for a table, of the schema that the SQL names. */
type QueryOf = (shadow: Shadow, schema: string | undefined) => string;

/** One query that is asked of the past. */
interface Casting {
  readonly queryOf: QueryOf;
  readonly sources: readonly Source[];
  /** By their unquoted name, each after those that it needs. */
  readonly expressions: Map<string, string>;
}

/** A query, ready to be asked as of any transaction. */
export interface Cast {
  /** The word by which it is more than a question. */
  readonly write: string | undefined;
  /** The query as of a transaction: its id, or SQL that yields one. */
  readonly at: (transaction: number | string) => string;
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
  readonly #dialect: SqlDialect;
  readonly #casts = new Map<string, Cast>();

  constructor(model: VersioningModel, platform: Platform) {
    this.all = deriveShadows(model, platform);
    this.#platform = platform;
    this.#dialect = platform instanceof BasePostgreSqlPlatform ? 'postgresql' : 'sqlite';
  }

  /** The names and keywords of SQL, in lower case. */
  wordsOf(sql: string): string[] {
    return tokensOf(sql, this.#dialect)
      .filter(({ kind }) => kind === 'word' || kind === 'quoted')
      .map(({ value }) => value.toLowerCase());
  }

  /** Known by its text: to read it again costs about as much as a query by key on SQLite. */
  cast(sql: string, views: readonly View[]): Cast {
    const key = `${this.#configured ?? ''}${TRANSACTION}${sql}`;
    const known = this.#casts.get(key);
    if (known) {
      return known;
    }
    const parts = this.castBy(sql, views, shadow => shadow.at(TRANSACTION)).split(TRANSACTION);
    const cast: Cast = {
      write: findWrite(tokensOf(sql, this.#dialect)),
      at: transaction => parts.join(String(transaction)),
    };
    if (sql.length <= LONGEST_CAST) {
      if (this.#casts.size >= MOST_CASTS) {
        this.#casts.clear();
      }
      this.#casts.set(key, cast);
    }
    return cast;
  }

  /** The query with another one in the place of each table that it names. */
  castBy(sql: string, views: readonly View[], queryOf: QueryOf): string {
    const expressions = new Map<string, string>();
    const rewritten = this.#rewrite(sql, { queryOf, expressions, sources: [...this.all, ...views] });
    return expressions.size === 0 ? sql : this.#prefixed(rewritten, expressions);
  }

  /** Lists an expression for each table that the SQL names. One of a schema gets a name of its own in the SQL. */
  #rewrite(sql: string, casting: Casting): string {
    const tokens = tokensOf(sql, this.#dialect);
    const names = new Set(tokens.map(({ value }) => value.toLowerCase()));
    const named = casting.sources.filter(({ table }) => names.has(table.toLowerCase()));
    if (named.length === 0) {
      return sql;
    }
    const tables = findTables(tokens);
    const own = this.#ownExpressions(tokens);
    const bare = new Set(tables.filter(({ schema }) => !schema).map(({ table }) => folded(table, this.#dialect)));
    for (const source of named.filter(each => this.#isUnqualified(each))) {
      // one too many hides what is not asked for; but in this schema there may be no table of that name
      const name = this.#foldedName(source);
      if (source.schema !== '*' || (bare.has(name) && !own.has(name))) {
        this.#express(source.table, source, undefined, casting);
      }
    }
    return this.#withoutSchemas(sql, tables, named, casting);
  }

  /** A schema can't be part of an expression's name: `"app"."article"` becomes `"app/article"`. */
  #withoutSchemas(sql: string, tables: readonly TableName[], named: readonly Source[], casting: Casting): string {
    let result = '';
    let end = 0;
    for (const { schema, table, isSource, hasAlias } of tables) {
      const source = schema && named.find(each => this.#isMeant(each, schema, table));
      if (!source) {
        continue;
      }
      const alias = this.#platform.quoteIdentifier(source.table);
      let name = alias;
      if (isSource) {
        const key = `${schema.value}/${source.table}`.replaceAll('.', '/');
        this.#express(key, source, schema.value, casting);
        name = this.#platform.quoteIdentifier(key) + (hasAlias ? '' : ` as ${alias}`);
      }
      result += sql.slice(end, schema.start) + name;
      end = table.end;
    }
    return result + sql.slice(end);
  }

  /** After those that it needs itself. */
  #express(name: string, source: Source, schema: string | undefined, casting: Casting): void {
    const { expressions, queryOf } = casting;
    if (expressions.has(name)) {
      return;
    }
    if ('at' in source) {
      expressions.set(name, inSchema(queryOf(source, schema), schema, this.#platform));
      return;
    }
    // a view may call a column like itself
    const sources = casting.sources.filter(each => each !== source);
    expressions.set(name, this.#rewrite(source.definition, { ...casting, sources }));
  }

  #prefixed(sql: string, expressions: Map<string, string>): string {
    const tokens = tokensOf(sql, this.#dialect);
    const start = countExplain(tokens);
    const own = this.#ownExpressions(tokens);
    const isOwn = (table: string) => own.has(this.#foldedName({ table }));
    // an expression of the query hides the table itself, in PostgreSQL only for what comes after it
    const hides = this.#dialect === 'sqlite' || isWord(tokens[start + 1], 'recursive');
    const ours = [...expressions].filter(([table]) => !(hides && isOwn(table)));
    // materialized, the database would work out the whole table first
    const list = ours.map(
      ([table, query]) => `${this.#platform.quoteIdentifier(table)} as not materialized (${query})`,
    );
    if (!ours.some(([table]) => isOwn(table))) {
      return withExpressions(sql, tokens, list);
    }
    const at = tokens[start]!.start;
    return `${sql.slice(0, at)}with ${list.join(', ')} select * from (${sql.slice(at)}\n) as "query"`;
  }

  /** As the query's names are compared. */
  #foldedName({ table }: { readonly table: string }): string {
    return this.#dialect === 'sqlite' ? table.toLowerCase() : table;
  }

  #ownExpressions(tokens: readonly Token[]): Set<string> {
    return new Set(findExpressions(tokens, countExplain(tokens)).map(token => folded(token, this.#dialect)));
  }

  #isMeant(source: Source, inSchemaNamed: Token, named: Token): boolean {
    const { schema } = source;
    const name = this.#foldedName(source);
    const known = schema ?? this.#configured ?? this.#defaultSchema;
    return name === folded(named, this.#dialect) && (schema === '*' || known === folded(inSchemaNamed, this.#dialect));
  }

  /** Whether a name without a schema means this table. */
  #isUnqualified({ schema }: Source): boolean {
    const known = schema === undefined || schema === '*' ? this.#configured : schema;
    return known === undefined || known === this.#defaultSchema;
  }

  /** MikroORM has none for SQLite, which calls it so. */
  get #defaultSchema(): string {
    return this.#platform.getDefaultSchemaName() ?? 'main';
  }

  get #configured(): string | undefined {
    return this.#platform.getConfig().get('schema');
  }
}
