import { Versioning, versionOf } from 'mikro-orm-versioning';
import { beforeEach, expect, it } from 'vitest';

import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';
import { LIBRARY, Medium, Reader, Sound, Writer } from './support/library.ts';
import { statementsOf } from './support/statements.ts';

/** What is loaded of a history must not change what a flush takes the live rows for. */
describeEachDatabase('live rows of a hierarchy of which versions are loaded', db => {
  let orm: Orm;

  beforeEach(async () => {
    orm = await createOrm(db, { entities: LIBRARY, extensions: [Versioning] });
    const em = orm.em.fork();
    em.create(Sound, { id: 1, name: 'a', seconds: 3 } as never);
    em.create(Medium, { id: 2, name: 'm' } as never);
    em.create(Reader, { id: 1, name: 'r', card: 'c' } as never);
    em.create(Writer, { id: 2, name: 'w', prizes: 1 } as never);
    await em.flush();
  });

  it.each([[[]], [['entity']]])('pass for unchanged, with %j populated', async populate => {
    for (const entity of [Medium, Sound, Reader, Writer]) {
      const em = orm.em.fork();
      await em.find(versionOf(entity as typeof Medium), {}, { populate: populate as never });
      await em.find(entity as typeof Medium, {});
      expect(await statementsOf(orm, () => em.flush())).toEqual([]);
    }
  });

  it('keep their class where a row of another class had their key', async () => {
    for (const key of [1, 2]) {
      const em = orm.em.fork();
      em.remove(await em.findOneOrFail(Medium, key));
      await em.flush();
      const other = orm.em.fork();
      other.create(key === 1 ? Medium : Sound, { id: key, name: 'b', seconds: 9 } as never);
      await other.flush();
    }
    for (const entity of [Medium, Sound]) {
      for (const populate of [[], ['entity', 'previous', 'next']]) {
        const em = orm.em.fork();
        const versions = await em.find(
          versionOf(entity as typeof Medium),
          {},
          {
            populate: populate as never,
            orderBy: { id: 'asc', transaction: 'asc' } as never,
          },
        );
        expect(versions.map(each => each.constructor.name)).toEqual(
          entity === Medium
            ? ['SoundVersion', 'SoundVersion', 'MediumVersion', 'MediumVersion', 'MediumVersion', 'SoundVersion']
            : ['SoundVersion', 'SoundVersion', 'SoundVersion'],
        );
        const live = await em.find(Medium, {}, { orderBy: { id: 'asc' } });
        expect(live.map(each => each.constructor.name)).toEqual(['Medium', 'Sound']);
        expect(await statementsOf(orm, () => em.flush())).toEqual([]);
      }
    }
    const em = orm.em.fork();
    const versions = await em.find(versionOf(Sound), { id: 1 }, { populate: ['entity'] });
    // the row is no sound any more
    expect(versions.map(each => each.entity)).toEqual([null, null]);
  });
});
