import { defineEntity, p } from '@mikro-orm/core';
import { changeset, ErrorCode, isModified, revert, Versioning, versioned, versionOf } from 'mikro-orm-versioning';
import { beforeEach, describe, expect, it } from 'vitest';

import { Article, BLOG, Category, Comment, Tag } from './support/blog.ts';
import { createOrm, describeEachDatabase, type Orm } from './support/databases.ts';
import { historyOf } from './support/history.ts';

describeEachDatabase('before commit', db => {
  let orm: Orm;

  beforeEach(async () => {
    orm = await createOrm(db, { entities: BLOG, extensions: [Versioning] });
    const em = orm.em.fork();
    em.create(Category, { id: 1, name: 'c' });
    em.create(Article, { id: 1, name: 'a', category: 1, tags: [em.create(Tag, { id: 1, name: 't' })] });
    await em.flush();
  });

  it('a new entity lists every non-null property with old null', () => {
    const em = orm.em.fork();
    const category = em.create(Category, { name: 'new' });
    const article = em.create(Article, { name: 'n', category, tags: [em.getReference(Tag, 1)] });
    expect(changeset(article)).toEqual({ name: [null, 'n'], tags: [[], [1]] });
    expect(changeset(category)).toEqual({ name: [null, 'new'] });
    expect(isModified(article)).toBe(true);
  });

  it('a changed entity lists what changed, falsy values included', async () => {
    const em = orm.em.fork();
    const article = await em.findOneOrFail(Article, 1, { populate: ['tags'] });
    expect(changeset(article)).toEqual({});
    expect(isModified(article)).toBe(false);
    article.name = '';
    article.category = null;
    article.views = 9;
    expect(changeset(article)).toEqual({ name: ['a', ''], category: [1, null] });
    article.category = em.create(Category, { id: 8, name: 'n' });
    expect(changeset(article)).toMatchObject({ category: [1, 8] });
    article.name = 'a';
    article.category = em.getReference(Category, 1);
    expect(changeset(article)).toEqual({});
  });

  it('changed collections list keys before and after, and make no version by themselves', async () => {
    const em = orm.em.fork();
    const article = await em.findOneOrFail(Article, 1, { populate: ['tags'] });
    article.tags.set([em.create(Tag, { id: 2, name: 'u' })]);
    expect(changeset(article)).toEqual({ tags: [[1], [2]] });
    expect(isModified(article)).toBe(false);
    const unloaded = await orm.em.fork().findOneOrFail(Article, 1);
    unloaded.tags.removeAll();
    expect(changeset(unloaded)).toEqual({ tags: [null, []] });
  });

  it('a removed entity lists every non-null property with new null, and no collections', async () => {
    const em = orm.em.fork();
    const article = await em.findOneOrFail(Article, 1, { populate: ['tags'] });
    em.remove(article);
    expect(changeset(article)).toEqual({ id: [1, null], name: ['a', null], category: [1, null] });
    expect(isModified(article)).toBe(true);
  });

  it('only a change of excluded properties is no modification', async () => {
    const article = await orm.em.fork().findOneOrFail(Article, 1);
    article.views = 1;
    expect(isModified(article)).toBe(false);
  });

  it('what is not versioned is refused by name', () => {
    const tag = orm.em.fork().getReference(Tag, 1);
    expect(() => changeset(tag)).toThrow(
      expect.objectContaining({
        code: ErrorCode.NOT_VERSIONED,
        message: expect.stringMatching(/^Tag is not versioned\./) as string,
      }),
    );
  });
});

const Author = versioned(
  defineEntity({
    name: 'Author',
    properties: {
      id: p.integer().primary(),
      name: p.string(),
      favourite: () => p.manyToOne(Book).nullable(),
      books: () => p.oneToMany(Book).mappedBy('author'),
      notes: () => p.oneToMany(Note).mappedBy('author').orphanRemoval(),
    },
  }),
);
const Book = versioned(
  defineEntity({
    name: 'Book',
    properties: { id: p.integer().primary(), title: p.string(), author: () => p.manyToOne(Author).nullable() },
  }),
);
const Note = versioned(
  defineEntity({
    name: 'Note',
    properties: { id: p.integer().primary(), text: p.string(), author: () => p.manyToOne(Author) },
  }),
);

