import { MikroORM, type AbstractSqlDriver, type EntityManager } from '@mikro-orm/sql';
import { SqliteDriver } from '@mikro-orm/sqlite';
import { Versioning } from 'mikro-orm-versioning';

import { postgresOptions, type DatabaseName } from '../databases.ts';
import { startPostgres } from '../../test/support/postgres.ts';
import type { Orm } from '../../test/support/orm.ts';
import { fill, generation } from './fill.ts';
import { definePastModel, type PastModel, type Size } from './model.ts';

/** A database with a long history, and an ORM on it. */
export interface PastDatabase {
  readonly name: DatabaseName;
  readonly size: Size;
  readonly orm: Orm;
  readonly model: PastModel;
  /** What the manager is asked as of: by name, the id of a transaction or `'latest'`. */
  readonly moments: Readonly<Record<MomentName, number | 'latest'>>;
  /** What was logged while the ORM's logging was on. */
  readonly statements: string[];
  close(): Promise<void>;
}

export const MOMENTS = ['start', 'middle', 'latest'] as const;
export type MomentName = (typeof MOMENTS)[number];

/** As usual where no disk turns: the default takes a look-up for four times as dear as reading on. */
const IN_MEMORY = { random_page_cost: 1.1 } as const;

/** Opens and fills a database. `analyze` gathers the statistics of the planner; PostgreSQL would do so by itself. */
export async function openPastDatabase(name: DatabaseName, size: Size, analyze: boolean): Promise<PastDatabase> {
  const server = name === 'postgresql' ? await startPostgres() : null;
  const connection = server
    ? await postgresOptions(server.url, 'past', IN_MEMORY)
    : { driver: SqliteDriver, dbName: ':memory:' };
  const model = definePastModel();
  const statements: string[] = [];
  const orm = await MikroORM.init<AbstractSqlDriver, EntityManager>({
    ...connection,
    entities: Object.values(model),
    extensions: [Versioning],
    colors: false,
    logger: message => void statements.push(message),
  });
  await orm.schema.create();
  await fill(orm, name, size);

  if (analyze) {
    await orm.em.getConnection().execute(server ? 'vacuum analyze' : 'analyze');
  }

  return {
    name,
    size,
    orm,
    model,
    // at the end of a generation, when every row has as many versions as any other
    moments: { start: generation(size), middle: Math.floor(size.versions / 2) * generation(size), latest: 'latest' },
    statements,
    close: async () => {
      await orm.close(true);
      await server?.stop();
    },
  };
}
