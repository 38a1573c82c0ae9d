import { FlushMode, Reference, type EntityManager, type EntityMetadata, type EntityProperty } from '@mikro-orm/core';
import { isEntity, metaOf, primaryKeyOf, schemaOption } from '../internals/entityState.ts';
import { isOrExtends } from '../metadata/hierarchy.ts';
import { hasColumns, isToOne } from '../metadata/properties.ts';
import type { VersioningModel } from '../model/VersioningModel.ts';
import { rowName } from '../read/versions.ts';

/** A live row with a foreign key to another one. */
export interface Referrer {
  readonly entity: object;
  /** The to-one property that leads there. */
  readonly prop: EntityProperty;
  /** `Article#1` */
  readonly target: string;
}

/** Live rows of any class, with history or without, that lead to these; one query for each relation, without flushing. */
export async function findReferrers(
  em: EntityManager,
  model: VersioningModel,
  targets: readonly object[],
): Promise<Referrer[]> {
  const found: Referrer[] = [];
  for (const [meta, group] of Map.groupBy(targets, metaOf)) {
    for (const { child, prop } of relationsTo(meta, model)) {
      const entities = await em.find<Record<string, unknown>>(
        child.class,
        { [prop.name]: { $in: group.map(entity => (prop.polymorphic ? entity : primaryKeyOf(entity))) } },
        { flushMode: FlushMode.COMMIT, filters: false, ...schemaOption(child, em.schema) },
      );
      found.push(...entities.map(entity => ({ entity, prop, target: targetOf(entity, prop) })));
    }
  }
  return found;
}

/** To-one relations with a foreign key to a class or one above it. */
function relationsTo(
  target: EntityMetadata,
  model: VersioningModel,
): { child: EntityMetadata; prop: EntityProperty }[] {
  // links have a history of their own, be their rows entities or not
  const pivots = new Set(model.links.filter(({ table }) => table.kind === 'link').map(({ pivot }) => pivot.class));
  return [...model.metadata]
    .filter(child => !child.embeddable && !child.virtual && !child.pivotTable)
    .filter(child => !pivots.has(child.class) && !model.historyClasses.has(child.class))
    .flatMap(child =>
      child.relations
        .filter(prop => isToOne(prop) && hasColumns(prop) && !prop.inherited)
        .filter(prop =>
          (prop.polymorphTargets ?? [prop.targetMeta!]).some(each => isOrExtends(target.class, each.class)),
        )
        .map(prop => ({ child, prop })),
    );
}

function targetOf(entity: object, prop: EntityProperty): string {
  const value = Reference.unwrapReference((entity as Record<string, object>)[prop.name]!);
  return isEntity(value) ? rowName(metaOf(value), value) : `${prop.targetMeta!.className}#${String(value)}`;
}
