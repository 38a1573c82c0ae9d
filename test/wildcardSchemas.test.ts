import type { Collection } from '@mikro-orm/core';
import { Entity, ManyToMany, ManyToOne, OneToMany, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import {
  between,
  countVersions,
  diff,
  history,
  loadHistory,
  revert,
  undo,
  Versioned,
  Versioning,
  versionOf,
  VersionTransaction,
  type Versions,
} from 'mikro-orm-versioning';
import { beforeEach, expect, it } from 'vitest';

import { covers } from './support/compatibility/covers.ts';
import { createOrm, describeDatabase, type Orm } from './support/databases.ts';
import { mirrorSchemas } from './support/mirroredTables.ts';

/** Of all tenants. */
@Entity({ schema: 'public' })
@Versioned()
class Plan {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  declare readonly versions: Versions<Plan>;
}

@Entity({ schema: '*' })
@Versioned()
class Tag {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  declare readonly versions: Versions<Tag>;
}

@Entity({ schema: '*' })
@Versioned()
class Article {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @ManyToOne(() => Plan, { nullable: true })
  plan?: Plan | null;

  @ManyToMany(() => Tag)
  tags!: Collection<Tag>;

  @ManyToMany({ entity: () => Plan, pivotTable: 'article_offers' })
  offers!: Collection<Plan>;

  @OneToMany(() => Comment, comment => comment.article)
  comments!: Collection<Comment>;

  declare readonly versions: Versions<Article>;
}

@Entity({ schema: '*' })
@Versioned()
class Comment {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  text!: string;

  @ManyToOne(() => Article, { deleteRule: 'cascade' })
  article!: Article;

  declare readonly versions: Versions<Comment>;
}

describeDatabase('postgresql', 'an entity in the schema of its manager', db => {
  let orm: Orm;

  beforeEach(async () => {
    orm = await createOrm(db, { entities: [Plan, Tag, Article, Comment], extensions: [Versioning] });
    mirrorSchemas(orm, ['one', 'two']);
    for (const schema of ['one', 'two']) {
      await orm.schema.create({ schema });
    }
    const plan = orm.em.fork();
    plan.create(Plan, { id: 1, name: 'free' } as never);
    await plan.flush();
    for (const schema of ['one', 'two']) {
      const em = orm.em.fork({ schema });
      const tag = em.create(Tag, { id: 1, name: `t ${schema}` } as never);
      const article = em.create(Article, { id: 1, name: `a ${schema}`, tags: [tag], plan: 1, offers: [1] } as never);
      em.create(Comment, { id: 1, text: `c ${schema}`, article } as never);
      await em.flush();
    }
  });

  const read = async (schema: string, strategy: 'select-in' | 'joined' | 'balanced' = 'select-in') => {
    const versions = await orm.em
      .fork({ schema })
      .find(
        versionOf(Article),
        {},
        { populate: ['tags', 'comments', 'plan', 'transaction', 'entity'], orderBy: { versionId: 'asc' }, strategy },
      );
    return versions.map(each => [
      each.name,
      each.tags.map(tag => tag.name),
      each.comments.map(comment => comment.text),
      each.plan?.name,
      each.entity?.name,
    ]);
  };

  it('needs no diff in any schema', async () => {
    expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    expect(await orm.schema.getUpdateSchemaSQL({ schema: 'one' })).toBe('');
  });

  it.each(['select-in', 'joined', 'balanced'] as const)(
    'has its history there, apart from others, %s',
    covers('Schemas and names: wildcard schema', 'Schemas and names: schema of the manager'),
    async strategy => {
      const em = orm.em.fork({ schema: 'one' });
      const article = await em.findOneOrFail(Article, 1, { populate: ['tags'] });
      article.name = 'A one';
      article.tags.removeAll();
      await em.flush();
      expect(await read('one', strategy)).toEqual([
        ['a one', ['t one'], ['c one'], 'free', 'A one'],
        ['A one', [], ['c one'], 'free', 'A one'],
      ]);
      expect(await read('two', strategy)).toEqual([['a two', ['t two'], ['c two'], 'free', 'a two']]);
      expect(await orm.em.fork({ schema: 'one' }).count(versionOf(Article), { tags: { name: 't one' } })).toBe(1);
      expect(await orm.em.fork({ schema: 'two' }).count(versionOf(Article), { tags: { name: 't one' } })).toBe(0);
      const one = orm.em.fork({ schema: 'one' });
      expect(await one.count(versionOf(Article), { entity: { name: 'A one' }, previous: null })).toBe(1);
      expect(await orm.em.fork().count(VersionTransaction)).toBe(4);
    },
  );

  it('shares the transaction with what is elsewhere', async () => {
    const em = orm.em.fork();
    const plan = await em.findOneOrFail(Plan, 1);
    const one = await em.findOneOrFail(Article, 1, { schema: 'one' });
    const two = await em.findOneOrFail(Article, 1, { schema: 'two' });
    plan.name = 'paid';
    one.name = 'A one';
    two.name = 'A two';
    await em.flush();
    const [last] = await orm.em.fork().find(VersionTransaction, {}, { orderBy: { id: 'desc' }, limit: 1 });
    expect(last!.changed.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['Article', 'Plan']);
    for (const schema of ['one', 'two']) {
      const versions = await orm.em.fork({ schema }).find(versionOf(Article), { transaction: last! });
      expect(versions.map(each => each.name)).toEqual([`A ${schema}`]);
    }
  });

  it('answers for an entity of another schema than its manager', async () => {
    const em = orm.em.fork();
    const article = await em.findOneOrFail(Article, 1, { schema: 'two' });
    article.name = 'A two';
    await em.flush();
    expect(await countVersions(article)).toBe(2);
    await article.versions.init();
    expect(article.versions.map(each => each.changeset)).toMatchObject([
      { name: [null, 'a two'] },
      { name: ['a two', 'A two'] },
    ]);
    const other = orm.em.fork();
    const [last] = await other.find(
      versionOf(Article),
      {},
      { schema: 'two', orderBy: { versionId: 'desc' }, limit: 1 },
    );
    await loadHistory(last!);
    expect(last!.number).toBe(2);
    expect(await last!.changesetWithLinks()).toEqual({ name: ['a two', 'A two'] });
    await revert(article, 1, { relations: ['tags', 'comments'] });
    await em.flush();
    expect((await read('two')).map(([name]) => name)).toEqual(['a two', 'A two', 'a two']);
    expect(await read('one')).toHaveLength(1);
  });

  it('sees deletions, cascades and unloaded collections there', async () => {
    const em = orm.em.fork({ schema: 'two' });
    const article = await em.findOneOrFail(Article, 1);
    article.tags.removeAll();
    await em.flush();
    em.remove(article);
    await em.flush();
    const operations = async (schema: string) =>
      (await orm.em.fork({ schema }).find(versionOf(Comment), {}, { orderBy: { versionId: 'asc' } })).map(
        each => each.operationType,
      );
    expect(await operations('two')).toEqual([0, 2]);
    expect(await operations('one')).toEqual([0]);
    const em2 = orm.em.fork({ schema: 'two' });
    const [first] = await em2.find(versionOf(Article), {}, { orderBy: { versionId: 'asc' } });
    await revert(first!, { relations: ['tags', 'comments'] });
    await em2.flush();
    const back = await orm.em.fork({ schema: 'two' }).findOneOrFail(Article, 1, { populate: ['tags', 'comments'] });
    expect([back.tags.length, back.comments.length]).toEqual([1, 1]);
    expect(await orm.em.fork({ schema: 'one' }).count(Comment)).toBe(1);
  });

  it('sees what the removal of a row of one schema changes in every other', async () => {
    const em = orm.em.fork();
    em.remove(await em.findOneOrFail(Plan, 1));
    await em.flush();
    for (const schema of ['one', 'two']) {
      const found = await orm.em
        .fork({ schema })
        .find(versionOf(Article), {}, { populate: ['plan', 'offers'], orderBy: { versionId: 'asc' } });
      expect(found.map(each => [each.plan?.name, each.offers.map(({ name }) => name)])).toEqual([
        ['free', ['free']],
        [undefined, []],
      ]);
    }
    const [last] = await orm.em.fork().find(VersionTransaction, {}, { orderBy: { id: 'desc' }, limit: 1 });
    expect(last!.changed.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['Article', 'Article.offers', 'Plan']);
  });

  it('tells what changed, what met a condition and what differs in the schema of its manager, and undoes it there', async () => {
    const idsOf = async () =>
      (await orm.em.fork().find(VersionTransaction, {}, { orderBy: { id: 'asc' } })).map(({ id }) => id);
    const start = (await idsOf()).at(-1)!;
    for (const schema of ['one', 'two']) {
      const em = orm.em.fork({ schema });
      const article = await em.findOneOrFail(Article, 1, { populate: ['tags'] });
      article.name = `b ${schema}`;
      article.tags.removeAll();
      await em.flush();
    }
    for (const schema of ['one', 'two']) {
      const em = () => orm.em.fork({ schema });
      const changed = { name: [`a ${schema}`, `b ${schema}`], tags: [[1], []] };
      const changes = await between(em(), start, 'latest', { entities: [Article] });
      expect(changes.map(({ changeset }) => changeset)).toEqual([changed]);
      expect(await diff(await em().findOneOrFail(Article, 1), start, 'latest')).toEqual(changed);
      const names = async (where: object, fork = em(), options = {}) =>
        (await history(fork, Article, where as never, options)).map(each => each.name);
      expect(await names({})).toEqual([`a ${schema}`, `b ${schema}`]);
      expect(await names({ tags: { name: `t ${schema}` } })).toEqual([`a ${schema}`]);
      expect(await names({ plan: { name: 'free' } }, orm.em.fork(), { schema })).toEqual([
        `a ${schema}`,
        `b ${schema}`,
      ]);
    }
    const em = orm.em.fork({ schema: 'two' });
    await undo(em, (await idsOf()).at(-1)!);
    await em.flush();
    const names = ['one', 'two'].map(async schema => {
      const { name, tags } = await orm.em.fork({ schema }).findOneOrFail(Article, 1, { populate: ['tags'] });
      return [name, tags.length];
    });
    expect(await Promise.all(names)).toEqual([
      ['b one', 0],
      ['a two', 1],
    ]);
  });
});
