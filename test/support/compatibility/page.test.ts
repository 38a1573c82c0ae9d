import { describe, expect, it } from 'vitest';

import { FEATURES } from './features.ts';
import { findProblems, writePage, type Shown } from './page.ts';

/** What a run shows that shows everything. */
const ALL: readonly Shown[] = Object.entries(FEATURES).flatMap(([area, of]) =>
  Object.entries<{ note?: string; only?: 'sqlite' | 'postgresql' }>(of).flatMap(([name, { only }]) =>
    (['sqlite', 'postgresql'] as const)
      .filter(database => (only ?? database) === database)
      .map(database => ({
        feature: `${area}: ${name}`,
        status: 'supported' as const,
        database,
        refusal: undefined,
        file: 'test/some.test.ts',
      })),
  ),
);

const [first] = ALL as [Shown];

describe('the page of compatibility', () => {
  it('needs a passing test of each feature on each database that has it', () => {
    expect(findProblems(ALL)).toEqual([]);
    expect(findProblems(ALL.slice(1))).toEqual(['"Keys: integer" is covered by no passing test on SQLite.']);
  });

  it.each<[string, Shown, string]>([
    [
      'a feature that there is not',
      { ...first, feature: 'Keys: none' },
      'test/some.test.ts covers "Keys: none", which the catalogue does not have.',
    ],
    [
      'a database that does not have it',
      { ...first, feature: 'Types: interval' },
      'test/some.test.ts covers "Types: interval" on SQLite, which does not have it.',
    ],
    [
      'no database',
      { ...first, database: undefined },
      'test/some.test.ts covers "Keys: integer" outside of describeDatabase() and describeEachDatabase().',
    ],
    [
      'two answers',
      { ...first, status: 'left out' },
      '"Keys: integer" is covered as supported and as left out on SQLite.',
    ],
  ])('refuses %s', (_, shown, problem) => {
    expect(findProblems([...ALL, shown])).toEqual([problem]);
  });

  it('wants the words of a refusal', () => {
    const others = ALL.filter(({ feature, database }) => feature !== first.feature || database !== first.database);
    const refused = { ...first, status: 'refused' as const };
    expect(findProblems([...others, refused])).toEqual([
      'test/some.test.ts says that "Keys: integer" is refused, and does not call expectRefusal().',
    ]);
    const refusal = { code: 'SOME_CODE', message: 'Words | of it.' };
    const page = writePage([...others, { ...refused, refusal }]);
    expect(page).toContain(
      '| integer | refused | yes | `SOME_CODE`: Words \\| of it. | [some](../test/some.test.ts) |',
    );
  });
});
