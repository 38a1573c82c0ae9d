import { defineEntity, p } from '@mikro-orm/core';
import {
  changeset,
  countVersions,
  ErrorCode,
  loadHistory,
  Operation,
  revert,
  Versioning,
  versioned,
  versionOf,
  VersionTransaction,
} from 'mikro-orm-versioning';
import { beforeEach, describe, expect, it } from 'vitest';

import { Article, BLOG, Category, Tag } from './support/blog.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';

describeEachDatabase('reading versions', db => {
  let orm: Orm;

  /** Article 1: inserted as `New article`, renamed, moved, deleted, inserted again; article 2 only inserted. */
  beforeEach(async () => {
    orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
    const em = orm.em.fork();
    const category = em.create(Category, { id: 1, name: 'Some category' });
    const article = em.create(Article, { id: 1, name: 'New article', category });
    em.create(Article, { id: 2, name: 'Other' });
    await em.flush();
    article.name = 'Updated article';
    category.name = 'Some other category';
    await em.flush();
    article.category = em.create(Category, { id: 2, name: 'Second' });
    article.tags.add(em.create(Tag, { id: 7, name: 't' }));
    await em.flush();
    em.remove(article);
    await em.flush();
    em.create(Article, { id: 1, name: 'Back' });
    await em.flush();
  });

  it('reads as the README says', async () => {
    const em = orm.em.fork();
    const article = await em.findOneOrFail(Article, 1, { populate: ['versions.category'] });
    expect(article.versions[0]!.category!.name).toBe('Some category');
    expect(article.versions[1]!.category!.name).toBe('Some other category');
    expect(article.versions[0]!.operationType).toBe(Operation.INSERT);
    expect(article.versions[1]!.changeset).toEqual({ name: ['New article', 'Updated article'] });
  });

  it('versions come in transaction order, DELETE versions included', async () => {
    const article = await orm.em.fork().findOneOrFail(Article, 1, { populate: ['versions'] });
    expect(
      article.versions.map(({ operationType, name, index, number, isCurrent, isDeleted }) => ({
        operationType,
        name,
        index,
        number,
        isCurrent,
        isDeleted,
      })),
    ).toEqual([
      { operationType: 0, name: 'New article', index: 0, number: 1, isCurrent: false, isDeleted: false },
      { operationType: 1, name: 'Updated article', index: 1, number: 2, isCurrent: false, isDeleted: false },
      { operationType: 1, name: 'Updated article', index: 2, number: 3, isCurrent: false, isDeleted: false },
      { operationType: 2, name: 'Updated article', index: 3, number: 4, isCurrent: false, isDeleted: true },
      { operationType: 0, name: 'Back', index: 4, number: 5, isCurrent: true, isDeleted: false },
    ]);
  });

  it('changesets list every non-null property of a first version, of a deletion, and of a re-insert', async () => {
    const article = await orm.em.fork().findOneOrFail(Article, 1, { populate: ['versions'] });
    expect(article.versions.map(version => version.changeset)).toEqual([
      { id: [null, 1], name: [null, 'New article'], category: [null, 1] },
      { name: ['New article', 'Updated article'] },
      { category: [1, 2] },
      { id: [1, null], name: ['Updated article', null], category: [2, null] },
      { id: [null, 1], name: [null, 'Back'] },
    ]);
    expect(await article.versions[2]!.changesetWithLinks()).toEqual({ category: [1, 2], tags: [[], [7]] });
    expect(await article.versions[3]!.changesetWithLinks()).toMatchObject({ tags: [[7], []] });
    expect(await article.versions[4]!.changesetWithLinks()).toEqual({ id: [null, 1], name: [null, 'Back'] });
  });

  it('previous and next lead along the history', async () => {
    const article = await orm.em.fork().findOneOrFail(Article, 1, { populate: ['versions'] });
    const [first, second, , fourth, last] = article.versions.getItems();
    expect(first!.previous).toBeNull();
    expect(first!.next === second).toBe(true);
    expect(second!.previous === first).toBe(true);
    expect(last!.next).toBeNull();
    expect(last!.previous === fourth).toBe(true);
  });

  it('times are those of the transactions', async () => {
    const [first, , , , last] = await orm.em
      .fork()
      .find(
        versionOf(Article),
        { id: 1 },
        { populate: ['transaction', 'endTransaction'], orderBy: { versionId: 'asc' } },
      );
    expect(first!.validFrom).toEqual(first!.transaction.issuedAt);
    expect(first!.validUntil).toEqual(first!.endTransaction!.issuedAt);
    expect(last!.validUntil).toBeNull();
    expect(last!.endTransaction).toBeNull();
  });

  it('entity is the live row, or null where it is gone', async () => {
    const em = orm.em.fork();
    em.remove(await em.findOneOrFail(Article, 2));
    await em.flush();
    const versions = await orm.em
      .fork()
      .find(versionOf(Article), {}, { orderBy: { versionId: 'asc' }, populate: ['entity'] });
    expect(versions.filter(version => version.id === 1).every(version => version.entity!.name === 'Back')).toBe(true);
    expect(versions.filter(version => version.id === 2).map(version => version.entity)).toEqual([null, null]);
  });

  it('never gives a wrong answer at the edge of a page', async () => {
    const em = orm.em.fork();
    const [second, third] = await em.find(
      versionOf(Article),
      { id: 1 },
      { orderBy: { versionId: 'asc' }, offset: 1, limit: 2 },
    );
    expect(third!.previous === second).toBe(true);
    expect(third!.changeset).toEqual({ category: [1, 2] });
    expect(() => second!.changeset).toThrow(expect.objectContaining({ code: ErrorCode.NOT_LOADED }));
    expect(() => second!.changeset).toThrow(
      /^ArticleVersion#\d is not loaded\. Load it first: await loadHistory\(version\)/,
    );
    expect(() => third!.index).toThrow(/Load it first: await loadHistory\(version\)/);
    await loadHistory([second!, third!]);
    expect(second!.changeset).toEqual({ name: ['New article', 'Updated article'] });
    expect(third!.index).toBe(2);
  });

  it('a version loaded in part does not pass off what is missing as a change', async () => {
    const em = orm.em.fork();
    const versions = await em.find(
      versionOf(Article),
      { id: 1 },
      { fields: ['name', 'operationType', 'previous'] as never, orderBy: { versionId: 'asc' } },
    );
    expect(() => (versions[1] as unknown as { changeset: unknown }).changeset).toThrow(
      expect.objectContaining({ code: ErrorCode.NOT_LOADED }),
    );
  });

  it('populate loads the neighbours, and conditions go over them', async () => {
    const em = orm.em.fork();
    const [renamed] = await em.find(
      versionOf(Article),
      { name: 'Updated article', previous: { name: 'New article' } },
      { populate: ['previous', 'next'] },
    );
    expect(renamed!.changeset).toEqual({ name: ['New article', 'Updated article'] });
    expect(renamed!.next!.operationType).toBe(Operation.UPDATE);
  });

  it('versions are ordinary entities for finds, pages, counts, streams and the QueryBuilder', async () => {
    const em = orm.em.fork();
    expect(await em.count(versionOf(Article), { operationType: Operation.INSERT })).toBe(3);
    const [page, total] = await em.findAndCount(
      versionOf(Article),
      { id: 1 },
      { limit: 2, orderBy: { transaction: 'desc' } },
    );
    expect([page.map(version => version.name), total]).toEqual([['Back', 'Updated article'], 5]);
    expect(await em.count(versionOf(Article), { endTransaction: null })).toBe(2);
    expect(await em.count(versionOf(Article), { validFrom: { $lte: new Date() }, validUntil: null })).toBe(2);
    const streamed: string[] = [];
    for await (const version of em.stream(versionOf(Article), { where: { id: 1 }, orderBy: { versionId: 'asc' } })) {
      streamed.push(version.name!);
    }
    expect(streamed).toHaveLength(5);
  });

  it('countVersions counts the versions of a row', async () => {
    const em = orm.em.fork();
    expect(await countVersions(await em.findOneOrFail(Article, 1))).toBe(5);
    expect(await countVersions(await em.findOneOrFail(Article, 2))).toBe(1);
  });

  it('a flush makes loaded versions of what it changed load again', async () => {
    const em = orm.em.fork();
    const article = await em.findOneOrFail(Article, 2, { populate: ['versions'] });
    const [stale] = article.versions.getItems();
    article.name = 'Changed';
    await em.flush();
    expect(article.versions.isInitialized()).toBe(false);
    expect(() => stale!.isCurrent).toThrow(expect.objectContaining({ code: ErrorCode.NOT_LOADED }));
    await em.populate(article, ['versions']);
    expect(article.versions.map(version => version.name)).toEqual(['Other', 'Changed']);
    expect(article.versions[0] === stale).toBe(true);
    expect(article.versions[0]!.isCurrent).toBe(false);
    expect(article.versions[0]!.next === article.versions[1]).toBe(true);
  });

  it('a transaction leaves the manager around it able to flush and to load the versions anew', async () => {
    const em = orm.em.fork();
    const article = await em.findOneOrFail(Article, 2, { populate: ['versions'] });
    await em.transactional(async inner => {
      (await inner.findOneOrFail(Article, 2)).name = 'inner';
    });
    await em.populate(article, ['versions'], { refresh: true });
    expect(article.versions.map(version => [version.name, version.isCurrent])).toEqual([
      ['Other', false],
      ['inner', true],
    ]);
    article.name = 'outer';
    await em.flush();
    expect(await countVersions(article)).toBe(3);
  });

  it('versions are asked for in the transaction that is open', async () => {
    const em = orm.em.fork();
    const article = await em.findOneOrFail(Article, 2, { populate: ['versions'] });
    const [version] = article.versions.getItems();
    await em.transactional(async inner => {
      await loadHistory(version!);
      expect(await version!.changesetWithLinks()).toMatchObject({ name: [null, 'Other'] });
      expect(await countVersions(article)).toBe(1);
      (await inner.findOneOrFail(Article, 2)).name = 'x';
      await inner.flush();
      await revert(version!);
    });
    expect((await orm.em.fork().findOneOrFail(Article, 2)).name).toBe('Other');
  });

  it('a new entity has no stale empty list of versions after its flush', async () => {
    const em = orm.em.fork();
    const article = em.create(Article, { id: 9, name: 'n' });
    await em.flush();
    expect((await article.versions.loadItems()).map(version => version.name)).toEqual(['n']);
  });

  describe('the read-only guard', () => {
    it.each([
      [
        'changed',
        async () => {
          const em = orm.em.fork();
          const version = await em.findOneOrFail(versionOf(Article), { id: 2 });
          (version as { name: string }).name = 'forged';
          return em;
        },
      ],
      [
        'removed',
        async () => {
          const em = orm.em.fork();
          em.remove(await em.findOneOrFail(versionOf(Article), { id: 2 }));
          return em;
        },
      ],
      [
        'created',
        async () => {
          const em = orm.em.fork();
          em.create(versionOf(Article), { id: 3, operationType: 0 } as never);
          return em;
        },
      ],
    ])('refuses a flush in which a version is %s, and writes nothing', async (action, act) => {
      const em = await act();
      em.create(Article, { id: 30, name: 'innocent' });
      const error = await em.flush().catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: ErrorCode.READ_ONLY });
      expect((error as Error).message).toMatch(new RegExp(`^ArticleVersion is read-only: it was ${action}, `));
      expect(await orm.em.fork().count(Article, { id: 30 })).toBe(0);
      expect(await orm.em.fork().count(versionOf(Article), { id: 2, name: 'Other' })).toBe(1);
    });

    it('refuses changed transaction rows', async () => {
      const em = orm.em.fork();
      const [transaction] = await em.find(VersionTransaction, {}, { limit: 1 });
      (transaction as { actor: string }).actor = 'forged';
      await expect(em.flush()).rejects.toMatchObject({ code: ErrorCode.READ_ONLY });
    });

    it('lets a flush pass that only read history', async () => {
      const em = orm.em.fork();
      const article = await em.findOneOrFail(Article, 1, {
        populate: ['versions.transaction', 'versions.category', 'versions.tags', 'versions.entity'],
      });
      article.name = 'fine';
      await em.flush();
      em.remove(article);
      await em.flush();
      expect(await orm.em.fork().count(versionOf(Article), { id: 1 })).toBe(7);
    });
  });
});

