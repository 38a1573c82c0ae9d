import fc from 'fast-check';
import { it } from 'vitest';
import { createOrm, describeEachDatabase } from '../support/databases.ts';
import { entities } from './entities.ts';
import { interpret } from './interpret.ts';
import { program } from './program.ts';
describeEachDatabase('hang', db => {
  it('x', async () => {
    const out = await fc.check(
      fc.asyncProperty(program, async p => {
        const orm = await createOrm(db, { entities });
        const r = await Promise.race([interpret(orm, p), new Promise(f => setTimeout(f, 300, 'hang'))]);
        if (r === 'hang') throw new Error('hang');
      }),
      { numRuns: 150, seed: 5, interruptAfterTimeLimit: 50000 },
    );
    console.log(JSON.stringify(out.counterexample), out.numRuns, out.numShrinks);
    process.exit(1);
  }, 60000);
});
