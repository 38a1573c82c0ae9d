/**
 * SQL as far as a shadowed query needs to know it: where names are, which are not text, and whether it only reads. Follows
 * the lexical rules of PostgreSQL and SQLite.
 */
const TOKEN =
  /e'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|--[^\n]*|\/\*[\s\S]*?\*\/|\$(\w*)\$[\s\S]*?\$\1\$|"(?:[^"]|"")*"|`(?:[^`]|``)*`/gi;

/** The SQL with everything that is text or comment blanked out, and quoted names too where asked; as long as before. */
export function blankOut(sql: string, names: boolean): string {
  return sql.replaceAll(TOKEN, token => {
    const isName = token.startsWith('"') || token.startsWith('`');
    return isName && !names ? token : ' '.repeat(token.length);
  });
}

/** What can change something, or lock it, also inside of a query. */
const WRITES =
  /\b(?:into|delete\s+from|update\s+[^\s,()]+(?:\s+(?:as\s+)?\w+)?\s+set|truncate|merge|drop|alter|create|grant|revoke|copy|call|do|lock|vacuum|reindex|refresh|attach|detach|replace\s+into|for\s+(?:no\s+key\s+)?update|for\s+(?:key\s+)?share)\b/i;

/** The word by which SQL is more than a question; `undefined` for one that only reads. */
export function findWrite(sql: string): string | undefined {
  // what is in quotes is no keyword, but stands for a name
  const plain = sql.replaceAll(TOKEN, token =>
    /^["`]/.test(token) ? '_'.repeat(token.length) : ' '.repeat(token.length),
  );
  const start = /^[\s(]*(\w+)/.exec(plain)?.[1]?.toLowerCase() ?? '';
  if (!['select', 'with', 'values', 'explain', 'table', 'show'].includes(start)) {
    return start;
  }
  if (/;\s*\S/.test(plain)) {
    return ';';
  }
  return WRITES.exec(plain)?.[0].toLowerCase().replaceAll(/\s+/g, ' ');
}

/** The query with common table expressions in front of its own. */
export function withExpressions(sql: string, expressions: readonly string[]): string {
  if (expressions.length === 0) {
    return sql;
  }
  const own = /^(\s*with(?:\s+recursive)?\s)/i.exec(blankOut(sql, false));
  if (own) {
    return `${sql.slice(0, own[1]!.length)}${expressions.join(', ')}, ${sql.slice(own[1]!.length)}`;
  }
  const explain = /^\s*explain\b(?:\s*\([^)]*\)|\s+query\s+plan|(?:\s+(?:analyze|verbose))*)\s*/i.exec(sql)?.[0] ?? '';
  return `${explain}with ${expressions.join(', ')} ${sql.slice(explain.length)}`;
}
