import { ReferenceKind, type EntityMetadata, type EntityProperty } from '@mikro-orm/core';
import { SqlitePlatform } from '@mikro-orm/sql';
import { expect } from 'vitest';
import { Operation, versionOf, VersionTransaction } from 'mikro-orm-versioning';

import type { Orm } from './databases.ts';
import { joinedRows } from './joinedRows.ts';

/** A live table and its history. Columns are quoted, and the same in both. */
interface Mirrored {
  readonly live: string;
  readonly history: string;
  readonly key: readonly string[];
  /** As `select` compares them: as text where a type has no equality. */
  readonly columns: readonly string[];
  readonly since: string;
  readonly until: string;
  /** Absent for links, which have no DELETE versions. */
  readonly operation: string | undefined;
}

/** How an open end is stored: the largest id, of 53 or of 32 bits. */
const openEnds = `${Number.MAX_SAFE_INTEGER}, 2147483647`;

/**
 * Expects that history mirrors the database, whatever happened before: the open versions of every table equal its live
 * rows, column by column, the open link spans equal the pivots' rows, and the spans of each row join without a gap.
 */
export async function expectMirror(orm: Orm): Promise<void> {
  const transactions = quoted(orm, orm.getMetadata(VersionTransaction));
  const broken: object[] = [];

  for (const table of findMirrored(orm)) {
    for (const [rule, sql] of Object.entries(rulesOf(table, transactions))) {
      const rows = await orm.em.getConnection().execute<object[]>(sql);
      broken.push(...rows.map(row => ({ table: table.history, rule, row })));
    }
  }

  expect(broken).toEqual([]);
}

/** By rule, a query for the rows that break it. */
function rulesOf(table: Mirrored, transactions: string): Record<string, string> {
  const { live, history, key, columns, since, until, operation } = table;
  const present = operation ? `and ${operation} <> ${Operation.DELETE}` : '';
  const current = `select ${columns.join(', ')} from ${history} where ${until} in (${openEnds}) ${present}`;
  const rows = `select ${columns.join(', ')} from ${live}`;
  const neighbours =
    `select ${key.join(', ')}, ${since} as since, ${until} as until, ` +
    `lag(${until}) over (partition by ${key.join(', ')} order by ${since}, ${until}) as previous_until, ` +
    `lead(${since}) over (partition by ${key.join(', ')} order by ${since}, ${until}) as next_since from ${history}`;

  return {
    'a live row is its open version': `${rows} except ${current}`,
    'an open version is its live row': `${current} except ${rows}`,
    'a span has a beginning before its end': `select * from ${history} where ${since} >= ${until}`,
    'a span begins at a transaction': `select * from ${history} where ${since} not in (select id from ${transactions})`,
    'a span ends at a transaction': `select * from ${history} where ${until} not in (${openEnds}) and ${until} not in (select id from ${transactions})`,
    'spans do not overlap': `select * from (${neighbours}) n where previous_until > since`,
    ...(operation && {
      'spans have no gap': `select * from (${neighbours}) n where previous_until < since`,
      'the last span is open': `select * from (${neighbours}) n where next_since is null and until not in (${openEnds})`,
    }),
  };
}

function findMirrored(orm: Orm): Mirrored[] {
  const metas = [...orm.getMetadata().getAll().values()];

  return metas.flatMap(live => {
    const version = metas.find(meta => meta.class === versionClassOf(live));
    const links = live.relations.filter(prop => prop.kind === ReferenceKind.MANY_TO_MANY && prop.owner);
    const tables = links.flatMap(prop => {
      const link = metas.find(meta => meta.className === linkClassName(live, prop));

      return link
        ? [
            mirrored(
              orm,
              metas.find(meta => meta.class === prop.pivotEntity)!,
              link,
            ),
          ]
        : [];
    });

    if (live.root.inheritanceType === 'tpt' && version) {
      return live.root === live ? [mirroredHierarchy(orm, live, version, metas), ...tables] : tables;
    }

    return version ? [mirrored(orm, live, version), ...tables] : tables;
  });
}

/** `undefined` for an entity without history. */
function versionClassOf(live: EntityMetadata): object | undefined {
  try {
    return versionOf(live.class);
  } catch {
    return undefined;
  }
}

function linkClassName(owner: EntityMetadata, { name }: EntityProperty): string {
  return `${owner.className}${name.charAt(0).toUpperCase()}${name.slice(1)}Version`;
}

/** An inline embeddable has no column; its parts have. */
function isInlined(prop: EntityProperty): boolean {
  return prop.kind === ReferenceKind.EMBEDDED && !prop.object && !prop.array;
}

function mirrored(orm: Orm, live: EntityMetadata, version: EntityMetadata): Mirrored {
  const quote = (column: string) => orm.em.getPlatform().quoteIdentifier(column);
  const own = ['versionId', 'transaction', 'endTransactionId', 'operationType'];
  const copied = version.props.filter(
    prop =>
      prop.persist !== false &&
      prop.fieldNames &&
      prop.columnTypes?.length &&
      !own.includes(prop.name) &&
      !isInlined(prop),
  );
  const types = new Map(copied.flatMap(prop => prop.fieldNames.map((name, i) => [name, prop.columnTypes[i] ?? ''])));
  const column = (name: string) => quote(version.properties[name as never]!['fieldNames'][0]!);
  const key = version.properties['operationType' as never]
    ? live.getPrimaryProps()
    : [
        version.properties['owner' as never]!,
        version.properties['target' as never]!,
        ...live.getPrimaryProps().filter(prop => !prop.targetMeta),
      ];

  return {
    live: quoted(orm, live),
    history: quoted(orm, version),
    key: (key as EntityProperty[]).flatMap(prop => prop.fieldNames).map(quote),
    columns: [...types].map(([name, type]) => comparable(orm, quote(name), type)),
    since: column('transaction'),
    until: column('endTransactionId'),
    operation: version.properties['operationType' as never] && column('operationType'),
  };
}

/** One history of several tables. */
function mirroredHierarchy(
  orm: Orm,
  root: EntityMetadata,
  rootVersion: EntityMetadata,
  metas: readonly EntityMetadata[],
): Mirrored {
  const table = mirrored(orm, root, rootVersion);
  const classes = metas
    .filter(meta => meta.root.class === root.class)
    .map(live => ({ live, version: metas.find(meta => meta.class === versionClassOf(live))! }));
  const own = ['versionId', 'transaction', 'endTransactionId', 'operationType'];
  const columns = rootVersion.props
    .filter(prop => prop.persist !== false && prop.fieldNames && prop.columnTypes?.length && !own.includes(prop.name))
    .flatMap(prop => prop.fieldNames.map((name, i) => ({ name, type: prop.columnTypes[i]! })));

  return { ...table, live: joinedRows(orm, classes, columns, rootVersion.discriminatorColumn as string) };
}

/** SQLite compares by value and type in `quote()`, whatever the column's collation. */
function comparable(orm: Orm, column: string, type: string): string {
  if (orm.em.getPlatform() instanceof SqlitePlatform) {
    return `quote(${column})`;
  }

  return /^(json|xml|point|line|lseg|box|path|polygon|circle)\b/.test(type) ? `${column}::text` : column;
}

function quoted(orm: Orm, meta: EntityMetadata): string {
  const schema = meta.schema ?? orm.config.get('schema');
  return orm.em.getPlatform().quoteIdentifier(schema ? `${schema}.${meta.tableName}` : meta.tableName);
}
