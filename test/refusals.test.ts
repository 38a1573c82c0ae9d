import { defineEntity, p } from '@mikro-orm/core';
import {
  changeset,
  ErrorCode,
  loadHistory,
  revert,
  Versioning,
  versioned,
  versioning,
  versionOf,
} from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { expectRefusal, refuses } from './support/compatibility/covers.ts';
import { Article, BLOG, Category, Tag } from './support/blog.ts';
import { createOrm, describeDatabase, describeEachDatabase } from './support/databases.ts';
import { transactionsOf } from './support/history.ts';

/** What is asked for wrongly. */
describeEachDatabase('refusals', db => {
  const start = () => createOrm(db, { entities: BLOG, extensions: [Versioning] });

  it('changeset knows no old value of what was never loaded, and a removed entity shows what was committed', async () => {
    const orm = await start();
    const em = orm.em.fork();
    em.create(Article, { id: 1, name: 'a' });
    await em.flush();
    const partial = await orm.em.fork().findOneOrFail(Article, 1, { fields: ['id'] });
    (partial as unknown as { name: string }).name = 'zzz';
    expect(() => changeset(partial)).toThrow(expect.objectContaining({ code: ErrorCode.NOT_LOADED }));
    const inner = orm.em.fork();
    const article = await inner.findOneOrFail(Article, 1);
    article.name = 'modified';
    inner.remove(article);
    expect(changeset(article)).toMatchObject({ name: ['a', null] });
  });

  it('revert refuses a version that was loaded in part, an unknown option, and what is no version', async () => {
    const orm = await start();
    const em = orm.em.fork();
    em.create(Article, { id: 1, name: 'a' });
    await em.flush();
    const [part] = await orm.em.fork().find(versionOf(Article), {}, { fields: ['id', 'operationType'] });
    await expect(revert(part as never)).rejects.toMatchObject({ code: ErrorCode.NOT_LOADED });
    const [whole] = await orm.em.fork().find(versionOf(Article), {});
    await expect(revert(whole!, { relation: ['tags'] } as never)).rejects.toMatchObject({
      code: ErrorCode.UNKNOWN_OPTION,
      message: expect.stringContaining("Did you mean 'relations'?") as string,
    });
    await expect(revert(null as never)).rejects.toMatchObject({ code: ErrorCode.NO_SUCH_VERSION });
    await expect(loadHistory([{}] as never)).rejects.toMatchObject({ code: ErrorCode.NO_SUCH_VERSION });
    expect(() => changeset(null as never)).toThrow(expect.objectContaining({ code: ErrorCode.NOT_VERSIONED }));
    expect(() => versionOf(Tag)).toThrow(expect.objectContaining({ code: ErrorCode.NOT_VERSIONED }));
  });

  it('a context is checked where it is given', async () => {
    const orm = await start();
    const write = (id: number) => {
      const em = orm.em.fork();
      em.create(Article, { id, name: 'a' });
      return em.flush();
    };
    await versioning.run({ actor: 42 }, () => write(1));
    expect(await transactionsOf(orm)).toEqual(['42: null (Article)']);
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    for (const context of [{ actr: 'x' }, { actor: {} }, { meta: circular }]) {
      expect(() => versioning.run(context as never, () => write(2))).toThrow(
        expect.objectContaining({ code: ErrorCode.INVALID_CONTEXT }),
      );
    }
  });

  it('a polymorphic relation in a primary key is refused at start', async () => {
    const keyed = versioned(
      defineEntity({
        name: 'Keyed',
        properties: { on: () => p.manyToOne(BLOG.slice(0, 2) as never).primary(), stars: p.integer() },
      }),
    );
    await expect(
      createOrm(db, { entities: [keyed, ...BLOG] as never, extensions: [Versioning] }),
    ).rejects.toMatchObject({
      code: ErrorCode.UNSUPPORTED,
      message:
        'Keyed.on is a polymorphic relation in a primary key, by which MikroORM finds nothing. Give the entity a key of its own.',
    });
  });

  it('names that would hide each other are refused at start', async () => {
    const one = (properties: object) =>
      defineEntity({ name: 'One', properties: { id: p.integer().primary(), ...properties } }) as never;
    const cases = [
      [versioned(one({ name: p.string(), other: p.string() }), { rename: { name: 'other' } } as never), {}],
      [versioned(one({ endTransactionId: p.integer() })), {}],
      [versioned(one({ parent: () => p.manyToOne(BLOG[0] as never), parent__key: p.string() })), {}],
    ] as const;
    for (const [entity] of cases) {
      await expect(
        createOrm(db, { entities: [entity, ...BLOG] as never, extensions: [Versioning] }),
      ).rejects.toMatchObject({ code: ErrorCode.NAME_COLLISION });
    }
    expect(() => Versioning.with({ columns: { transactionId: 'x', endTransactionId: 'x' } })).toThrow(
      expect.objectContaining({ code: ErrorCode.NAME_COLLISION }),
    );
    await expect(createOrm(db, { entities: BLOG, extensions: [Versioning, Versioning] })).rejects.toMatchObject({
      code: ErrorCode.UNSUPPORTED,
    });
  });
});

// SQLite has neither a limit of names nor schemas.
describeDatabase('postgresql', 'refusals', db => {
  const start = () => createOrm(db, { entities: BLOG, extensions: [Versioning] });

  it(
    'a table name that the database would cut off is refused at start',
    refuses('Schemas and names: a name that the database would cut off'),
    async ({ task }) => {
      const Long = versioned(
        defineEntity({ name: 'Long', tableName: 'x'.repeat(60), properties: { id: p.integer().primary() } }),
      );
      await expectRefusal(
        task,
        createOrm(db, { entities: [Long], extensions: [Versioning] }),
        ErrorCode.UNSUPPORTED,
        `Long would have the version table ${'x'.repeat(60)}_version, a name of 68 characters where the database has 63. Give it a shorter one: @Versioned({ tableName: '…' }).`,
      );
    },
  );

  it(
    'a manager with a schema of its own is refused before anything is written',
    refuses('Schemas and names: schema of the manager, for an entity with none'),
    async ({ task }) => {
      const orm = await start();
      await orm.em
        .fork()
        .execute('create schema tenant; create table tenant.category (id serial primary key, name text)');
      const em = orm.em.fork({ schema: 'tenant' });
      em.create(Category, { id: 5, name: 'c' });
      await expectRefusal(
        task,
        em.flush(),
        ErrorCode.UNSUPPORTED,
        "Category would be written to the schema tenant of its EntityManager, where its history is not kept; nothing was written. Give the entity the wildcard schema, @Entity({ schema: '*' }), or use the schema of the configuration.",
      );
      expect(await orm.em.fork().execute('select * from tenant.category')).toEqual([]);
    },
  );
});
