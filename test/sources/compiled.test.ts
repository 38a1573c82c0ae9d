import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { covers } from '../support/compatibility/covers.ts';
import { describeEachDatabase } from '../support/databases.ts';
import { HISTORY } from './history.ts';
import { createProject } from './project.ts';

describeEachDatabase('compiled functions', db => {
  it(
    'record and read history where no code may be made from strings',
    covers('Metadata sources: compiled functions'),
    async () => {
      const project = await createProject(db);
      const connection = await db.options({ shared: true });
      const config = 'dist/legacy/compiled.config.js';
      await project.cli(['compile', '--out', 'compiled-functions.js', '--config', config], connection);
      const compiled = await readFile(join(project.folder, 'compiled-functions.js'), 'utf8');
      expect(compiled).toMatch(/'hydrator-article_version_\d+-full-false'/);

      const told = await project.node(
        ['--disallow-code-generation-from-strings', 'dist/legacy/tell.js', config],
        connection,
      );
      expect(JSON.parse(told)).toEqual(HISTORY);
    },
  );
});
