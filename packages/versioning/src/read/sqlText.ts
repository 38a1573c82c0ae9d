import { isSign, isWord, type Token } from './sqlTokens.ts';

/** What may begin a query. */
const READS = ['select', 'with', 'values', 'table'];

/** What changes something, or locks it, also inside of a query. No function is called like one of these. */
const WRITES = ['insert', 'update', 'delete', 'merge', 'into'];

/** The word by which SQL is more than a question; `undefined` for one that only reads. */
export function findWrite(tokens: readonly Token[]): string | undefined {
  const query = tokens.slice(countExplain(tokens));
  const start = query.find(token => !isSign(token, '('));
  if (!start || !isWord(start, ...READS, 'show')) {
    return start?.value.toLowerCase() ?? '';
  }
  const write = query.find((token, i) => {
    const [previous, before] = [query[i - 1], query[i - 2]];
    return (
      (isWord(token, ...WRITES) && !(isSign(previous, '.') && isName(before))) ||
      (isWord(token, 'share') && isWord(previous, 'for', 'key')) ||
      (isSign(token, ';') && i < query.length - 1)
    );
  });
  return isWord(write, 'share') ? 'for share' : write?.value.toLowerCase();
}

/** The query with common table expressions in front of its own. */
export function withExpressions(sql: string, tokens: readonly Token[], expressions: readonly string[]): string {
  if (expressions.length === 0) {
    return sql;
  }
  const explain = countExplain(tokens);
  const own = isWord(tokens[explain], 'with') ? (isWord(tokens[explain + 1], 'recursive') ? 2 : 1) : 0;
  const at = tokens[explain + own]!.start;
  const list = expressions.join(', ');
  return `${sql.slice(0, at)}${own > 0 ? ` ${list}, ` : `with ${list} `}${sql.slice(at)}`;
}

/** How many tokens are `explain` and its options, `explain (analyze)` or `explain query plan`. */
export function countExplain(tokens: readonly Token[]): number {
  if (!isWord(tokens[0], 'explain')) {
    return 0;
  }
  const hasOptions = isSign(tokens[1], '(') && !isSign(tokens[2], '(') && !isWord(tokens[2], ...READS);
  if (hasOptions) {
    const end = tokens.findIndex(token => isSign(token, ')'));
    return end + 1 || tokens.length;
  }
  const end = tokens.findIndex((token, i) => i > 0 && !isWord(token, 'query', 'plan', 'analyze', 'verbose'));
  return end === -1 ? tokens.length : end;
}

function isName(token: Token | undefined): boolean {
  return token?.kind === 'word' || token?.kind === 'quoted';
}
