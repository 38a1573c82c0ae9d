import type { AbstractSqlDriver, EntityManager, MikroORM, Options } from '@mikro-orm/sql';

export type Orm = MikroORM<AbstractSqlDriver, EntityManager>;
export type OrmOptions = Options<AbstractSqlDriver, EntityManager>;
