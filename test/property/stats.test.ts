import fc from 'fast-check';
import { it } from 'vitest';
import { Versioning } from 'mikro-orm-versioning';
import { createOrm, describeEachDatabase } from '../support/databases.ts';
import { entities } from './entities.ts';
import { interpret } from './interpret.ts';
import { program } from './program.ts';
import { emptyTables, readHistory } from './tables.ts';
describeEachDatabase('stats', db => {
  it('x', async () => {
    const orm = await createOrm(db, { entities, extensions: [Versioning] });
    const n: Record<string, number> = {};
    const count = (k: string) => (n[k] = (n[k] ?? 0) + 1);
    const t = Date.now();
    for (const p of fc.sample(program, { numRuns: 150, seed: 5 })) {
      await emptyTables(orm);
      const { errors, states } = await interpret(orm, p);
      const h = await readHistory(orm);
      n.tx = (n.tx ?? 0) + h.transactions.length;
      n.steps = (n.steps ?? 0) + states.length;
      for (const s of h.spans) {
        count(s.of.split('#')[0] + ' ' + s.operation + (s.to === null ? '' : ' closed'));
        if (s.operation === 'INSERT' && h.spans.some(o => o.of === s.of && o.to === s.from && o.operation === 'DELETE'))
          count('reinsert');
      }
      for (const e of errors)
        count(
          'E ' +
            e
              .split('\n')[0]
              .replace(/`.*?`|[0-9]+/g, '?')
              .slice(0, 150)
              .replace(/ values .*/, ''),
        );
    }
    n.ms = Date.now() - t;
    console.log(
      Object.entries(n)
        .sort((a, b) => (a[0] < b[0] ? -1 : 1))
        .map(e => e.join(': '))
        .join('\n'),
    );
  }, 600000);
});
