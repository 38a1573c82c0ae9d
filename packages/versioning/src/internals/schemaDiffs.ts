import { SchemaComparator, SqlSchemaGenerator, type DatabaseSchema, type DatabaseTable } from '@mikro-orm/sql';
import type { Configuration } from '@mikro-orm/core';

/**
 * Internals of MikroORM leaned on: `SqlSchemaGenerator.prepareSchemaForComparison` and `getTargetSchema`, and the
 * result of `SchemaComparator.compare`. MikroORM guesses a rename when a removed and an added column look alike, and in a
 * history table, where all columns are nullable, they nearly always do: history would end up under another name. And a
 * column dropped from the live table would take its history along. So history tables
 *
 * - stay when their entity is not versioned any more, or not there at all;
 * - keep every column that they ever had, and its type, in the database, in diffs and in snapshots;
 * - follow exactly the renames that the live table makes.
 *
 * `test/migrations.test.ts` fails when MikroORM changes it.
 */
export interface HistoryPair {
  /** Names as the schema has them, with the schema where it is not the default one; `*.article` is in any. */
  readonly history: string;
  /** The live tables of this history: several for a joined hierarchy. */
  readonly live: readonly {
    readonly table: string;
    /** What its columns have in front in the history. */
    readonly prefix: string;
  }[];
}

/** What protects the history of one MikroORM instance. */
interface Protection {
  readonly pairs: readonly HistoryPair[];
  /** Columns by which a history table is known without its entity. */
  readonly columns: readonly string[];
}

/** What the last comparison kept, for the snapshot that is stored after it. */
interface Kept {
  readonly tables: readonly DatabaseTable[];
  /** By history table. */
  readonly columns: ReadonlyMap<string, readonly Column[]>;
  /** Types of these columns. */
  readonly nativeEnums: NativeEnums;
}

const protections = new WeakMap<Configuration, Protection>();
const pairsBySchema = new WeakMap<DatabaseSchema, readonly HistoryPair[]>();
const keptByConfig = new WeakMap<Configuration, Kept>();

type Column = ReturnType<DatabaseTable['getColumns']>[number];
type NativeEnums = ReturnType<DatabaseSchema['getNativeEnums']>;
type TableDifference = ReturnType<SchemaComparator['compare']>['changedTables'][string];

/** Makes schema diffs of this MikroORM instance follow the rules above. */
export function protectHistory(config: Configuration, pairs: readonly HistoryPair[], columns: readonly string[]): void {
  protections.set(config, { pairs, columns });
  install();
}

const ANY_SCHEMA = '*.';

let installed = false;

function install(): void {
  if (installed) {
    return;
  }
  installed = true;
  wrapPreparation();
  wrapTarget();
  wrapComparison();
}

interface Generator {
  readonly config: Configuration;
  readonly platform: ConstructorParameters<typeof SchemaComparator>[0];
  prepareSchemaForComparison(options: object): Promise<{ fromSchema: DatabaseSchema; toSchema: DatabaseSchema }>;
  getTargetSchema(...args: unknown[]): DatabaseSchema;
}

function wrapPreparation(): void {
  const prototype = SqlSchemaGenerator.prototype as unknown as Generator;
  // the method is called with its own receiver below
  // eslint-disable-next-line typescript/unbound-method
  const original = prototype.prepareSchemaForComparison;
  prototype.prepareSchemaForComparison = async function (options) {
    const protection = protections.get(this.config);
    keptByConfig.delete(this.config);
    const schemas = await original.call(this, options);
    if (protection) {
      const { fromSchema, toSchema } = schemas;
      const pairs = protection.pairs.flatMap(pair => concretePairs(pair, toSchema));
      const tables = keepTables(protection.columns, fromSchema, toSchema);
      const columns = keepColumns(pairs, fromSchema, toSchema, new SchemaComparator(this.platform));
      const all = [...tables.flatMap(table => table.getColumns()), ...[...columns.values()].flat()];
      keptByConfig.set(this.config, { tables, columns, nativeEnums: keepNativeEnums(all, fromSchema, toSchema) });
      pairsBySchema.set(toSchema, pairs);
      pairsBySchema.set(fromSchema, pairs);
    }
    return schemas;
  };
}

/** The pair in each schema that has it. */
function concretePairs(pair: HistoryPair, schema: DatabaseSchema): HistoryPair[] {
  if (!pair.history.startsWith(ANY_SCHEMA)) {
    return [pair];
  }
  const tables = schema.getTables().filter(table => table.name === pair.history.slice(ANY_SCHEMA.length));
  return tables.map(table => {
    const inSchema = (name: string) => name.replace(ANY_SCHEMA, `${table.schema}.`);
    return {
      history: inSchema(pair.history),
      live: pair.live.map(each => ({ ...each, table: inSchema(each.table) })),
    };
  });
}

