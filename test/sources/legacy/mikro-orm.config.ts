import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { Migrator } from '@mikro-orm/migrations';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { SqliteDriver, type Options } from '@mikro-orm/sqlite';
import { Versioning } from 'mikro-orm-versioning';

/** Of the application that the command line tools are run in. MikroORM reads the database from its own variables. */
const config = {
  driver: process.env['MIKRO_ORM_CLIENT_URL'] ? PostgreSqlDriver : SqliteDriver,
  entities: ['dist/legacy/entities/*.js'],
  metadataProvider: ReflectMetadataProvider,
  extensions: process.env['WITHOUT_HISTORY'] ? [Migrator] : [Versioning, Migrator],
  migrations: { path: 'migrations' },
  colors: false,
} as Options;

export default config;
