import { Client } from 'pg';
import type { TestProject } from 'vitest/node';

import { selectedDatabases } from './selectedDatabases.ts';
import { startPostgres } from './postgres.ts';

/** Provides one PostgreSQL server for the whole run: that of `TEST_POSTGRES_URL`, or else one that ends with the run. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (!selectedDatabases().includes('postgresql')) {
    project.provide('postgresUrl', null);
    return undefined;
  }

  const given = process.env['TEST_POSTGRES_URL'];

  if (given) {
    await assertReachable(given);
    project.provide('postgresUrl', given);
    return undefined;
  }

  const server = await startPostgres();
  project.provide('postgresUrl', server.url);

  return () => server.stop();
}

async function assertReachable(url: string): Promise<void> {
  const client = new Client({ connectionString: url });

  try {
    await client.connect();
    await client.query('select 1');
  } catch (cause) {
    throw new Error('The server of TEST_POSTGRES_URL cannot be reached. Start it, or unset the variable.', { cause });
  } finally {
    await client.end().catch(() => undefined);
  }
}
