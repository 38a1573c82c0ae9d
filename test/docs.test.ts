import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, expect, it } from 'vitest';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
let folder: string;

beforeAll(async () => {
  const cache = join(root, '.cache');
  await mkdir(cache, { recursive: true });
  folder = await mkdtemp(join(cache, 'readme-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const marked = /<!-- This example is compiled[^\n]*\n\n```ts\n(.*?)```/gs;

it.each(['README.md', 'docs/asking-the-past.md', 'docs/going-back.md'])(
  'the example in %s compiles, runs, and prints what its comments say',
  async page => {
    const text = await readFile(join(root, page), 'utf8');
    // the examples of a page are one program
    const source = [...text.matchAll(marked)].map(([, code]) => code!).join('');
    const name = `${page.replaceAll(/\W/g, '_')}.ts`;
    const file = join(folder, name);
    await writeFile(file, source);
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: '../../tsconfig.json', // strict, as most users have it
        compilerOptions: { noEmit: true, noUncheckedIndexedAccess: false },
        include: [name],
      }),
    );
    const compiled = await run(join(root, 'node_modules', '.bin', 'tsc'), ['-p', folder], { cwd: root }).catch(
      (error: { stdout: string }) => error,
    );
    expect(compiled.stdout).toBe('');
    const { stdout } = await run(process.execPath, ['--conditions=mikro-orm-versioning-source', file], { cwd: root });
    const printed = stdout
      .trim()
      .split('\n')
      .map(line => line.trim());
    const commented = [...source.matchAll(/^(?: *console\.log\(.*\); \/\/|\/\/ →) (.*)$/gm)].map(
      ([, comment]) => comment,
    );
    const plain = (lines: readonly (string | undefined)[]) => lines.map(line => line!.replaceAll(/[\s']/g, ''));
    expect(commented.length).toBeGreaterThan(5);
    expect(plain(printed)).toEqual(plain(commented));
  },
);
