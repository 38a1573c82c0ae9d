import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { defineEntity, p } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { Operation, Versioning, versioned, versionOf } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { covers } from './support/compatibility/covers.ts';
import { connectOrm, describeEachDatabase, disconnectOrm, type Connection, type Orm } from './support/databases.ts';
import { mirrorExcept } from './support/mirror.ts';

const id = () => p.integer().primary();

/** Shapes of one entity over time, each a different class named `Article`. */
const article = (properties: object) =>
  versioned(defineEntity({ name: 'Article', properties: { id: id(), ...properties } }) as never) as never;

describeEachDatabase('migrations', db => {
  /** An ORM of one shape, on the same database and folder of migrations as the shapes before, whose ORM it replaces. */
  async function withShape(shape: object | readonly object[], connection: Connection, folder?: string): Promise<Orm> {
    const former = current.get(connection);
    await (former && disconnectOrm(db, former));
    const orm = await connectOrm(db, connection, {
      entities: [shape].flat() as never[],
      extensions: folder === undefined ? [Versioning] : [Versioning, Migrator],
      migrations: {
        ...(folder === undefined ? {} : { path: folder }),
        snapshotName: 'snapshot',
        emit: 'js',
        silent: true,
        fileName: (at, name) => `M${String(++serial).padStart(3, '0')}_${name ?? at}`,
      },
    });
    current.set(connection, orm);
    return orm;
  }
  const current = new WeakMap<Connection, Orm>();
  let serial = 0;

  async function setUp(): Promise<{ connection: Connection; folder: string }> {
    // below the workspace, so that the migrations find MikroORM
    const cache = join(import.meta.dirname, '..', 'node_modules', '.cache');
    await mkdir(cache, { recursive: true });
    const folder = await mkdtemp(join(cache, 'migrations-'));
    db.defer(() => rm(folder, { recursive: true, force: true }));
    return { connection: await db.options({ shared: true }), folder };
  }

  /** Creates and runs the migration to a shape; says what it does to the history table, and proves that a second is empty. */
  async function migrate(orm: Orm, name: string): Promise<string[]> {
    const { diff } = await orm.migrator.create(undefined, false, false, name);
    await orm.migrator.up();
    expect((await orm.migrator.create(undefined, false, false, 'second')).diff.up).toEqual([]);
    expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    return diff.up.filter(sql => sql.includes('article_version')).map(sql => sql.replaceAll(/[`"]/g, ''));
  }

  const columns = async (orm: Orm, table: string) =>
    (await orm.em.fork().execute<object[]>(`select * from ${table}`)).flatMap(row => Object.keys(row).slice(0));

  async function write(orm: Orm, entity: object, data: object): Promise<void> {
    const em = orm.em.fork();
    em.create(entity as never, data as never);
    await em.flush();
  }

  it(
    'hold the derived tables, and a second one is empty',
    covers('Schema evolution: first migration, up and down'),
    async () => {
      const { connection, folder } = await setUp();
      const Article = versioned(
        defineEntity({
          name: 'Article',
          properties: { id: id(), name: p.string(), similar: () => p.manyToMany(Article) },
        }),
      );
      const orm = await withShape(Article, connection, folder);
      const created = await migrate(orm, 'initial');
      expect(created.join('\n')).toMatch(/create table article_version .*version_id/);
      expect(await orm.em.fork().execute('select * from article_similar_version')).toEqual([]);
      expect(await orm.em.fork().execute('select * from version_transaction')).toEqual([]);
      await orm.migrator.down();
      await expect(orm.em.fork().execute('select * from article_version')).rejects.toThrow(/article_version/);
      await orm.migrator.up();
      await write(orm, Article, { id: 1, name: 'a' });
      expect(await orm.em.fork().count(versionOf(Article))).toBe(1);
      expect((await readdir(folder)).length).toBeGreaterThan(0);
    },
  );

  it(
    'a live rename renames both; up, down and up again keep the history',
    covers('Schema evolution: renamed column'),
    async () => {
      const { connection, folder } = await setUp();
      const Before = article({ title: p.string(), size: p.integer() });
      let orm = await withShape(Before, connection, folder);
      await migrate(orm, 'initial');
      await write(orm, Before, { id: 1, title: 'kept', size: 1 });
      const After = article({ headline: p.string(), size: p.integer(), motto: p.string().nullable() });
      orm = await withShape(After, connection, folder);
      const sql = await migrate(orm, 'rename');
      expect(sql.join('\n')).toMatch(/rename column title to headline/);
      const em = orm.em.fork();
      expect(await em.find(versionOf(After), {})).toMatchObject([{ headline: 'kept', size: 1 }]);
      await orm.migrator.down();
      expect(await em.execute('select title from article_version')).toEqual([{ title: 'kept' }]);
      await orm.migrator.up();
      expect(await em.execute('select headline from article_version')).toEqual([{ headline: 'kept' }]);
    },
  );

  it(
    "a live drop keeps the history's column, through down and up, and when the column comes back",
    covers('Schema evolution: dropped column, and back'),
    async () => {
      const { connection, folder } = await setUp();
      const Before = article({ title: p.string(), extra: p.string().nullable() });
      let orm = await withShape(Before, connection, folder);
      await migrate(orm, 'initial');
      await write(orm, Before, { id: 1, title: 'a', extra: 'kept' });
      const After = article({ title: p.string() });
      orm = await withShape(After, connection, folder);
      expect(await migrate(orm, 'drop')).toEqual([]);
      expect(await columns(orm, 'article')).not.toContain('extra');
      expect(await orm.em.fork().execute('select extra from article_version')).toEqual([{ extra: 'kept' }]);
      await orm.migrator.down();
      expect(await columns(orm, 'article')).toContain('extra');
      expect(await orm.em.fork().execute('select extra from article_version')).toEqual([{ extra: 'kept' }]);
      await orm.migrator.up();
      await write(orm, After, { id: 2, title: 'b' });
      expect(await orm.em.fork().execute('select extra from article_version order by version_id')).toEqual([
        { extra: 'kept' },
        { extra: null },
      ]);
      orm = await withShape(article({ title: p.string(), extra: p.string().nullable() }), connection, folder);
      expect(await migrate(orm, 'back')).toEqual([]);
      expect(await columns(orm, 'article')).toContain('extra');
      mirrorExcept(orm, ['Article'], 'a migration emptied the live column, which no flush saw');
    },
  );

  it(
    'an unrelated drop and add is never taken for a rename of history',
    covers('Schema evolution: dropped and added column'),
    async () => {
      const { connection, folder } = await setUp();
      const Before = article({ headline: p.string().nullable(), size: p.integer().nullable() });
      let orm = await withShape(Before, connection, folder);
      await migrate(orm, 'initial');
      await write(orm, Before, { id: 1, headline: 'old', size: 3 });
      // nullable against a default: the live table sees a drop and an add, the all-nullable history would see a rename
      const After = article({ summary: p.string().default('none'), size: p.integer().nullable() });
      orm = await withShape(After, connection, folder);
      const sql = await migrate(orm, 'replace');
      expect(sql.join('\n')).not.toMatch(/rename column/);
      expect(sql.join('\n')).toMatch(/add (column )?summary/);
      const em = orm.em.fork();
      expect(await em.execute('select headline, summary from article_version')).toEqual([
        { headline: 'old', summary: null },
      ]);
      await orm.migrator.down();
      expect(await em.execute('select headline from article_version')).toEqual([{ headline: 'old' }]);
      await orm.migrator.up();
      expect(await em.execute('select headline, summary from article_version')).toEqual([
        { headline: 'old', summary: null },
      ]);
      mirrorExcept(orm, ['Article'], 'a migration gave the live row a default, which no flush saw');
    },
  );

  it('renames the right column of several that look alike in the history', async () => {
    const { connection, folder } = await setUp();
    const Before = article({ first: p.string() });
    let orm = await withShape(Before, connection, folder);
    await migrate(orm, 'initial');
    await write(orm, Before, { id: 1, first: 'value' });
    const After = article({ alpha: p.string().nullable(), renamed: p.string(), omega: p.string().nullable() });
    orm = await withShape(After, connection, folder);
    await migrate(orm, 'rename');
    expect(await orm.em.fork().find(versionOf(After), {})).toMatchObject([
      { alpha: null, renamed: 'value', omega: null },
    ]);
  });

  it(
    'a changed type keeps the history and the columns that it kept',
    covers('Schema evolution: changed type'),
    async () => {
      const { connection, folder } = await setUp();
      const Before = article({ size: p.integer(), gone: p.string().nullable() });
      let orm = await withShape(Before, connection, folder);
      await migrate(orm, 'initial');
      await write(orm, Before, { id: 1, size: 5, gone: 'kept' });
      orm = await withShape(article({ size: p.integer() }), connection, folder);
      await migrate(orm, 'drop');
      const After = article({ size: p.text() });
      orm = await withShape(After, connection, folder);
      await migrate(orm, 'retype');
      expect(await orm.em.fork().execute('select size, gone from article_version')).toEqual([
        { size: '5', gone: 'kept' },
      ]);
    },
  );

  it('schema:update follows the same rules', covers('Schema evolution: schema:update'), async () => {
    const connection = await db.options({ shared: true });
    const Before = article({ headline: p.string(), kept: p.integer().nullable() });
    let orm = await withShape(Before, connection);
    await orm.schema.update();
    await write(orm, Before, { id: 1, headline: 'old', kept: 7 });
    orm = await withShape(article({ summary: p.string().nullable() }), connection);
    await orm.schema.update();
    expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    expect(await orm.em.fork().execute('select headline, kept, summary from article_version')).toEqual([
      { headline: 'old', kept: 7, summary: null },
    ]);
    expect(await columns(orm, 'article')).toEqual(['id', 'summary']);
  });

  const plain = (properties: object) => defineEntity({ name: 'Article', properties: { id: id(), ...properties } });

  it(
    'an entity marked later begins its history then; down takes it back',
    covers('Schema evolution: marked later'),
    async () => {
      const { connection, folder } = await setUp();
      const Before = plain({ name: p.string() });
      let orm = await withShape(Before, connection, folder);
      await migrate(orm, 'initial');
      await write(orm, Before as never, { id: 1, name: 'old' });
      const After = article({ name: p.string() });
      orm = await withShape(After, connection, folder);
      expect((await migrate(orm, 'mark')).join('\n')).toMatch(/create table article_version/);
      const em = orm.em.fork();
      const old = (await em.findOneOrFail(After, { id: 1 } as never)) as { name: string };
      old.name = 'new';
      await em.flush();
      const versions = await orm.em.fork().find(versionOf(After), {}, { populate: ['previous'] as never });
      expect(versions).toMatchObject([{ operationType: Operation.UPDATE, name: 'new', previous: null }]);
      await orm.migrator.down();
      await expect(orm.em.fork().execute('select * from article_version')).rejects.toThrow(/article_version/);
      expect(await orm.em.fork().execute('select name from article')).toEqual([{ name: 'new' }]);
      await orm.migrator.up();
      expect(await orm.em.fork().count(versionOf(After))).toBe(0);
      mirrorExcept(orm, ['Article'], 'its row is older than the history that was created again');
    },
  );

  it(
    'an entity unmarked later leaves its history, which goes on when it is marked again',
    covers('Schema evolution: unmarked, and marked again'),
    async () => {
      const { connection, folder } = await setUp();
      const Marked = article({ name: p.string(), size: p.integer().nullable() });
      let orm = await withShape(Marked, connection, folder);
      await migrate(orm, 'initial');
      await write(orm, Marked, { id: 1, name: 'a' });
      const Unmarked = plain({ name: p.string(), motto: p.string().nullable() });
      orm = await withShape(Unmarked, connection, folder);
      expect(await migrate(orm, 'unmark')).toEqual([]);
      const em = orm.em.fork();
      ((await em.findOneOrFail(Unmarked, { id: 1 } as never)) as unknown as { name: string }).name = 'b';
      await em.flush();
      expect(await orm.em.fork().execute('select name from article_version')).toEqual([{ name: 'a' }]);
      await orm.migrator.down();
      await orm.migrator.up();
      expect(await orm.em.fork().execute('select name from article_version')).toEqual([{ name: 'a' }]);
      const Again = article({ name: p.string(), motto: p.string().nullable() });
      orm = await withShape(Again, connection, folder);
      expect((await migrate(orm, 'mark again')).join('\n')).toMatch(/add (column )?motto/);
      const last = orm.em.fork();
      ((await last.findOneOrFail(Again, { id: 1 } as never)) as { name: string }).name = 'c';
      await last.flush();
      const versions = await orm.em.fork().find(versionOf(Again), {}, { orderBy: { versionId: 'asc' } as never });
      expect(versions.map(version => (version as { changeset: object }).changeset)).toEqual([
        { id: [null, 1], name: [null, 'a'] },
        { name: ['a', 'c'] },
      ]);
    },
  );

  it(
    'the history stays when its entity goes, also with schema:update',
    covers('Schema evolution: entity that goes'),
    async () => {
      const connection = await db.options({ shared: true });
      const Before = article({ name: p.string() });
      let orm = await withShape(Before, connection);
      await orm.schema.update();
      await write(orm, Before, { id: 1, name: 'a' });
      const Other = versioned(defineEntity({ name: 'Other', properties: { id: id() } }));
      orm = await withShape(Other, connection);
      await orm.schema.update();
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
      await expect(orm.em.fork().execute('select * from article')).rejects.toThrow(/article/);
      expect(await orm.em.fork().execute('select name from article_version')).toEqual([{ name: 'a' }]);
    },
  );

  it(
    'an enum that loses an item keeps the versions that have it',
    covers('Schema evolution: enum without an item'),
    async () => {
      const { connection, folder } = await setUp();
      const Before = article({ state: p.enum(['draft', 'public', 'old']) });
      let orm = await withShape(Before, connection, folder);
      await migrate(orm, 'initial');
      await write(orm, Before, { id: 1, state: 'old' });
      const em = orm.em.fork();
      ((await em.findOneOrFail(Before, { id: 1 } as never)) as { state: string }).state = 'draft';
      await em.flush();
      const After = article({ state: p.enum(['draft', 'public']) });
      orm = await withShape(After, connection, folder);
      await migrate(orm, 'narrow');
      const versions = await orm.em.fork().find(versionOf(After), {}, { orderBy: { versionId: 'asc' } as never });
      expect(versions.map(version => (version as { state: string }).state)).toEqual(['old', 'draft']);
    },
  );

  it(
    'the tables of a joined hierarchy share what happens to their columns',
    covers('Schema evolution: joined tables'),
    async () => {
      const { connection, folder } = await setUp();
      const shape = (base: object, dog: object, cat: object) => {
        const Animal = versioned(
          defineEntity({ name: 'Article', inheritance: 'tpt', properties: { id: id(), ...base } }),
        );
        const Dog = defineEntity({ name: 'Dog', extends: Animal, properties: dog as {} });
        const Cat = defineEntity({ name: 'Cat', extends: Animal, properties: cat as {} });
        return [Animal, Dog, Cat];
      };
      const before = shape(
        { name: p.string() },
        { size: p.string(), gone: p.integer().nullable() },
        { size: p.integer() },
      );
      let orm = await withShape(before, connection, folder);
      await migrate(orm, 'initial');
      const em = orm.em.fork();
      em.create(before[1] as never, { id: 1, name: 'd', size: 'big', gone: 7 } as never);
      em.create(before[2] as never, { id: 2, name: 'c', size: 3 } as never);
      await em.flush();
      const after = shape(
        { title: p.string() },
        { height: p.string() },
        { size: p.integer(), colour: p.string().nullable() },
      );
      orm = await withShape(after, connection, folder);
      await migrate(orm, 'change');
      const versions = await orm.em.fork().find(versionOf(after[0] as never), {}, { orderBy: { id: 'asc' } as never });
      expect(versions).toMatchObject([
        { title: 'd', height: 'big' },
        { title: 'c', size: 3, colour: null },
      ]);
      expect(await orm.em.fork().execute('select dog_gone as gone from article_version order by id')).toEqual([
        { gone: 7 },
        { gone: null },
      ]);
      await orm.migrator.down();
      await orm.migrator.up();
      expect(await orm.em.fork().count(versionOf(after[0] as never), { height: 'big' } as never)).toBe(1);
    },
  );
});
