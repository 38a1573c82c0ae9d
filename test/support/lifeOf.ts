import { Operation, revert, versionOf } from 'mikro-orm-versioning';

import type { Orm } from './databases.ts';

const NAMES = Object.fromEntries(Object.entries(Operation).map(([name, value]) => [value, name]));

/**
 * Inserts a row, changes it, deletes it, and brings its first state back, each in a transaction of its own. Gives the
 * versions that this left, as `[operation, changeset]`:
 *
 *     [['INSERT', { id: [null, 1], name: [null, 'a'] }], ['UPDATE', { name: ['a', 'b'] }], ['DELETE', …], ['INSERT', …]]
 */
export async function lifeOf(orm: Orm, entity: object, first: object, second: object): Promise<[string, object][]> {
  const target = entity as never;
  const em = orm.em.fork();
  em.create(target, first as never);
  await em.flush();
  await change(orm, target, row => void Object.assign(row, second));
  await change(orm, target, (row, manager) => void manager.remove(row));
  const back = orm.em.fork();
  const [state] = await back.find(versionOf(target), {}, { orderBy: { versionId: 'asc' } as never });
  await revert(state as never);
  await back.flush();
  const versions = await orm.em.fork().find(versionOf(target), {}, { orderBy: { versionId: 'asc' } as never });

  return (versions as unknown as { operationType: number; changeset: object }[]).map(version => [
    NAMES[version.operationType]!,
    version.changeset,
  ]);
}

async function change(orm: Orm, entity: never, act: (row: object, em: Orm['em']) => void): Promise<void> {
  const em = orm.em.fork();
  const [row] = await em.find<object>(entity, {});
  act(row!, em);
  await em.flush();
}

/** What `lifeOf()` gives where every value of the two states differs. */
export function lifeOfValues(key: object, first: object, second: object): [string, object][] {
  const entries = (values: object, to: (value: unknown, name: string) => unknown) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, to(value, name)]));
  const born = entries({ ...key, ...first }, value => [null, value]);

  return [
    ['INSERT', born],
    ['UPDATE', entries(first, (value, name) => [value, (second as Record<string, unknown>)[name]])],
    ['DELETE', entries({ ...key, ...second }, value => [value, null])],
    ['INSERT', born],
  ];
}
