import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { beforeAll, expect, it } from 'vitest';

import { covers } from '../support/compatibility/covers.ts';
import { describeEachDatabase, type Connection } from '../support/databases.ts';
import { HISTORY } from './history.ts';
import { createProject, type Project } from './project.ts';

const HISTORY_TABLES = [
  'article_tags_version',
  'article_version',
  'category_version',
  'comment_version',
  'tag_version',
  'version_transaction',
];

/** Names of the tables that a statement of this kind is about, in SQL or in a migration's source. */
function tablesIn(sql: string, statement: 'create table' | 'drop table if exists' | 'alter table'): string[] {
  const found = sql.matchAll(new RegExp(`${statement} \\\\?["\`](\\w+)`, 'g'));
  return [...new Set([...found].map(match => match[1]!))].toSorted();
}

describeEachDatabase('the command line', db => {
  let project: Project;
  let connection: Connection;

  beforeAll(async () => {
    project = await createProject(db);
  });

  const cli = (...args: string[]) => project.cli(args, connection);
  const tell = async (): Promise<unknown> =>
    JSON.parse(await project.node(['dist/legacy/tell.js', 'dist/legacy/mikro-orm.config.js'], connection));

  it('adds history to a database by schema:update', covers('Metadata sources: command line'), async () => {
    connection = await db.options({ shared: true });
    expect(await cli('schema:update', '--run')).toContain('Schema successfully updated');
    expect(await tell()).toEqual(HISTORY);
    expect(await cli('schema:update', '--dump')).toBe('Schema is up-to-date\n');
  });

  it(
    'adds history to a database, and takes it away, by a migration',
    covers('Metadata sources: command line'),
    async () => {
      connection = await db.options({ shared: true });
      await project.cli(['schema:update', '--run'], connection, { WITHOUT_HISTORY: 'yes' });

      expect(await cli('migration:create', '--name', 'history')).toContain('successfully created');
      const migrations = join(project.folder, 'migrations');
      const [file] = (await readdir(migrations)).filter(name => name.endsWith('_history.ts'));
      const source = await readFile(join(migrations, file!), 'utf8');
      expect(tablesIn(source, 'create table')).toEqual(HISTORY_TABLES);
      expect(tablesIn(source, 'drop table if exists')).toEqual(HISTORY_TABLES);
      expect(tablesIn(source, 'alter table')).toEqual([]);

      expect(await cli('migration:up')).toContain('Successfully migrated up');
      expect(await tell()).toEqual(HISTORY);
      expect(await cli('migration:check')).toBe('No changes required, schema is up-to-date\n');

      expect(await cli('migration:down')).toContain('Successfully migrated down');
      expect(tablesIn(await cli('schema:update', '--dump'), 'create table')).toEqual(HISTORY_TABLES);
    },
  );
});
