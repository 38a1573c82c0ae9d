import { defineEntity, p } from '@mikro-orm/core';
import { ErrorCode, restore, Versioning, versioned, versionOf } from 'mikro-orm-versioning';
import { beforeEach, expect, it } from 'vitest';

import { Article, BLOG, Category, Comment, Tag } from './support/blog.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';

class Animal {
  id!: number;
  name!: string;
  type!: 'dog' | 'cat';
}
class Dog extends Animal {
  bark!: string;
}
class Cat extends Animal {}
const AnimalSchema = versioned(
  defineEntity({
    class: Animal,
    discriminatorColumn: 'type',
    discriminatorMap: { dog: Dog, cat: Cat },
    properties: { id: p.integer().primary(), name: p.string(), type: p.enum(['dog', 'cat'] as const) },
  } as never),
);
const DogSchema = defineEntity({
  class: Dog,
  extends: AnimalSchema,
  discriminatorValue: 'dog',
  properties: { bark: p.string() },
} as never);
const CatSchema = defineEntity({
  class: Cat,
  extends: AnimalSchema,
  discriminatorValue: 'cat',
  properties: {},
} as never);

const Seat = versioned(
  defineEntity({
    name: 'Seat',
    properties: { row: p.integer().primary(), place: p.string().primary(), guest: p.string().nullable() },
  }),
);

describeEachDatabase('restore', db => {
  let orm: Orm;

  beforeEach(async () => {
    orm = await createOrm(db, {
      entities: [...BLOG, AnimalSchema, DogSchema, CatSchema, Seat] as never,
      extensions: [Versioning],
    });
    const em = orm.em.fork();
    em.create(Category, { id: 1, name: 'c' });
    em.create(Article, { id: 1, name: 'a', category: 1, tags: [em.create(Tag, { id: 1, name: 't' })] });
    await em.flush();
    em.create(Comment, { id: 1, text: 'first', article: 1 });
    em.create(Comment, { id: 2, text: 'answer', article: 1, answers: 1 });
    await em.flush();
  });

  async function remove(...rows: [unknown, unknown][]): Promise<void> {
    const em = orm.em.fork();
    for (const [entity, key] of rows) {
      em.remove(await em.findOneOrFail(entity as typeof Article, key as number));
    }
    await em.flush();
  }

  it('recreates a row as it was, in one new transaction', async () => {
    await remove([Article, 1]);
    const em = orm.em.fork();
    const article = await restore(em, Article, 1);
    expect(article).toBeInstanceOf(Article);
    expect(await orm.em.fork().count(Article)).toBe(0);
    await em.flush();
    const fresh = await orm.em
      .fork()
      .findOneOrFail(Article, 1, { populate: ['tags', 'category', 'comments', 'versions'] });
    expect(fresh).toMatchObject({ name: 'a', category: { id: 1 } });
    expect([fresh.tags.length, fresh.comments.length]).toEqual([0, 0]);
    expect(fresh.versions.map(version => version.operationType)).toEqual([0, 2, 0]);
  });

  it('brings back links and what a cascade took, where asked', async () => {
    await remove([Article, 1]);
    expect(await orm.em.fork().count(Comment)).toBe(0);
    const em = orm.em.fork();
    await restore(em, Article, 1, { relations: ['tags', 'comments.answers'] });
    await em.flush();
    const fresh = await orm.em.fork().findOneOrFail(Article, 1, {
      populate: ['tags', 'comments'],
      orderBy: { comments: { id: 'asc' } },
    });
    expect(fresh.tags.getIdentifiers()).toEqual([1]);
    expect(fresh.comments.map(({ id, text, answers }) => [id, text, answers?.id])).toEqual([
      [1, 'first', undefined],
      [2, 'answer', 1],
    ]);
    expect(await em.count(versionOf(Comment), { id: 2 })).toBe(3);
  });

  it('restores a parent that is gone too where asked, and refuses to point to nothing otherwise', async () => {
    await remove([Article, 1], [Category, 1]);
    const em = orm.em.fork();
    await expect(restore(em, Article, 1)).rejects.toThrow(
      expect.objectContaining({
        code: ErrorCode.TARGET_GONE,
        message: expect.stringContaining("['category']") as string,
      }),
    );
    await restore(em, Article, 1, { relations: ['category'] });
    await em.flush();
    expect(await orm.em.fork().findOneOrFail(Article, 1, { populate: ['category'] })).toMatchObject({
      category: { name: 'c' },
    });
  });

  it('recreates a row once that several rows need, in one flush', async () => {
    const em = orm.em.fork();
    em.create(Article, { id: 2, name: 'b', category: 1 });
    await em.flush();
    await remove([Article, 1], [Article, 2], [Category, 1]);
    const fork = orm.em.fork();
    const first = await restore(fork, Article, 1, { relations: ['category'] });
    const second = await restore(fork, Article, 2, { relations: ['category'] });
    expect(second.category).toBe(first.category);
    expect(await restore(fork, Article, 1)).toBe(first);
    await fork.flush();
    expect(await orm.em.fork().count(Article, { category: { name: 'c' } })).toBe(2);
  });

  it('takes composite keys in any form, and the class of a hierarchy or one above', async () => {
    const em = orm.em.fork();
    em.create(Seat, { row: 1, place: 'a', guest: 'Ann' });
    em.create(Dog, { id: 1, name: 'Rex', bark: 'wuff' } as never);
    await em.flush();
    for (const key of [[1, 'a'], { row: 1, place: 'a' }]) {
      await remove([Seat, { row: 1, place: 'a' }]);
      const fork = orm.em.fork();
      await restore(fork, Seat, key as never);
      await fork.flush();
      expect(await orm.em.fork().findOneOrFail(Seat, { row: 1 })).toMatchObject({ place: 'a', guest: 'Ann' });
    }
    for (const entity of [Animal, Dog]) {
      await remove([Animal, 1]);
      const fork = orm.em.fork();
      expect(await restore<Animal>(fork, entity, 1)).toBeInstanceOf(Dog);
      await fork.flush();
      expect(await orm.em.fork().findOneOrFail(Animal, 1)).toMatchObject({ type: 'dog', bark: 'wuff' });
    }
  });

  it('refuses rows that are not deleted or were never recorded, and what is not versioned', async () => {
    const em = orm.em.fork();
    await expect(restore(em, Article, 1)).rejects.toThrow(
      /^Article#1 can't be restored: its last version is not a DELETE/,
    );
    await expect(restore(em, Article, 9)).rejects.toThrow(/^Article#9 can't be restored: no version of it was ever/);
    await expect(restore(em, Tag, 1)).rejects.toThrow(/^Tag is not versioned/);
    await remove([Article, 1]);
    await expect(restore(em, Article, 1, { relations: ['tag' as never] })).rejects.toThrow(/Did you mean 'tags'/);
    await expect(restore(em, Article, 1, { relation: ['tags'] } as never)).rejects.toThrow(/restore\(\).*relation/);
    const plain = await createOrm(db, { entities: BLOG });
    await expect(restore(plain.em.fork(), Article, 1)).rejects.toThrow(/^restore\(\) was given a manager/);
  });
});
