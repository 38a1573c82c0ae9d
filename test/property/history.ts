/** All versioned rows and links at one moment, by key: `Article#1` -> `[1,"a",null,7,null]`, `Article.tags#1,2` -> `[1,2]`. */
export type State = ReadonlyMap<string, string>;

/** `[from, to)` are positions in the list of transactions; `to: null` still holds. */
export interface Span {
  readonly of: string;
  readonly operation: 'INSERT' | 'UPDATE' | 'DELETE' | 'LINK';
  readonly values: string;
  readonly from: number;
  to: number | null;
}

export interface History {
  /** What each transaction changed: `[['Article', 'Article.tags'], ['Article']]`. */
  readonly transactions: string[][];
  readonly spans: Span[];
}

/** The model: the history that a sequence of committed states has to leave. Neighbours that are equal leave nothing. */
export function historyOf(states: readonly State[]): History {
  const transactions: string[][] = [];
  const spans: Span[] = [];

  states.slice(1).forEach((after, i) => {
    const before = states[i]!;
    const changed = [...new Set([...before.keys(), ...after.keys()])].filter(of => before.get(of) !== after.get(of));

    if (changed.length > 0) {
      const from = transactions.push([...new Set(changed.map(of => of.split('#')[0]!))].toSorted()) - 1;
      changed.forEach(of => {
        const [was, is] = [before.get(of), after.get(of)];
        const open = spans.find(span => span.of === of && span.to === null);

        if (open) {
          open.to = from;
        }

        if (of.includes('.')) {
          spans.push(...(is ? [{ of, operation: 'LINK' as const, values: is, from, to: null }] : []));
        } else {
          const operation = is && was ? 'UPDATE' : is ? 'INSERT' : 'DELETE';
          spans.push({ of, operation, values: (is ?? was)!, from, to: null });
        }
      });
    }
  });

  return { transactions, spans: inOrder(spans) };
}

export function inOrder(spans: readonly Span[]): Span[] {
  return spans.toSorted((a, b) => a.of.localeCompare(b.of) || a.from - b.from);
}