/** Adds to the target each history table that it lacks; says which. */
function keepTables(
  columns: readonly string[],
  fromSchema: DatabaseSchema,
  toSchema: DatabaseSchema,
): readonly DatabaseTable[] {
  const isThere = (table: DatabaseTable) =>
    toSchema.getTables().some(each => each.name === table.name && each.schema === table.schema);
  const kept = fromSchema
    .getTables()
    .filter(table => columns.every(column => table.hasColumn(column)) && !isThere(table));
  toSchema.setTables([...toSchema.getTables(), ...kept]);
  return kept;
}

/** Adds to the target each history column that it lacks, unless the live table renames it; says which. */
function keepColumns(
  pairs: readonly HistoryPair[],
  fromSchema: DatabaseSchema,
  toSchema: DatabaseSchema,
  comparator: SchemaComparator,
): Map<string, Column[]> {
  const { changedTables } = comparator.compare(fromSchema, toSchema);
  const kept = new Map<string, Column[]>();
  for (const { live, history } of pairs) {
    const from = fromSchema.getTable(history);
    const to = toSchema.getTable(history);
    if (!from || !to) {
      continue;
    }
    const renamed = Object.keys(liveRenames(live, changedTables, toSchema));
    const columns = from.getColumns().filter(({ name }) => !to.hasColumn(name) && !renamed.includes(name));
    // what nobody writes any more must not be required
    const optional = columns.map(column => ({ ...column, nullable: true }));
    for (const column of optional) {
      to.addColumn(column);
    }
    kept.set(history, optional);
  }
  return kept;
}

/** Adds to the target the native enums of kept columns, which the database would not drop; says which. */
function keepNativeEnums(
  columns: readonly Column[],
  fromSchema: DatabaseSchema,
  toSchema: DatabaseSchema,
): NativeEnums {
  const types = new Set(columns.flatMap(({ type, nativeEnumName }) => [type.replace(/\[\]$/, ''), nativeEnumName]));
  const used = Object.entries(fromSchema.getNativeEnums()).filter(
    ([key, { name }]) => types.has(key) || types.has(name),
  );
  const kept = Object.fromEntries(used.filter(([key]) => !toSchema.hasNativeEnum(key)));
  toSchema.setNativeEnums({ ...toSchema.getNativeEnums(), ...kept });
  return kept;
}

function wrapTarget(): void {
  const prototype = SqlSchemaGenerator.prototype as unknown as Generator;
  // the method is called with its own receiver below
  // eslint-disable-next-line typescript/unbound-method
  const original = prototype.getTargetSchema;
  prototype.getTargetSchema = function (...args) {
    const schema = original.apply(this, args);
    const kept = keptByConfig.get(this.config);
    if (!kept) {
      return schema;
    }
    for (const [history, columns] of kept.columns) {
      const table = schema.getTable(history);
      for (const column of columns.filter(({ name }) => table && !table.hasColumn(name))) {
        table!.addColumn(column);
      }
    }
    const names = new Set(schema.getTables().map(table => table.name));
    schema.setTables([...schema.getTables(), ...kept.tables.filter(table => !names.has(table.name))]);
    schema.setNativeEnums({ ...kept.nativeEnums, ...schema.getNativeEnums() });
    return schema;
  };
}

function wrapComparison(): void {
  const { prototype } = SchemaComparator;
  // the method is called with its own receiver below
  // eslint-disable-next-line typescript/unbound-method
  const original = prototype.compare;
  prototype.compare = function (fromSchema, toSchema, inverseDiff) {
    const diff = original.call(this, fromSchema, toSchema, inverseDiff);
    for (const { live, history } of pairsBySchema.get(toSchema) ?? []) {
      const difference = diff.changedTables[keyOf(toSchema, history)];
      if (difference) {
        followRenames(difference, liveRenames(live, diff.changedTables, toSchema));
      }
    }
    return diff;
  };
}

/** The name under which a comparison lists a table: with its schema, also the default one, where the database has schemas. */
function keyOf(schema: DatabaseSchema, name: string): string {
  return schema.getTable(name)?.getShortestName(false) ?? name;
}

/** New names by old ones, as the history calls the columns that its live tables rename. */
function liveRenames(
  live: HistoryPair['live'],
  changed: Record<string, TableDifference>,
  schema: DatabaseSchema,
): Record<string, string> {
  return Object.fromEntries(
    live.flatMap(({ table, prefix }) =>
      Object.entries(changed[keyOf(schema, table)]?.renamedColumns ?? {}).map(([old, { name }]) => [
        prefix + old,
        prefix + name,
      ]),
    ),
  );
}

/** Takes back the guessed renames of a history table and makes those of its live table instead. */
function followRenames(difference: TableDifference, live: Readonly<Record<string, string>>): void {
  const { renamedColumns, addedColumns, removedColumns, fromTable, toTable } = difference;
  for (const [old, column] of Object.entries(renamedColumns)) {
    if (live[old] !== column.name) {
      delete renamedColumns[old];
      addedColumns[column.name] = column;
      removedColumns[old] = fromTable.getColumn(old)!;
    }
  }
  for (const [old, name] of Object.entries(live)) {
    if (removedColumns[old] && addedColumns[name]) {
      renamedColumns[old] = toTable.getColumn(name)!;
      delete removedColumns[old];
      delete addedColumns[name];
    }
  }
}
