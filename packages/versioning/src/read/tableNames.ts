import { isSign, isWord, type Token } from './sqlTokens.ts';

/** A name that a query takes for a table; with its schema, `app.article`, where it has one. */
export interface TableName {
  readonly schema: Token | undefined;
  readonly table: Token;
  /** Whether rows are read from it; otherwise a column follows, `app.article.name`. */
  readonly isSource: boolean;
  /** Whether the query calls it something else. */
  readonly hasAlias: boolean;
}

/** Where a query is at, between two parentheses. */
interface Place {
  /** Whether it has a list of tables; `from` of `extract(year from date)` begins none. */
  isQuery: boolean;
  isList: boolean;
  /** Whether the next name is a table's. */
  isNext: boolean;
}

/** What ends a list of tables. */
const CLAUSES = `select values where group having order limit offset fetch window union except intersect for set`.split(
  ' ',
);
/** What follows a table without an alias. */
const AFTER_TABLE = [
  ...CLAUSES,
  ...`join inner left right full cross natural on using tablesample indexed not`.split(' '),
];

/** The names by which a query reads tables, and those with a schema in front of columns. */
export function findTables(tokens: readonly Token[]): TableName[] {
  const found: TableName[] = [];
  const places: Place[] = [{ isQuery: true, isList: false, isNext: false }];
  for (let i = 0; i < tokens.length; i += 1) {
    const parts = partsAt(tokens, i);
    const place = places.at(-1)!;
    if (parts.length === 0) {
      move(places, tokens[i]!);
    } else if (parts.length === 1 && movesOn(place, tokens, i)) {
      continue;
    } else {
      const isSource = place.isNext;
      if (isSource || parts.length > 2) {
        const [schema, table] =
          parts.length === 1 ? [undefined, parts[0]!] : ((isSource ? parts.slice(-2) : parts) as [Token, Token]);
        const next = tokens[i + parts.length * 2 - 1];
        found.push({ schema, table, isSource, hasAlias: isName(next) && !isWord(next, ...AFTER_TABLE) });
      }
      place.isNext = false;
      i += (parts.length - 1) * 2;
    }
  }
  return found;
}

/** The names of the common table expressions that a query begins with, at `start`. */
export function findExpressions(tokens: readonly Token[], start: number): Token[] {
  const names: Token[] = [];
  let depth = 0;
  for (let i = start; isWord(tokens[start], 'with') && i < tokens.length; i += 1) {
    const [token, next] = [tokens[i]!, tokens[i + 1]];
    depth += isSign(token, '(') ? 1 : isSign(token, ')') ? -1 : 0;
    const isFirst = i === start || (isWord(token, 'recursive') && i === start + 1) || isSign(token, ',');
    if (depth === 0 && isFirst && isName(next) && (isWord(tokens[i + 2], 'as') || isSign(tokens[i + 2], '('))) {
      names.push(next!);
    } else if (depth === 0 && isWord(token, 'select', 'values', 'table')) {
      break;
    }
  }
  return names;
}

/** The parts of `a.b.c`. */
function partsAt(tokens: readonly Token[], start: number): Token[] {
  const parts: Token[] = [];
  for (let i = start; isName(tokens[i]); i += 2) {
    parts.push(tokens[i]!);
    if (!isSign(tokens[i + 1], '.')) {
      break;
    }
  }
  return parts;
}

function move(places: Place[], token: Token): void {
  const place = places.at(-1)!;
  if (isSign(token, '(')) {
    // a list goes on in parentheses, `from (a join b on …)`, unless a query begins there
    places.push({ isQuery: place.isNext, isList: place.isNext, isNext: place.isNext });
    place.isNext = false;
  } else if (isSign(token, ')') && places.length > 1) {
    places.pop();
  } else if (isSign(token, ',')) {
    place.isNext = place.isList;
  }
}

/** Whether a word is a keyword that says what comes. */
function movesOn(place: Place, tokens: readonly Token[], i: number): boolean {
  const token = tokens[i];
  if (isWord(token, 'from', 'join', 'table')) {
    const isComparison = isWord(tokens[i - 1], 'distinct') && isWord(tokens[i - 2], 'is', 'not');
    if (place.isQuery && !isComparison) {
      place.isList = true;
      place.isNext = true;
    }
    return true;
  }
  if (isWord(token, ...CLAUSES)) {
    place.isQuery ||= isWord(token, 'select', 'values');
    place.isList = false;
    place.isNext = false;
    return true;
  }
  return isWord(token, 'lateral', 'only', 'with', 'recursive');
}

function isName(token: Token | undefined): boolean {
  return token?.kind === 'word' || token?.kind === 'quoted';
}
