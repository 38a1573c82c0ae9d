import fc from 'fast-check';

const classes = ['Article', 'Category', 'Tag', 'Blog'] as const;
const collections = ['tags', 'topics', 'related', 'relatedBy', 'notes', 'Tag.articles', 'Category.articles'] as const;

export type ClassName = (typeof classes)[number];

/** One change in memory, or a flush. Ids are 1 to 3; comments and notes, whose keys the database gives, go by position. */
export type Change =
  | { readonly do: 'put'; readonly what: ClassName; readonly id: number; readonly text: string }
  | { readonly do: 'replace'; readonly what: ClassName; readonly id: number; readonly text: string }
  | { readonly do: 'remove'; readonly what: ClassName; readonly id: number }
  | { readonly do: 'renumber'; readonly what: ClassName; readonly id: number; readonly to: number }
  | { readonly do: 'point'; readonly to: 'category' | 'blog'; readonly id: number; readonly target: number | null }
  | { readonly do: 'rename'; readonly id: number; readonly slug: string | null }
  | { readonly do: 'swap'; readonly id: number; readonly other: number }
  | { readonly do: 'view'; readonly id: number; readonly times: number }
  | {
      readonly do: 'relate';
      readonly collection: (typeof collections)[number];
      readonly how: 'add' | 'remove' | 'set' | 'removeAll';
      readonly loaded: boolean;
      readonly id: number;
      readonly items: readonly number[];
    }
  | { readonly do: 'comment'; readonly id: number; readonly text: string; readonly answers: number | null }
  | { readonly do: 'edit'; readonly nth: number; readonly text: string; readonly moveTo: number | null }
  | { readonly do: 'delete'; readonly nth: number }
  | { readonly do: 'note'; readonly id: number; readonly text: string }
  /** `forgiving`: an error of the flush is swallowed, and the transaction goes on. */
  | { readonly do: 'flush'; readonly forgiving: boolean }
  /** Forgets what was loaded and what was not flushed. */
  | { readonly do: 'clear' };

export type Block =
  /** `em.begin()`, … `em.commit()` or `em.rollback()`. */
  | { readonly do: 'transaction'; readonly steps: readonly Step[]; readonly rollback: boolean }
  /** `em.transactional()`: a savepoint where a transaction is open. */
  | { readonly do: 'transactional'; readonly steps: readonly Step[]; readonly rollback: boolean };

export type Step = Change | Block;

export interface Program {
  /** Whether a query flushes what is pending. */
  readonly flushMode: 'auto' | 'commit';
  /** Whether it starts with rows and links of every kind, or with empty tables. */
  readonly furnished: boolean;
  readonly steps: readonly Step[];
}

const id = fc.integer({ min: 1, max: 3 });
const text = fc.constantFrom('a', 'b');
const what = fc.constantFrom(...classes);
const maybe = fc.option(id);

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), what, id, text }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('replace' as const), what, id, text }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), what, id }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('renumber' as const), what, id, to: id }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('point' as const),
      to: fc.constantFrom('category', 'blog'),
      id,
      target: maybe,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('rename' as const),
      id,
      slug: fc.option(fc.constantFrom('a', 'b', 'c', 'd')),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('swap' as const), id, other: id }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('view' as const), id, times: id }) },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant('relate' as const),
      collection: fc.constantFrom(...collections),
      how: fc.constantFrom('add', 'set', 'remove', 'removeAll'),
      loaded: fc.boolean(),
      id,
      items: fc.uniqueArray(id, { maxLength: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('comment' as const), id, text, answers: maybe }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('edit' as const), nth: id, text, moveTo: maybe }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), nth: id }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('note' as const), id, text }) },
  { weight: 14, arbitrary: fc.record({ do: fc.constant('flush' as const), forgiving: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
);

/** `em.begin()` starts a transaction; inside of one, there are only savepoints. */
const savepoint = block(['transactional'], block(['transactional'], change, 6), 8);
const root = block(['transaction', 'transactional'], savepoint, 12);

export const program: fc.Arbitrary<Program> = fc.record({
  flushMode: fc.constantFrom('commit', 'auto'),
  furnished: weighted(1, false, 2, true),
  steps: sequence(root, 24),
});

function block(kinds: readonly Block['do'][], inner: fc.Arbitrary<Step>, maxLength: number): fc.Arbitrary<Step> {
  return fc.record({
    do: fc.constantFrom(...kinds),
    steps: sequence(inner, maxLength),
    rollback: weighted(3, false, 1, true),
  });
}

function sequence(inner: fc.Arbitrary<Step>, maxLength: number): fc.Arbitrary<Step[]> {
  const step = fc.oneof({ weight: 5, arbitrary: change }, { weight: 1, arbitrary: inner });

  return fc.array(step, { minLength: 1, maxLength, size: 'max' });
}

/** Shrinks to the first value. */
function weighted<T>(firstWeight: number, first: T, secondWeight: number, second: T): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: firstWeight, arbitrary: fc.constant(first) },
    { weight: secondWeight, arbitrary: fc.constant(second) },
  );
}
