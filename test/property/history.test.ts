import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Versioning } from 'mikro-orm-versioning';

import { createOrm, describeEachDatabase, type Orm } from '../support/databases.ts';
import { expectMirror } from '../support/mirror.ts';
import { statementsOf, withoutOurs } from '../support/statements.ts';
import { entities } from './entities.ts';
import { historyOf } from './history.ts';
import { interpret, type Outcome } from './interpret.ts';
import { program, type Program } from './program.ts';
import { emptyTables, hasDuplicates, readHistory } from './tables.ts';

const nightly = process.env['NIGHTLY'] === '1';

async function transcribe(orm: Orm, steps: Program): Promise<[Outcome, string[]]> {
  const outcomes: Outcome[] = [];
  const statements = await statementsOf(orm, async () => outcomes.push(await interpret(orm, steps)));

  return [outcomes[0]!, statements];
}

describeEachDatabase('any program', db => {
  it('leaves the history of the states that it committed, and the statements and states that there are without one', async () => {
    const plain = await createOrm(db, { entities });
    const versioned = await createOrm(db, { entities, extensions: [Versioning] });

    await fc.assert(
      fc
        .asyncProperty(program, async steps => {
          const [expected, expectedStatements] = await transcribe(plain, steps);
          fc.pre(!expected.states.some(hasDuplicates));
          const [outcome, statements] = await transcribe(versioned, steps);

          expect(outcome).toEqual(expected);
          expect(withoutOurs(versioned, statements)).toEqual(expectedStatements);
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
