import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { SqliteDriver } from '@mikro-orm/sqlite';
import { expect, it } from 'vitest';

import { covers } from '../support/compatibility/covers.ts';
import { describeEachDatabase } from '../support/databases.ts';
import { HISTORY } from './history.ts';
import { createProject, type Project } from './project.ts';

const CACHED = ['Article', 'Category', 'Comment', 'Entry', 'Origin', 'Review', 'Tag'];

describeEachDatabase('metadata caches', db => {
  it(
    'let a second start record and read the same history without the types',
    covers('Metadata sources: metadata cache'),
    async () => {
      const project = await createProject(db);
      expect(await tell(project, 'cached')).toEqual(HISTORY);
      const written = await readCache(project);
      expect(written.map(([name]) => name)).toEqual(CACHED.map(name => `${name}.js.json`));

      // from here on, ts-morph has nothing to read
      await removeDeclarations(project);
      expect(await tell(project, 'cached')).toEqual(HISTORY);
      expect(await readCache(project)).toEqual(written);
    },
  );

  it(
    'are generated for starts without any reflection',
    covers('Metadata sources: generated metadata cache'),
    async () => {
      const project = await createProject(db);
      await removeDeclarations(project);
      const generated = await generateCache();
      expect(Object.keys(JSON.parse(generated) as object).toSorted()).toEqual(CACHED);

      await mkdir(join(project.folder, 'temp'));
      await writeFile(join(project.folder, 'temp', 'metadata.json'), generated);
      expect(await tell(project, 'generated')).toEqual(HISTORY);
    },
  );

  async function tell(project: Project, config: 'cached' | 'generated'): Promise<unknown> {
    const connection = await db.options({ shared: true });
    return JSON.parse(await project.node(['dist/legacy/tell.js', `dist/legacy/${config}.config.js`], connection));
  }
});

let generatedCache: string | undefined;

/** Once: it has nothing of a database in it, and needs none. */
async function generateCache(): Promise<string> {
  if (generatedCache === undefined) {
    const cleanups: (() => Promise<void>)[] = [];
    const { cli, folder } = await createProject({ defer: cleanup => void cleanups.push(cleanup) });
    const nowhere = { driver: SqliteDriver, dbName: ':memory:' };
    await cli(['cache:generate', '--combined', '--config', 'dist/legacy/cached.config.js'], nowhere);
    generatedCache = await readFile(join(folder, 'temp', 'metadata.json'), 'utf8');
    await Promise.all(cleanups.map(cleanup => cleanup()));
  }
  return generatedCache;
}

/** What ts-morph would read the types from. */
async function removeDeclarations({ folder }: Project): Promise<void> {
  const entities = join(folder, 'dist', 'legacy', 'entities');
  const declarations = (await readdir(entities)).filter(name => name.endsWith('.d.ts'));
  await Promise.all(declarations.map(name => rm(join(entities, name))));
}

/** When each file of the cache was written, by its name. */
async function readCache({ folder }: Project): Promise<(readonly [name: string, writtenAt: number])[]> {
  const names = (await readdir(join(folder, 'temp'))).toSorted();
  return Promise.all(names.map(async name => [name, (await stat(join(folder, 'temp', name))).mtimeMs] as const));
}
