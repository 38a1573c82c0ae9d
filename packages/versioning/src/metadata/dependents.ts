import type { EntityMetadata, EntityProperty, MetadataStorage } from '@mikro-orm/core';
import type { Dependent, LinkHistory, RowHistory } from '../model/VersioningModel.ts';
import { hasColumns, isToOne } from './properties.ts';

/**
 * Which rows the database itself changes when a row is deleted or gets another key: the foreign keys with a rule, by
 * the class that they refer to, as far as something with history can be reached through them.
 */
export function findDependents(
  storage: MetadataStorage,
  rows: ReadonlyMap<object, RowHistory>,
  links: readonly LinkHistory[],
): Map<object, readonly Dependent[]> {
  const all = new Map<object, Dependent[]>();
  for (const child of storage) {
    if (child.root !== child && child.root.inheritanceType === 'sti') {
      // the root has its subclasses' properties
      continue;
    }
    if (child.pivotTable && links.some(link => link.pivot === child && link.table.kind === 'link')) {
      // links are looked up by the keys of their ends
      continue;
    }
    const own = (prop: EntityProperty) => !child.tptParent?.properties[prop.name as never];
    for (const prop of child.relations.filter(
      each => isToOne(each) && hasColumns(each) && hasRule(each) && own(each),
    )) {
      const parent = prop.targetMeta!.root.class;
      const list = all.get(parent) ?? [];
      list.push({
        child: child.root,
        holder: child,
        target: prop.targetMeta!,
        property: prop.name,
        columns: prop.fieldNames,
        referenced: prop.referencedColumnNames,
        referencedProperties: prop.referencedPKs as string[],
        cascades: prop.deleteRule === 'cascade',
      });
      all.set(parent, list);
    }
  }
  const linked = new Set(links.flatMap(link => [link.owner.root.class, link.target.root.class]));
  const reaches = (target: EntityMetadata, visited: ReadonlySet<object>): boolean => {
    if (rows.has(target.class) || linked.has(target.class)) {
      return true;
    }
    const path = new Set([...visited, target.class]);
    return (all.get(target.class) ?? []).some(next => !path.has(next.child.class) && reaches(next.child, path));
  };
  const reached = [...all].map(
    ([parent, list]) => [parent, list.filter(each => reaches(each.child, new Set()))] as const,
  );
  return new Map(reached.filter(([, list]) => list.length > 0));
}

function hasRule(prop: EntityProperty): boolean {
  return [prop.deleteRule, prop.updateRule].some(
    rule => rule !== undefined && rule !== 'no action' && rule !== 'restrict',
  );
}
