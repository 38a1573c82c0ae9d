import { defineEntity, p } from '@mikro-orm/core';
import { Operation, Versioning, versioned, versionOf } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { covers } from './support/compatibility/covers.ts';
import { Article, BLOG, Comment } from './support/blog.ts';
import { createOrm, describeEachDatabase } from './support/databases.ts';
import { historyOf } from './support/history.ts';

const Coded = versioned(
  defineEntity({ name: 'Coded', properties: { id: p.integer().primary(), code: p.string().unique() } }),
);

/** What the database's own rules do when keys change and rows go. */
describeEachDatabase('ON DELETE and ON UPDATE rules', db => {
  const start = () => createOrm(db, { entities: BLOG, extensions: [Versioning] });

  it('a key that is changed in memory and then removed is the one that the database deletes', async () => {
    const orm = await start();
    const em = orm.em.fork();
    em.create(Article, { id: 1, name: 'one' });
    em.create(Article, { id: 2, name: 'two' });
    await em.flush();
    const inner = orm.em.fork();
    const article = await inner.findOneOrFail(Article, 1);
    article.id = 2;
    inner.remove(article);
    await inner.flush();
    expect(await historyOf(orm, [Article])).toContain('Article#2 DELETE { name: two, category_id: null } [2, )');
  });

  it(
    'ON UPDATE CASCADE counts through a key that is not the primary one',
    covers('Relations: deleteRule and updateRule'),
    async () => {
      const Child = versioned(
        defineEntity({
          name: 'Child',
          properties: {
            id: p.integer().primary(),
            parent: () => p.manyToOne(Coded).targetKey('code').updateRule('cascade'),
          },
        }),
      );
      const orm = await createOrm(db, { entities: [Coded, Child], extensions: [Versioning] });
      const em = orm.em.fork();
      const parent = em.create(Coded, { id: 1, code: 'one' });
      em.create(Child, { id: 1, parent });
      await em.flush();
      parent.code = 'two';
      await em.flush();
      expect(await em.fork().count(versionOf(Child))).toBe(2);
    },
  );

  it(
    'a row that changes what refers to it and then goes with its parent is followed all the way',
    covers('Relations: deleteRule and updateRule'),
    async () => {
      const Group = versioned(
        defineEntity({ name: 'Group', tableName: 'grp', properties: { id: p.integer().primary() } }),
      );
      const Parent = versioned(
        defineEntity({
          name: 'Parent',
          properties: {
            id: p.integer().primary(),
            code: p.string().unique(),
            group: () => p.manyToOne(Group).deleteRule('cascade'),
          },
        }),
      );
      const Child = versioned(
        defineEntity({
          name: 'Child',
          properties: {
            id: p.integer().primary(),
            parent: () => p.manyToOne(Parent).deleteRule('cascade'),
            byCode: () => p.manyToOne(Parent).targetKey('code').updateRule('cascade').deleteRule('cascade'),
          },
        }),
      );
      const orm = await createOrm(db, { entities: [Group, Parent, Child], extensions: [Versioning] });
      const em = orm.em.fork();
      const group = em.create(Group, { id: 1 });
      const parent = em.create(Parent, { id: 1, code: 'one', group });
      em.create(Child, { id: 1, parent, byCode: parent });
      await em.flush();
      parent.code = 'uno';
      em.remove(group);
      await em.flush();
      expect(await em.fork().count(versionOf(Child), { operationType: Operation.DELETE })).toBe(1);
    },
  );

  it('a row that moves under a parent that the database deletes by itself is followed', async () => {
    const orm = await start();
    const em = orm.em.fork();
    const [a, b] = [1, 2].map(id => em.create(Article, { id, name: 'a' }));
    const under = em.create(Comment, { id: 1, text: 'under', article: b! });
    const moving = em.create(Comment, { id: 2, text: 'moving', article: a! });
    em.create(Comment, { id: 3, text: 'last', article: a!, answers: moving });
    await em.flush();
    const inner = orm.em.fork();
    const comment = await inner.findOneOrFail(Comment, 2);
    comment.answers = inner.getReference(Comment, under.id);
    inner.remove(inner.getReference(Article, 2));
    await inner.flush();
    expect(await inner.fork().count(Comment)).toBe(0);
    expect(await inner.fork().count(versionOf(Comment), { operationType: Operation.DELETE })).toBe(3);
  });

  it('a key that contains a column which ON UPDATE CASCADE changes moves along', async () => {
    const Child = versioned(
      defineEntity({
        name: 'Child',
        properties: {
          parent: () => p.manyToOne(Coded).targetKey('code').updateRule('cascade').primary(),
          n: p.integer().primary(),
        },
      }),
    );
    const orm = await createOrm(db, { entities: [Coded, Child], extensions: [Versioning] });
    const em = orm.em.fork();
    const parent = em.create(Coded, { id: 1, code: 'a' });
    await em.flush();
    await em.execute("insert into child values ('a', 1)");
    parent.code = 'b';
    await em.flush();
    expect(await em.fork().count(versionOf(Child))).toBe(2);
  });
});
