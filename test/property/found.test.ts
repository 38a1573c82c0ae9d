import { expect, it } from 'vitest';
import { Versioning } from 'mikro-orm-versioning';

import { createOrm, describeDatabase, describeEachDatabase, type Orm } from '../support/databases.ts';
import { Article, Comment, entities, Note, Tag } from './entities.ts';
import { furnish } from './furnish.ts';
import { readHistory } from './tables.ts';

/** `['INSERT [7,"a"] [0, 1)']` of one row or link, spans in positions of the list of transactions. */
async function timeline(orm: Orm, of: string): Promise<string[]> {
  const { spans } = await readHistory(orm);

  return spans
    .filter(span => span.of === of)
    .map(({ operation, values, from, to }) => `${operation} ${values} [${from}, ${to ?? ''})`);
}

/** What random programs found, as short as it gets. */
describeEachDatabase('found by random programs', db => {
  const start = () => createOrm(db, { entities, extensions: [Versioning] });

  it('follows a link from a row to itself when the row gets another key', async () => {
    const orm = await start();
    const em = orm.em.fork();
    const article = em.create(Article, { id: 1, text: 'a', views: 0 });
    article.related.add(article);
    await em.flush();
    article.id = 2;
    await em.flush();

    expect(await timeline(orm, 'Article.related#1,1')).toEqual(['LINK [1,1] [0, 1)']);
    expect(await timeline(orm, 'Article.related#2,2')).toEqual(['LINK [2,2] [1, )']);
  });

  it('follows a link both of whose ends get another key in one flush', async () => {
    const orm = await start();
    const em = orm.em.fork();
    const article = em.create(Article, { id: 1, text: 'a', views: 0 });
    const tag = em.create(Tag, { id: 1, text: 'a' });
    article.tags.add(tag);
    await em.flush();
    article.id = 2;
    tag.id = 3;
    await em.flush();

    expect(await timeline(orm, 'Article.tags#2,3')).toEqual(['LINK [2,3] [1, )']);
  });

  it('follows the cascade below a row that moves to a parent which the same flush deletes', async () => {
    const orm = await start();
    const em = orm.em.fork();
    const [from, to] = [1, 2].map(id => em.create(Article, { id, text: 'a', views: 0 }));
    const comment = em.create(Comment, { text: 'question', article: from! });
    em.create(Comment, { text: 'answer', article: from!, answers: comment });
    await em.flush();
    comment.article = to!;
    em.remove(to!);
    await em.flush();

    expect(await orm.em.fork().count(Comment)).toBe(0);
    expect(await timeline(orm, 'Comment#2')).toEqual([
      'INSERT [2,"answer",1,1] [0, 1)',
      'DELETE [2,"answer",1,1] [1, )',
    ]);
  });

  it('inserts a row whose key was deleted in vain before', async () => {
    const orm = await start();
    const em = orm.em.fork();
    await em.begin();
    em.remove(em.getReference(Tag, 7));
    await em.flush();
    em.create(Tag, { id: 7, text: 'a' });
    await em.commit();

    expect(await timeline(orm, 'Tag#7')).toEqual(['INSERT [7,"a"] [0, )']);
  });
});

// PostgreSQL's transactions end with the first error.
describeDatabase('sqlite', 'found by random programs, after a failed flush that inserted note 3,', db => {
  it.each([
    { work: 'its deletion leaves no history', expected: [] },
    { work: 'its change leaves the insertion', expected: ['INSERT [3,"changed",1] [1, )'] },
  ])('$work', async ({ expected }) => {
    const orm = await createOrm(db, { entities, extensions: [Versioning] });
    await furnish(orm.em.fork());
    const em = orm.em.fork();
    await em.begin();
    const article = await em.findOneOrFail(Article, 1);
    em.create(Note, { text: 'new', article });
    article.slug = 'b';
    await expect(em.flush()).rejects.toThrow('UNIQUE');
    em.clear();
    const note = await em.findOneOrFail(Note, { text: 'new' });
    if (expected.length === 0) {
      em.remove(note);
    } else {
      note.text = 'changed';
    }
    await em.commit();

    expect(await timeline(orm, 'Note#3')).toEqual(expected);
  });
});
