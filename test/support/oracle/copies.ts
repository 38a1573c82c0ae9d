import { SqlitePlatform } from '@mikro-orm/sql';

import type { Orm } from '../orm.ts';

type Row = Record<string, unknown>;

/** All rows of all live tables, as they were after a transaction, by the quoted name of the table. */
export type Copy = ReadonlyMap<string, readonly Row[]>;

/** The tables of an ORM without history; those of a manager's schema in each of these. */
function tablesOf(orm: Orm, schemas: readonly string[]): Set<string> {
  const metas = [...orm.getMetadata()].filter(meta => meta.tableName && !meta.embeddable && !meta.virtual);
  return new Set(
    metas.flatMap(({ root: { schema }, tableName }) =>
      (schema === '*' ? schemas : [schema]).map(each => (each ? `"${each}".` : '') + `"${tableName}"`),
    ),
  );
}

/** Reads the tables of `orm` that `copyOrm` has as well. */
export async function copyOf(orm: Orm, copyOrm: Orm, schemas: readonly string[]): Promise<Copy> {
  const copy = new Map<string, Row[]>();
  for (const table of tablesOf(copyOrm, schemas)) {
    copy.set(table, await orm.em.fork().execute<Row[]>(`select * from ${table}`));
  }
  return copy;
}

/** Makes the tables of `orm` what the copy says. */
export async function fill(orm: Orm, copy: Copy): Promise<void> {
  if (orm.em.getPlatform() instanceof SqlitePlatform) {
    await orm.em.fork().execute('pragma foreign_keys = off');
  }
  await orm.em.fork().transactional(async em => {
    for (const [table, rows] of copy) {
      await em.execute(`delete from ${table}`);
      const columns = Object.keys(rows[0] ?? {});
      const values = rows.flatMap(row =>
        columns.map(name => {
          const value = row[name];
          return typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
        }),
      );
      if (rows.length > 0) {
        const list = rows.map(() => `(${columns.map(() => '?').join(', ')})`).join(', ');
        await em.execute(
          `insert into ${table} (${columns.map(name => `"${name}"`).join(', ')}) values ${list}`,
          values,
        );
      }
    }
  });
}
