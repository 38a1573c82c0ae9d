import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { MikroORM, type AbstractSqlDriver, type EntityManager, type Options } from '@mikro-orm/sql';
import { SqliteDriver } from '@mikro-orm/sqlite';
import { Versioning } from 'mikro-orm-versioning';

import { startPostgres } from '../../../test/support/postgres.ts';
import { Country, Currency, Language, Region, Subregion } from './entities.ts';

export type Orm = MikroORM<AbstractSqlDriver, EntityManager>;

const OPTIONS: Options<AbstractSqlDriver, EntityManager> = {
  entities: [Region, Subregion, Country, Currency, Language],
  extensions: [Versioning],
};

/** An empty database with the schema: SQLite in memory, or a PostgreSQL server of our own that `close` removes. */
export async function openDatabase(
  kind: 'sqlite' | 'postgresql',
): Promise<{ readonly orm: Orm; close(): Promise<void> }> {
  const server = kind === 'postgresql' ? await startPostgres() : null;
  const orm = await MikroORM.init<AbstractSqlDriver, EntityManager>(
    server
      ? { ...OPTIONS, driver: PostgreSqlDriver, clientUrl: server.url }
      : { ...OPTIONS, driver: SqliteDriver, dbName: ':memory:' },
  );
  await orm.schema.create();

  return {
    orm,
    close: async () => {
      await orm.close(true);
      await server?.stop();
    },
  };
}
