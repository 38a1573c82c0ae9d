import { readFile } from 'node:fs/promises';

import { ErrorCode } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

it('docs/errors.md lists exactly the codes that there are', async () => {
  const page = await readFile(new URL('../docs/errors.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code);
  expect(new Set(documented)).toEqual(new Set(Object.values(ErrorCode)));
  expect(documented).toHaveLength(Object.keys(ErrorCode).length);
});

it('every code is thrown by some factory, and only those', async () => {
  const source = await readFile(new URL('../packages/versioning/src/errors.ts', import.meta.url), 'utf8');
  const used = new Set([...source.matchAll(/ErrorCode\.(\w+)/g)].map(([, name]) => name));
  expect(used).toEqual(new Set(Object.keys(ErrorCode)));
});
