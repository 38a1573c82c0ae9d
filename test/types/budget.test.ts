import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const workspace = join(import.meta.dirname, '..', '..');

/**
 * What the compiler, and so an editor, has to work out for a model of this many entities, each with a relation to the next
 * one of every kind. TypeScript counts the same on every machine.
 */
const ENTITIES = 40;

/** An editor stays fast as long as types cost a few thousand instantiations where they are used, and nothing where not. */
const BUDGET = {
  /** Declaring `versions` on an entity. */
  declaring: 100,
  /** A query of its versions with conditions on relations, populating, and reading what comes back. */
  reading: 13_000,
};

describe('the types of a model', () => {
  let folder: string;

  beforeAll(async () => {
    const cache = join(workspace, '.cache');
    await mkdir(cache, { recursive: true });
    folder = await mkdtemp(join(cache, 'types-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Instantiations of a program with these lines for each entity. Throws where it does not compile. */
  async function count(name: string, declare: (i: number) => string, use: (i: number) => string): Promise<number> {
    const each = (lines: (i: number) => string) => Array.from({ length: ENTITIES }, (_, i) => lines(i)).join('\n');
    const code =
      "import type { Collection, Ref, EntityManager } from '@mikro-orm/core';\n" +
      "import { versionOf, type Versions } from 'mikro-orm-versioning';\n" +
      `export type Imported = [Collection<object>, Ref<object>, Versions<object>, typeof versionOf];\n` +
      `${each(declare)}\nexport async function use(em: EntityManager) {\n${each(use)}\n}\n`;
    const project = {
      extends: join(workspace, 'tsconfig.json'),
      files: [`./${name}.ts`],
      include: [],
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
    };
    await writeFile(join(folder, `${name}.ts`), code);
    await writeFile(join(folder, `${name}.json`), JSON.stringify(project));
    const tsc = join(workspace, 'node_modules', 'typescript', 'bin', 'tsc');
    const args = [tsc, '-p', join(folder, `${name}.json`), '--extendedDiagnostics'];
    const { stdout } = await run(process.execPath, args).catch((error: { stdout: string }) => {
      throw new Error(error.stdout);
    });
    return Number(/Instantiations:\s+(\d+)/.exec(stdout)![1]);
  }

  const plain = (i: number, more = '') => `
    export class E${i} {
      id!: number;
      name!: string;
      note?: string | null;
      at!: Date;
      data!: { a: string; b: number[] };
      target!: E${(i + 1) % ENTITIES};
      other!: Ref<E${(i + 2) % ENTITIES}> | null;
      all!: Collection<E${(i + 3) % ENTITIES}>;
      subject!: E${(i + 4) % ENTITIES} | E${(i + 5) % ENTITIES} | null;
      ${more}
    }`;
  const versioned = (i: number) => plain(i, `declare readonly versions: Versions<E${i}>;`);
  const nothing = () => '';

  it('cost little to declare', async () => {
    const [without, withVersions] = [await count('plain', plain, nothing), await count('declared', versioned, nothing)];
    expect((withVersions - without) / ENTITIES).toBeLessThan(BUDGET.declaring);
  });

  it('cost about what a query of the live entity does', async () => {
    const live = (i: number) => `
      const [a${i}] = await em.find(E${i}, { target: { name: 'x' } }, { populate: ['all', 'target.other'], orderBy: { at: 'asc' } });
      const n${i}: string = a${i}!.target.name;`;
    const past = (i: number) => `
      const [v${i}] = await em.find(versionOf(E${i}), { target: { name: 'x' } }, { populate: ['all', 'target.other'], orderBy: { at: 'asc' } });
      const m${i}: string = v${i}!.target.name;
      const c${i}: readonly [string | null, string | null] | undefined = v${i}!.changeset.name;`;
    const declared = await count('declared', versioned, nothing);
    const [liveCost, pastCost] = [await count('live', versioned, live), await count('past', versioned, past)].map(
      total => (total - declared) / ENTITIES,
    ) as [number, number];
    expect(pastCost).toBeLessThan(BUDGET.reading);
    expect(pastCost / liveCost).toBeLessThan(3);
  });
});
