import { setTimeout as sleep } from 'node:timers/promises';

import { VersionTransaction } from 'mikro-orm-versioning';

import { expectMirrorButExceptions } from './mirror.ts';
import type { Orm } from './orm.ts';

/** As much of better-sqlite3's database and of node-postgres' pool as tells what an ORM's connections do. */
type NativeClient =
  | { readonly open: boolean; readonly inTransaction: boolean }
  | { readonly ended: boolean; readonly totalCount: number; readonly idleCount: number };

/** The ORMs with history whose databases are looked at when a test ends. */
export class Mirrors {
  readonly #clients = new Map<Orm, NativeClient>();

  /** An ORM without the extension has no history to look after. */
  async add(orm: Orm): Promise<void> {
    if (orm.getMetadata().find(VersionTransaction)) {
      this.#clients.set(orm, await clientOf(orm));
    }
  }

  delete(orm: Orm): void {
    this.#clients.delete(orm);
  }

  async expectAll(): Promise<void> {
    for (const orm of this.#clients.keys()) {
      await this.expect(orm);
    }
  }

  /** Throws where a rule is broken, and where nobody can tell: the ORM was closed, or has a transaction open. */
  async expect(orm: Orm): Promise<void> {
    const client = this.#clients.get(orm);

    if (!client) {
      return;
    }

    if (isClosed(client)) {
      throw new Error(
        'The test closed its ORM, so its history can not be compared any more. Call disconnectOrm() instead.',
      );
    }

    await waitUntilIdle(client);
    await expectMirrorButExceptions(orm);
  }
}

/** Asked for before the test starts: a closed connection would open a new one. */
async function clientOf(orm: Orm): Promise<NativeClient> {
  return (orm.em.getConnection() as unknown as { getNativeClient(): Promise<NativeClient> }).getNativeClient();
}

function isClosed(client: NativeClient): boolean {
  return 'open' in client ? !client.open : client.ended;
}

/** Queries that the test did not wait for end; a transaction that nobody ends does not, and SQLite would wait for it forever. */
async function waitUntilIdle(client: NativeClient): Promise<void> {
  const isBusy = () => ('open' in client ? client.inTransaction : client.idleCount < client.totalCount);

  for (let waited = 0; isBusy(); waited += 10) {
    if (waited > 1000) {
      throw new Error('The test left a transaction open, so what its history is can not be told.');
    }

    await sleep(10);
  }
}
