/** A piece of SQL that is neither a comment nor blank. */
export interface Token {
  /** A name in quotes; a keyword or a name without; a literal; a number; anything else, of one character. */
  readonly kind: 'quoted' | 'word' | 'text' | 'number' | 'sign';
  /** As it stands there; of a quoted name or a text without the quotes. */
  readonly value: string;
  /** Where it is in the SQL, the end excluded. */
  readonly start: number;
  readonly end: number;
}

/** Whose lexical rules SQL follows. */
export type SqlDialect = 'sqlite' | 'postgresql';

const WORD = String.raw`[a-z_\u0080-\uffff][\w$\u0080-\uffff]*`;
const NUMBER = String.raw`\d+(?:\.\d*)?`;
const DOUBLE_QUOTED = '"(?:[^"]|"")*"';
const BACKTICKED = '`(?:[^`]|``)*`';
const BRACKETED = String.raw`\[[^\]]*\]`;
const TEXT = `'(?:[^']|'')*'`;

/** What begins where another piece ends; the groups are text, name, word and number. Comments have none. */
const PIECES: Readonly<Record<SqlDialect, RegExp>> = {
  postgresql: new RegExp(
    [
      String.raw`--[^\n\r]*`,
      String.raw`(e'(?:[^'\\]|\\[\s\S]|'')*'|${TEXT}|\$((?:${WORD.replace('$', '')})?)\$[\s\S]*?\$\2\$)`,
      `(${DOUBLE_QUOTED})`,
      `(${WORD})`,
      `(${NUMBER})`,
    ].join('|'),
    'iy',
  ),
  sqlite: new RegExp(
    [
      String.raw`--[^\n]*|/\*[\s\S]*?(?:\*/|$)`,
      String.raw`(${TEXT})()`,
      `(${DOUBLE_QUOTED}|${BACKTICKED}|${BRACKETED})`,
      `(${WORD})`,
      `(${NUMBER})`,
    ].join('|'),
    'iy',
  ),
};

/** The pieces of SQL, in order. */
export function tokensOf(sql: string, dialect: SqlDialect): Token[] {
  const tokens: Token[] = [];
  const pieces = new RegExp(PIECES[dialect]);
  for (let start = 0; start < sql.length; start = pieces.lastIndex) {
    pieces.lastIndex = start;
    if (dialect === 'postgresql' && sql.startsWith('/*', start)) {
      pieces.lastIndex = endOfComment(sql, start);
      continue;
    }
    const [whole, text, , quoted, word, number] = pieces.exec(sql) ?? [];
    if (whole === undefined) {
      pieces.lastIndex = start + 1;
      if (/\S/.test(sql[start]!)) {
        tokens.push({ kind: 'sign', value: sql[start]!, start, end: start + 1 });
      }
      continue;
    }
    const at = { start, end: pieces.lastIndex };
    if (text !== undefined) {
      tokens.push({ kind: 'text', value: unquoted(text), ...at });
    } else if (quoted !== undefined) {
      tokens.push({ kind: 'quoted', value: unquoted(quoted), ...at });
    } else if (word !== undefined) {
      tokens.push({ kind: 'word', value: word, ...at });
    } else if (number !== undefined) {
      tokens.push({ kind: 'number', value: number, ...at });
    }
  }
  return tokens;
}

/** Whether a token is one of these keywords. */
export function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  return token?.kind === 'word' && words.includes(token.value.toLowerCase());
}

/** Whether a token is that character. */
export function isSign(token: Token | undefined, sign: string): boolean {
  return token?.kind === 'sign' && token.value === sign;
}

/** A name as the database compares it. */
export function folded({ kind, value }: Token, dialect: SqlDialect): string {
  return kind === 'word' || dialect === 'sqlite' ? value.toLowerCase() : value;
}

/** Those of PostgreSQL nest. */
function endOfComment(sql: string, start: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start;
  for (let depth = 0; ;) {
    const mark = marks.exec(sql);
    if (!mark) {
      return sql.length;
    }
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) {
      return marks.lastIndex;
    }
  }
}

function unquoted(quoted: string): string {
  const quote = quoted.at(-1)!;
  return /^["`'[]/.test(quoted) ? quoted.slice(1, -1).replaceAll(quote + quote, quote) : quoted;
}
