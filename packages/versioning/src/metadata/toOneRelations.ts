import { PolymorphicRef, type EntityMetadata, type EntityProperty, type Platform } from '@mikro-orm/core';
import { joinToOneByFormula } from '../internals/asOfJoins.ts';
import { correctJoinedRows } from '../internals/joinedRows.ts';
import type { DeriveContext } from './DeriveContext.ts';
import { wholeHierarchy } from './hierarchy.ts';
import { add } from './deriveVersion.ts';
import {
  aliasOf,
  copyProperty,
  scalarProperty,
  toOneProperty,
  type FormulaColumns,
  type FormulaTable,
} from './properties.ts';
import { inSchema } from './schemas.ts';

type Formula = (columns: FormulaColumns) => string;

/** A to-one relation by formula, which yields the target's key. */
export function asOfToOne(
  name: string,
  target: EntityMetadata,
  column: string,
  formula: Formula,
  { ref, inherited }: Pick<EntityProperty, 'ref' | 'inherited'>,
): EntityProperty {
  return toOneProperty(name, target, [`${column}__as_of`], {
    persist: false,
    formula,
    ...(ref ? { ref } : {}),
    ...(inherited ? { inherited } : {}),
    targetMeta: wholeHierarchy(target),
  } as never);
}

/**
 * Adds the columns of a polymorphic foreign key, each as a hidden property, since the relation itself leads to versions:
 * `likeable__type`, `likeable__key`. Returns their names, the type's first.
 */
export function addPolymorphicKey(
  version: EntityMetadata,
  live: EntityProperty,
  name: string,
  { platform }: DeriveContext,
): string[] {
  const names = live.fieldNames.map((_, i) => {
    const part = i === 0 ? 'type' : `key${live.fieldNames.length > 2 ? `_${i - 1}` : ''}`;
    return `${name}__${part}`;
  });
  const keys = live.polymorphTargets![0]!.getPrimaryProps();
  live.fieldNames.forEach((column, i) => {
    const { customType, ...plain } = copyProperty(live, names[i]!, version, platform);
    const source = i === 0 ? undefined : keys[i - 1];
    add(version, {
      ...scalarProperty(names[i]!, column, plain.columnTypes[i]!, {
        type: source?.type ?? 'string',
        runtimeType: source?.runtimeType ?? 'string',
        nullable: true,
        hidden: true,
        ...(i > 0 && customType ? { customType } : {}),
        ...(live.inherited ? { inherited: true } : {}),
      }),
    });
  });
  return names;
}

/**
 * Adds a polymorphic to-one relation. MikroORM reads the class and the key from two columns, here of two hidden properties
 * by formula. The class is null along with the key, where the target is not there.
 */
export function addPolymorphicToOne(
  version: EntityMetadata,
  live: EntityProperty,
  name: string,
  targets: Readonly<Record<string, EntityMetadata>>,
  formula: Formula,
  { platform, options }: DeriveContext,
): void {
  const metas = Object.values(targets);
  const typeColumn = live.fieldNames[0]!;
  const columns = [`${typeColumn}__as_of`, `${live.fieldNames[1]!}__as_of`];
  const typeFormula: Formula = cols => {
    const of = platform.quoteIdentifier(`${aliasOf(cols, options.columns)}.${typeColumn}`);
    return `(case when ${formula(cols)} is not null then ${of} end)`;
  };
  const inherited = live.inherited ? { inherited: true } : {};
  const text = { type: 'string', runtimeType: 'string', columnTypes: [live.columnTypes[0]!], ...inherited };
  add(version, hiddenFormula(columns[0]!, typeFormula, text));
  add(version, hiddenFormula(columns[1]!, formula, { ...keyType(metas[0]!), ...inherited }));
  const discriminatorMap = Object.fromEntries(Object.entries(targets).map(([value, each]) => [value, each.class]));
  add(
    version,
    toOneProperty(name, metas[0]!, columns, {
      type: metas.map(each => each.className).join(' | '),
      polymorphic: true,
      polymorphTargets: metas,
      discriminator: live.discriminator!,
      discriminatorColumn: typeColumn,
      discriminatorMap,
      joinColumns: [columns[1]!],
      persist: false,
      // MikroORM merges only what it can compare, and what is generated, into a version that it knows already
      generated: 'as of the version',
      ...(live.ref ? { ref: true } : {}),
      ...inherited,
    } as never),
  );
  joinToOneByFormula(discriminatorMap, resolved(formula, platform) as never);
  correctJoinedRows(version, row => {
    const value = row[name];
    if (Array.isArray(value)) {
      const [of, key] = value as [string | null, unknown];
      row[name] = of === null || key === null || key === undefined ? null : new PolymorphicRef(of, key);
    }
  });
}

/** A formula for the schema of the query that it is used in; in a condition MikroORM does not say, and the query itself does. */
export function resolved(formula: Formula, platform: Platform): (cols: FormulaColumns, table: FormulaTable) => string {
  return (cols, { schema }) => (schema === undefined ? formula(cols) : inSchema(formula(cols), schema, platform));
}

/** Has the name of its column, by which MikroORM looks for it in conditions on the relation. */
function hiddenFormula(column: string, formula: Formula, more: Partial<EntityProperty>): EntityProperty {
  return scalarProperty(column, column, more.columnTypes![0]!, {
    ...more,
    persist: false,
    formula,
    hidden: true,
    nullable: true,
  } as never);
}

function keyType(meta: EntityMetadata): Partial<EntityProperty> {
  const { columnTypes, customType, type, runtimeType } = meta.getPrimaryProp();
  return { columnTypes, type, runtimeType, ...(customType ? { customType } : {}) };
}