describeEachDatabase('revert', db => {
  let orm: Orm;

  beforeEach(async () => {
    orm = await createOrm(db, { entities: [...BLOG, Author, Book, Note], extensions: [Versioning] });
  });

  const version = (entity: typeof Article, key: object, index: number) =>
    orm.em
      .fork()
      .find(versionOf(entity as never) as never, key as never, { orderBy: { versionId: 'asc' } as never })
      .then(versions => versions[index] as never);

  describe('of the row', () => {
    beforeEach(async () => {
      const em = orm.em.fork();
      const [c, d] = [1, 2].map(id => em.create(Category, { id, name: `c${id}` }));
      const article = em.create(Article, {
        id: 1,
        name: 'a',
        category: c!,
        tags: [em.create(Tag, { id: 1, name: 't' })],
      });
      await em.flush();
      Object.assign(article, { name: 'b', category: d, views: 5 });
      article.tags.set([em.create(Tag, { id: 2, name: 'u' })]);
      await em.flush();
    });

    it('writes nothing until the flush, and then a new version', async () => {
      const em = orm.em.fork();
      const article = await em.findOneOrFail(Article, 1, { populate: ['versions'] });
      expect(await revert(article.versions[0]!)).toBe(article);
      expect(changeset(article)).toEqual({ name: ['b', 'a'], category: [2, 1] });
      expect(await historyOf(orm, [Article])).toHaveLength(2);
      await em.flush();
      expect(await historyOf(orm, [Article], ['article_tags_version'])).toEqual([
        'Article#1 INSERT { name: a, category_id: 1 } [1, 2)',
        'article_id 1 -> tag_id 1 [1, 2)',
        'Article#1 UPDATE { name: b, category_id: 2 } [2, 3)',
        'article_id 1 -> tag_id 2 [2, )',
        'Article#1 UPDATE { name: a, category_id: 1 } [3, )',
      ]);
      expect((await orm.em.fork().findOneOrFail(Article, 1)).views).toBe(5);
    });

    it('takes a version number, from 1', async () => {
      const em = orm.em.fork();
      const article = await em.findOneOrFail(Article, 1);
      await revert(article, 1);
      expect(article.name).toBe('a');
      await revert(article, 2);
      expect(changeset(article)).toEqual({});
      await expect(revert(article, 3)).rejects.toMatchObject({
        code: ErrorCode.NO_SUCH_VERSION,
        message: 'Article has no version 3: it has 2, numbered from 1.',
      });
      await expect(revert(article, 0)).rejects.toMatchObject({ code: ErrorCode.NO_SUCH_VERSION });
      await expect(revert(article as never)).rejects.toMatchObject({ code: ErrorCode.NO_SUCH_VERSION });
    });

    it('restores link sets where asked', async () => {
      const em = orm.em.fork();
      const article = await em.findOneOrFail(Article, 1, { populate: ['versions'] });
      await revert(article.versions[0]!, { relations: ['tags'] });
      expect(changeset(article)).toMatchObject({ tags: [[2], [1]] });
      await em.flush();
      expect(await historyOf(orm, [], ['article_tags_version'])).toEqual([
        'article_id 1 -> tag_id 1 [1, 2)',
        'article_id 1 -> tag_id 2 [2, 3)',
        'article_id 1 -> tag_id 1 [3, )',
      ]);
    });

    it('recreates a deleted row with its key, and removes a row whose version is a DELETE', async () => {
      const em = orm.em.fork();
      em.remove(await em.findOneOrFail(Article, 1));
      await em.flush();
      const other = orm.em.fork();
      const [first] = await other.find(versionOf(Article), { id: 1 }, { orderBy: { versionId: 'asc' } });
      expect(await revert(first!, { relations: ['tags'] })).toMatchObject({ id: 1 });
      await other.flush();
      const fresh = await orm.em.fork().findOneOrFail(Article, 1, { populate: ['tags'] });
      expect([fresh.name, fresh.tags.map(tag => tag.id)]).toEqual(['a', [1]]);

      const again = orm.em.fork();
      const article = await again.findOneOrFail(Article, 1, { populate: ['versions'] });
      expect(article.versions.map(each => each.operationType)).toEqual([0, 1, 2, 0]);
      expect(await revert(article.versions[2]!)).toBeNull();
      expect(changeset(article)).toMatchObject({ id: [1, null] });
      await again.flush();
      expect(await orm.em.fork().count(Article)).toBe(0);
    });

    it('recreates a deleted row of which there is a reference', async () => {
      const em = orm.em.fork();
      em.remove(await em.findOneOrFail(Article, 1));
      await em.flush();
      const other = orm.em.fork();
      other.getReference(Article, 1);
      const [first] = await other.find(versionOf(Article), { id: 1 }, { orderBy: { versionId: 'asc' } });
      await revert(first!);
      await other.flush();
      expect(await orm.em.fork().findOneOrFail(Article, 1)).toMatchObject({ name: 'a' });
    });

    it('keeps a row that was marked for removal in the same unit of work', async () => {
      const em = orm.em.fork();
      const article = await em.findOneOrFail(Article, 1, { populate: ['versions'] });
      em.remove(article);
      await revert(article.versions[0]!);
      await em.flush();
      expect(await orm.em.fork().findOneOrFail(Article, 1)).toMatchObject({ name: 'a' });
    });

    it('a target that is gone and not listed is an error that names the path; listed, it comes back', async () => {
      const em = orm.em.fork();
      em.remove(await em.findOneOrFail(Category, 1));
      await em.flush();
      await expect(revert(await version(Article, { id: 1 }, 0))).rejects.toMatchObject({
        code: ErrorCode.TARGET_GONE,
        message: expect.stringMatching(/^Article\.category .*relations: \['category'\]/) as string,
      });
      const inner = orm.em.fork();
      const article = await inner.findOneOrFail(Article, 1, { populate: ['versions'] });
      await revert(article.versions[0]!, { relations: ['category'] });
      await inner.flush();
      expect(await historyOf(orm, [Category])).toContain('Category#1 INSERT { name: c1 } [4, )');
      expect((await orm.em.fork().findOneOrFail(Article, 1)).category!.id).toBe(1);
    });

    it('an unknown relation is an error that suggests one, and nothing is changed', async () => {
      const em = orm.em.fork();
      const article = await em.findOneOrFail(Article, 1, { populate: ['versions'] });
      await expect(revert(article.versions[0]!, { relations: ['tagz'] as never })).rejects.toMatchObject({
        code: ErrorCode.UNKNOWN_RELATION,
        message: "Article.tagz is not a relation. Did you mean 'tags'? Relations of Article: category, tags, comments.",
      });
      await expect(revert(article.versions[0]!, { relations: ['category.nothing'] as never })).rejects.toMatchObject({
        message: expect.stringMatching(/^Category\.nothing is not a relation\./) as string,
      });
      expect(changeset(article)).toEqual({});
    });
  });

  describe('of related rows', () => {
    it('children come back, later ones are unlinked, and removed only with orphan removal', async () => {
      const em = orm.em.fork();
      const author = em.create(Author, { id: 1, name: 'x' });
      em.create(Book, { id: 1, title: 'kept', author });
      const lost = em.create(Book, { id: 2, title: 'lost', author });
      const moved = em.create(Book, { id: 3, title: 'moved', author });
      em.create(Note, { id: 1, text: 'old', author });
      await em.flush();
      em.remove(lost);
      moved.author = em.create(Author, { id: 2, name: 'y' });
      em.create(Book, { id: 4, title: 'later', author });
      em.create(Note, { id: 2, text: 'later', author });
      author.name = 'renamed';
      await em.flush();

      const inner = orm.em.fork();
      const live = await inner.findOneOrFail(Author, 1, { populate: ['versions'] });
      await revert(live.versions[0]!, { relations: ['books', 'notes'] });
      await inner.flush();
      const books = await orm.em.fork().find(Book, {}, { orderBy: { id: 'asc' } });
      expect(books.map(book => [book.title, book.author?.id ?? null])).toEqual([
        ['kept', 1],
        ['lost', 1],
        ['moved', 1],
        ['later', null],
      ]);
      expect((await orm.em.fork().find(Note, {})).map(note => note.text)).toEqual(['old']);
    });

    it('ends at cycles', async () => {
      const em = orm.em.fork();
      const author = em.create(Author, { id: 1, name: 'a1' });
      const book = em.create(Book, { id: 1, title: 'b1', author });
      await em.flush();
      author.favourite = book;
      await em.flush();
      Object.assign(author, { name: 'a2', favourite: null });
      book.title = 'b2';
      await em.flush();
      const inner = orm.em.fork();
      const live = await inner.findOneOrFail(Author, 1, { populate: ['versions'] });
      await revert(live.versions[1]!, { relations: ['favourite.author.books', 'books.author'] });
      await inner.flush();
      const fresh = await orm.em.fork().findOneOrFail(Author, 1, { populate: ['favourite'] });
      expect([fresh.name, fresh.favourite!.title]).toEqual(['a1', 'b1']);
    });

    it('a later child that must have a parent is an error that says so', async () => {
      const em = orm.em.fork();
      const article = em.create(Article, { id: 1, name: 'a' });
      await em.flush();
      em.create(Comment, { id: 1, text: 'later', article });
      article.name = 'b';
      await em.flush();
      await expect(revert(await version(Article, { id: 1 }, 0), { relations: ['comments'] })).rejects.toThrow(
        /^A Comment that came later can't be unlinked from comments/,
      );
    });

    it('rows that need each other come back together', async () => {
      const em = orm.em.fork();
      const author = em.create(Author, { id: 1, name: 'a1' });
      const book = em.create(Book, { id: 1, title: 'b1', author });
      await em.flush();
      author.favourite = book;
      await em.flush();
      author.favourite = null;
      await em.flush();
      em.remove(book);
      em.remove(author);
      await em.flush();
      const then = await version(Author as never, { id: 1 }, 1);
      await expect(revert(then)).rejects.toMatchObject({ code: ErrorCode.TARGET_GONE });
      await expect(revert(then, { relations: ['books'] as never[] })).resolves.toBeTruthy();
      const inner = orm.em.fork();
      const again = await inner.findOneOrFail(versionOf(Author), {
        versionId: (then as { versionId: number }).versionId,
      });
      await revert(again, { relations: ['favourite'] });
      await inner.flush();
      const fresh = await orm.em.fork().findOneOrFail(Author, 1, { populate: ['favourite.author'] });
      expect(fresh.favourite!.title).toBe('b1');
      expect(fresh.favourite!.author).toBe(fresh);
    });

    it('an error leaves the manager as it was', async () => {
      const em = orm.em.fork();
      const author = em.create(Author, { id: 1, name: 'a1' });
      const other = em.create(Author, { id: 2, name: 'other' });
      const book = em.create(Book, { id: 1, title: 'b1', author });
      author.favourite = em.create(Book, { id: 2, title: 'gone', author: other });
      await em.flush();
      author.favourite = null;
      em.remove(book);
      await em.flush();
      em.remove(await em.findOneOrFail(Book, 2));
      author.name = 'a2';
      await em.flush();
      const inner = orm.em.fork();
      const [first] = await inner.find(versionOf(Author), { id: 1 }, { orderBy: { versionId: 'asc' } });
      await expect(revert(first!, { relations: ['books'] })).rejects.toThrow(/relations: \['favourite'\]/);
      inner.getUnitOfWork().computeChangeSets();
      expect(inner.getUnitOfWork().getChangeSets()).toEqual([]);
      expect((await inner.findOneOrFail(Author, 1)).name).toBe('a2');
    });

    it('a child goes back to the parent that had it, whichever parent comes first', async () => {
      for (const path of ['books.author.books', 'notes']) {
        await orm.schema.clear();
        const em = orm.em.fork();
        const [one, two] = [1, 2].map(id => em.create(Author, { id, name: `x${id}` }));
        em.create(Book, { id: 1, title: 'first', author: one! });
        const book = em.create(Book, { id: 2, title: 'second', author: two! });
        const note = em.create(Note, { id: 1, text: 'n', author: one! });
        await em.flush();
        book.author = one!;
        note.author = two!;
        await em.flush();
        const inner = orm.em.fork();
        const [then] = await inner.find(versionOf(Book), { id: 2 }, { orderBy: { versionId: 'asc' } });
        await revert(then!, { relations: [`author.${path}`] as never[] });
        await inner.flush();
        expect((await orm.em.fork().findOneOrFail(Book, 2)).author!.id).toBe(2);
        const first = await orm.em.fork().find(Note, {});
        // an orphan of the second author that the first one had is none where the first one has it back
        expect(first.map(each => [each.text, each.author.id])).toEqual(path === 'notes' ? [] : [['n', 2]]);
      }
      const em = orm.em.fork();
      const [one, two] = [11, 12].map(id => em.create(Author, { id, name: `x${id}` }));
      const book = em.create(Book, { id: 11, title: 'b', author: one! });
      const note = em.create(Note, { id: 11, text: 'n', author: one! });
      one!.favourite = em.create(Book, { id: 12, title: 'of the other', author: two! });
      await em.flush();
      book.author = two!;
      note.author = two!;
      await em.flush();
      const inner = orm.em.fork();
      const [then] = await inner.find(versionOf(Author), { id: 11 }, { orderBy: { versionId: 'asc' } });
      await revert(then!, { relations: ['favourite.author.books', 'favourite.author.notes', 'books', 'notes'] });
      await inner.flush();
      expect((await orm.em.fork().findOneOrFail(Book, 11)).author!.id).toBe(11);
      expect((await orm.em.fork().findOneOrFail(Note, 11)).author.id).toBe(11);
    });

    it('a row that is reached on several paths follows each of them', async () => {
      const em = orm.em.fork();
      const author = em.create(Author, { id: 1, name: 'a1' });
      author.favourite = em.create(Book, { id: 1, title: 'b1', author });
      const note = em.create(Note, { id: 1, text: 'n', author });
      await em.flush();
      author.name = 'a2';
      note.text = 'changed';
      await em.flush();
      const inner = orm.em.fork();
      const [then] = await inner.find(versionOf(Author), { id: 1 }, { orderBy: { versionId: 'asc' } });
      await revert(then!, { relations: ['favourite.author.notes'] });
      await inner.flush();
      expect((await orm.em.fork().findOneOrFail(Note, 1)).text).toBe('n');
    });

    it('a to-one that led nowhere leads nowhere again', async () => {
      const em = orm.em.fork();
      const book = em.create(Book, { id: 1, title: 'b' });
      await em.flush();
      book.author = em.create(Author, { id: 1, name: 'a' });
      await em.flush();
      const inner = orm.em.fork();
      await revert(await inner.findOneOrFail(Book, 1), 1, { relations: ['author.books'] });
      await inner.flush();
      expect((await orm.em.fork().findOneOrFail(Book, 1)).author).toBeNull();
      expect(await orm.em.fork().count(Author)).toBe(1);
    });

    it('link targets that are gone come back where they have history, and are left out where not', async () => {
      const em = orm.em.fork();
      const article = em.create(Article, {
        id: 1,
        name: 'a',
        tags: [1, 2].map(id => em.create(Tag, { id, name: `t${id}` })),
      });
      await em.flush();
      article.name = 'b';
      em.remove(await em.findOneOrFail(Tag, 1));
      await em.flush();
      const inner = orm.em.fork();
      await revert(await inner.findOneOrFail(Article, 1), 1, { relations: ['tags'] });
      await inner.flush();
      const fresh = await orm.em.fork().findOneOrFail(Article, 1, { populate: ['tags'] });
      expect([fresh.name, fresh.tags.getIdentifiers()]).toEqual(['a', [2]]);
    });
  });
});