describeEachDatabase('what is in memory', db => {
  it('changeset goes by properties, also where a column has the name of another one', async () => {
    const Swapped = versioned(
      defineEntity({
        name: 'Swapped',
        properties: {
          id: p.integer().primary(),
          type: p.string().fieldName('kind'),
          kind: p.string().fieldName('kind_name'),
        },
      }),
    );
    const orm = await createOrm(db, { entities: [Swapped], extensions: [Versioning] });
    const em = orm.em.fork();
    const row = em.create(Swapped, { id: 1, type: 'T', kind: 'K' });
    await em.flush();
    row.type = 'T2';
    expect(changeset(row)).toEqual({ type: ['T', 'T2'] });
  });

  it('versions that can not change any more stay loaded after a flush', async () => {
    const orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
    const em = orm.em.fork();
    const article = em.create(Article, { id: 1, name: 'a' });
    await em.flush();
    article.name = 'b';
    await em.flush();
    await em.populate(article, ['versions']);
    const [first, second] = article.versions.getItems();
    article.name = 'c';
    await em.flush();
    expect(JSON.parse(JSON.stringify(first))).toMatchObject({ name: 'a' });
    expect(first!.isCurrent).toBe(false);
    expect(() => second!.isCurrent).toThrow(/loadHistory/);
    await loadHistory(second!);
    expect([second!.isCurrent, second!.index]).toEqual([false, 1]);
  });
});
