import { Article, Category, entities, Note, Tag } from '../../property/entities.ts';
import type { Program } from './Program.ts';

/** What MikroORM does in a second statement, or removes by itself. */
export const extraUpdates: Program = {
  entities,
  steps: {
    rows: async em => {
      const [a, b] = ['a', 'b'].map((slug, i) => em.create(Article, { id: i + 1, text: slug, slug, views: 0 }));
      em.create(Note, { text: 'n', article: a! });
      em.create(Note, { text: 'm', article: a! });
      const [t, u] = [1, 2].map(id => em.create(Tag, { id, text: 't' }));
      a!.topics.set([u!, t!]);
      b!.related.set([a!, b!]);
    },
    'unique values that swap': async em => {
      const [a, b] = await em.find(Article, {}, { orderBy: { id: 'asc' } });
      [a!.slug, b!.slug] = [b!.slug, a!.slug];
    },
    orphans: async em => {
      const article = await em.findOneOrFail(Article, 1, { populate: ['notes'] });
      article.notes.remove(article.notes[0]!);
    },
    'orphans of a collection that was never loaded': async em => {
      const article = await em.findOneOrFail(Article, 1);
      article.notes.set([em.create(Note, { text: 'only', article })]);
    },
    'links of one class': async em => {
      (await em.findOneOrFail(Article, 1)).relatedBy.set([em.getReference(Article, 1)]);
    },
    'a row that moves to a new parent': async em => {
      (await em.findOneOrFail(Article, 2)).category = em.create(Category, { id: 5, text: 'c' });
    },
    'a key and what hangs on it': async em => void ((await em.findOneOrFail(Article, 1)).id = 3),
    'a deletion and an insertion of one key': async em => {
      em.remove(await em.findOneOrFail(Article, 2));
      em.create(Article, { id: 2, text: 'again', slug: 'c', views: 0 });
    },
  },
};
