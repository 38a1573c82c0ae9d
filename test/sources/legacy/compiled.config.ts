import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { CompiledFunctions } from '@mikro-orm/core';
import { NodeSqliteDialect, SqliteDriver } from '@mikro-orm/sql';
import type { Options } from '@mikro-orm/sqlite';

import * as classes from './classes.ts';
import config from './mikro-orm.config.ts';

const file = resolve('compiled-functions.js');
// they are not there while they are being compiled
const compiled = existsSync(file)
  ? ((await import(pathToFileURL(file).href)) as { readonly default: CompiledFunctions })
  : undefined;

/** Without anything that makes code from strings: no JIT of MikroORM's, and no better-sqlite3, which has one as well. */
export default {
  ...config,
  entities: Object.values(classes),
  ...(compiled && { compiledFunctions: compiled.default }),
  ...(!process.env['MIKRO_ORM_CLIENT_URL'] && {
    driver: SqliteDriver,
    driverOptions: new NodeSqliteDialect(process.env['MIKRO_ORM_DB_NAME']!),
  }),
} as Options;
