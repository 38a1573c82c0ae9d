import fc from 'fast-check';

/** What can be asked of a class. */
export interface Shape {
  readonly entity: unknown;
  readonly columns: Readonly<Record<string, 'word' | 'number'>>;
  readonly toOne: Readonly<Record<string, () => Shape>>;
  readonly toMany: Readonly<Record<string, () => Shape>>;
  /** What can be populated, in dotted paths. */
  readonly paths: readonly string[];
  /** Made of more classes than the one asked for, which a builder does not take for one another. */
  readonly isHierarchy?: boolean;
  /** In a schema of its own, which a builder of MikroORM 7.2 leaves for that of its manager. */
  readonly isElsewhere?: boolean;
}

export const id = fc.integer({ min: 1, max: 5 });
export const maybeId = fc.option(id);
export const word = fc.constantFrom('a', 'b', 'c', 'B');
export const ids = fc.uniqueArray(id, { maxLength: 3 });

const operators = (value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 4, arbitrary: value },
    value.map($ne => ({ $ne })),
    fc.array(value, { minLength: 1, maxLength: 3 }).map($in => ({ $in })),
    fc.array(value, { minLength: 1, maxLength: 2 }).map($nin => ({ $nin })),
    value.map($gt => ({ $gt })),
    value.map($lte => ({ $lte })),
    fc.constantFrom(null, { $ne: null }),
  );

const VALUES: Readonly<Record<'word' | 'number', fc.Arbitrary<unknown>>> = {
  word: fc.oneof(
    { weight: 5, arbitrary: operators(word) },
    fc.constantFrom('a%', '%b', '_').map($like => ({ $like })),
  ),
  number: operators(id),
};

/** A condition over columns, relations and what is behind them, and logic in between. */
export function anyCondition(shape: Shape, depth = 2): fc.Arbitrary<object> {
  const columns = Object.entries(shape.columns).map(([name, type]) => VALUES[type].map(value => ({ [name]: value })));
  const toOne = Object.entries(depth > 0 ? shape.toOne : {}).map(([name, target]) =>
    fc.oneof(
      { weight: 3, arbitrary: anyCondition(target(), depth - 1).map(condition => ({ [name]: condition })) },
      fc
        .oneof(
          maybeId,
          ids.map($in => ({ $in })),
        )
        .map(value => ({ [name]: value })),
    ),
  );
  const toMany = Object.entries(depth > 0 ? shape.toMany : {}).map(([name, target]) =>
    fc
      .tuple(anyCondition(target(), depth - 1), fc.constantFrom(undefined, undefined, '$some', '$none', '$every'))
      .map(([condition, operator]) => ({ [name]: operator ? { [operator]: condition } : condition })),
  );
  const one = fc.oneof(...columns, ...toOne, ...toMany);
  if (depth < 2) {
    return one;
  }
  const some = fc.array(one, { minLength: 2, maxLength: 3 });
  return fc.oneof(
    { weight: 1, arbitrary: fc.constant({}) },
    { weight: 8, arbitrary: one },
    { weight: 2, arbitrary: some.map($and => ({ $and })) },
    { weight: 2, arbitrary: some.map($or => ({ $or })) },
    { weight: 2, arbitrary: one.map($not => ({ $not })) },
    { weight: 1, arbitrary: fc.tuple(one, some).map(([$not, $or]) => ({ $and: [{ $or }, { $not }] })) },
  );
}
