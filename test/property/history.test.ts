import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Versioning } from 'mikro-orm-versioning';

import { createOrm, describeEachDatabase } from '../support/databases.ts';
import { expectMirror } from '../support/mirror.ts';
import { entities } from './entities.ts';
import { historyOf } from './history.ts';
import { interpret } from './interpret.ts';
import { program } from './program.ts';
import { emptyTables, hasDuplicates, readHistory } from './tables.ts';

const nightly = process.env['NIGHTLY'] === '1';

describeEachDatabase('any program', db => {
  it('leaves the history of the states that it committed, and the states that it would commit without one', async () => {
    const plain = await createOrm(db, { entities });
    const versioned = await createOrm(db, { entities, extensions: [Versioning] });

    await fc.assert(
      fc
        .asyncProperty(program, async steps => {
          const expected = await interpret(plain, steps);
          fc.pre(!expected.states.some(hasDuplicates));
          const outcome = await interpret(versioned, steps);

          expect(outcome).toEqual(expected);
          expect(await readHistory(versioned)).toEqual(historyOf(outcome.states));
          await expectMirror(versioned);
        })
        .beforeEach(async () => {
          await emptyTables(plain);
          await emptyTables(versioned);
        }),
      { numRuns: nightly ? 1000 : 80 },
    );
  }, 1_200_000);
});
