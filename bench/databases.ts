import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { MikroORM, type AbstractSqlDriver, type EntityManager, type Options } from '@mikro-orm/sql';
import { SqliteDriver } from '@mikro-orm/sqlite';
import { Versioning, versioned } from 'mikro-orm-versioning';
import { Client } from 'pg';

import { startPostgres } from '../test/support/postgres.ts';
import { articleValues, defineModel, type Model } from './model.ts';

export type DatabaseName = 'sqlite' | 'postgresql';

/** One of the two ORMs that are compared, on a database of its own. */
export interface Side {
  readonly name: 'plain' | 'versioned';
  readonly model: Model;
  readonly orm: MikroORM<AbstractSqlDriver, EntityManager>;
  /** SQL that was sent while the ORM's logging was on. */
  readonly statements: string[];
}

/** Both sides, and what ends them. */
export interface Pair {
  readonly plain: Side;
  readonly versioned: Side;
  /**
   * Gathers statistics for the planner. PostgreSQL does so by itself, but when it likes to; SQLite only when the
   * application asks.
   */
  analyze(): Promise<void>;
  close(): Promise<void>;
}

type SideName = Side['name'];
type ConnectionOptions = Options<AbstractSqlDriver, EntityManager>;

/** Rows that are there from the start and stay: ids 1 to `SEEDED` of each entity. */
export const SEEDED = { authors: 20, tags: 50, articles: 1000 } as const;

/** Two databases with the same entities and rows: SQLite in memory, or on one PostgreSQL server of our own. */
export async function openPair(database: DatabaseName): Promise<Pair> {
  const server = database === 'postgresql' ? await startPostgres() : null;
  const open = async (name: SideName) =>
    openSide(name, server ? await postgresOptions(server.url, name) : { driver: SqliteDriver, dbName: ':memory:' });
  const sides = [await open('plain'), await open('versioned')] as const;

  return {
    plain: sides[0],
    versioned: sides[1],
    analyze: async () => {
      await Promise.all(sides.map(({ orm }) => orm.em.getConnection().execute('analyze')));
    },
    close: async () => {
      await Promise.all(sides.map(({ orm }) => orm.close(true)));
      await server?.stop();
    },
  };
}

async function openSide(name: SideName, connection: ConnectionOptions): Promise<Side> {
  const model = defineModel();

  if (name === 'versioned') {
    versioned(model.Author);
    versioned(model.Tag);
    versioned(model.Article);
  }

  const statements: string[] = [];
  const orm = await MikroORM.init<AbstractSqlDriver, EntityManager>({
    ...connection,
    entities: [model.Author, model.Tag, model.Article],
    extensions: name === 'versioned' ? [Versioning] : [],
    colors: false,
    logger: message => void statements.push(message),
  });
  await orm.schema.create();
  await seed(orm.em.fork(), model);

  return { name, model, orm, statements };
}

async function seed(em: EntityManager, { Author, Tag, Article }: Model): Promise<void> {
  const authors = numbers(SEEDED.authors).map(n => em.create(Author, { name: `Author ${n}` }));
  numbers(SEEDED.tags).forEach(n => em.create(Tag, { name: `Tag ${n}` }));
  numbers(SEEDED.articles).forEach(n =>
    em.create(Article, { ...articleValues(n), author: authors[n % authors.length]! }),
  );
  await em.flush();
}

/** A new database, with settings of its own. */
export async function postgresOptions(
  url: string,
  dbName: string,
  settings: Readonly<Record<string, number>> = {},
): Promise<ConnectionOptions> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`create database ${dbName}`);
  for (const [name, value] of Object.entries(settings)) {
    await client.query(`alter database ${dbName} set ${name} = ${value}`);
  }
  await client.end();
  const clientUrl = new URL(url);
  clientUrl.pathname = `/${dbName}`;

  return { driver: PostgreSqlDriver, dbName, clientUrl: clientUrl.href };
}

/** `[1, 2, …, count]` */
export function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}
