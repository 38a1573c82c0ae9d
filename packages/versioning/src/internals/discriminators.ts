import type { EntityMetadata } from '@mikro-orm/core';
import { correctJoinedRows } from './joinedRows.ts';

/**
 * Internals of MikroORM leaned on: how it reads a single-table hierarchy.
 *
 * A query for a class adds its own discriminator value and those of the classes that say that they extend it; a join over
 * a relation to it adds its own value alone, and so loses the rows of its subclasses. A value that is a condition,
 * `{ $in: ['dog', 'puppy'] }`, and reads as the plain value where MikroORM writes it into code, makes both right; the
 * root, which has every row, has none.
 *
 * A row is read by the class that was asked for, though a subclass may have its property in another column than its
 * sibling has. `EntityMetadata.polymorphs`, made for embeddables, has it read by its own; a joined one is corrected. `test/internals.test.ts` fails when MikroORM changes one of these.
 */
export function distinguish(version: EntityMetadata, below: readonly EntityMetadata[]): void {
  if (below.length === 0) {
    return;
  }
  const own = version.discriminatorValue;
  version.discriminatorColumn = version.root.discriminatorColumn!;
  version.polymorphs = below.filter(each => each.discriminatorValue !== undefined);
  correctJoinedRows(version, row => nameByOwnClass(row, version));
  if (version.root === version) {
    delete version.discriminatorValue;
    return;
  }
  const values = [own, ...below.map(each => each.discriminatorValue)].filter(value => value !== undefined).map(String);
  Object.defineProperty(version, 'discriminatorValue', {
    configurable: true,
    enumerable: true,
    // of an abstract class no row is
    get: () => Object.defineProperty({ $in: [...values] }, 'toString', { value: () => String(own ?? '') }),
  });
}

/** Gives a joined row the names that its own class has for columns which are kept under other ones. */
function nameByOwnClass(values: Record<string, unknown>, asked: EntityMetadata): void {
  const type = values[asked.root.discriminatorColumn as string];
  const own = asked.polymorphs!.find(each => String(each.discriminatorValue) === type);
  const kept = asked.props.filter(prop => prop.hydrate === false && prop.name in values);
  for (const { name, fieldNames } of own ? kept : []) {
    const prop = own!.props.find(each => String(each.fieldNames) === String(fieldNames));
    if (prop) {
      values[prop.name] = values[name];
    }
  }
}
