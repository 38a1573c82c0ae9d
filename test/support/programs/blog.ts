import { LockMode, ref, wrap } from '@mikro-orm/core';

import { Article, BLOG, Category, Comment, Tag } from '../blog.ts';
import type { Program } from './Program.ts';

/** Rows, links and children, changed in every way that the unit of work has, and asked for in every way. */
export const blog: Program = {
  entities: BLOG,
  steps: {
    'new rows, links and children': async em => {
      const [t, u] = ['t', 'u'].map(name => em.create(Tag, { name })) as [Tag, Tag];
      const category = em.create(Category, { name: 'c' });
      const article = em.create(Article, { name: 'a', category, tags: [t, u] });
      const comment = em.create(Comment, { text: 'x', article });
      em.create(Comment, { text: 'y', article, answers: comment });
      em.create(Article, { name: 'b', views: 7 });
      em.create(Category, { id: 6, name: 'without articles' });
      em.create(Category, { id: 7, name: 'd' });
    },
    'a change': async em => void ((await em.findOneOrFail(Article, 1)).name = 'A'),
    'no change': async em => void ((await em.findOneOrFail(Article, 1)).name = 'A'),
    'a change of what is excluded': async em => void ((await em.findOneOrFail(Article, 1)).views = 3),
    'a change of a row that was loaded in part': async em => {
      (await em.findOneOrFail(Article, 1, { fields: ['name'] })).name = 'AA';
    },
    'a change of a reference': async em => void em.assign(em.getReference(Article, 2), { name: 'B' }),
    'many changes at once': async em => {
      for (const article of await em.find(Article, {}, { orderBy: { id: 'asc' } })) {
        article.name += '!';
      }
    },
    'another parent': async em => {
      (await em.findOneOrFail(Article, 2)).category = em.getReference(Category, 7);
    },
    'links of a loaded collection': async em => {
      const article = await em.findOneOrFail(Article, 1, { populate: ['tags'] });
      article.tags.remove(em.getReference(Tag, 1));
      article.tags.add(em.create(Tag, { id: 9, name: 'v' }));
    },
    'links of a collection that was never loaded': async em => {
      const [one, two] = await em.find(Article, {}, { orderBy: { id: 'asc' } });
      one!.tags.set([em.getReference(Tag, 1), em.getReference(Tag, 9)]);
      two!.tags.add(em.getReference(Tag, 2));
    },
    'all links of a collection that was never loaded': async em => {
      (await em.findOneOrFail(Article, 2)).tags.removeAll();
    },
    'links from the inverse side': async em => {
      (await em.findOneOrFail(Tag, 2, { populate: ['articles'] })).articles.set(
        [1, 2].map(id => em.getReference(Article, id)),
      );
    },
    'children of a collection that was never loaded': async em => {
      (await em.findOneOrFail(Category, 7)).articles.set([em.getReference(Article, 1)]);
    },
    'children of a loaded collection': async em => {
      const category = await em.findOneOrFail(Category, 7, { populate: ['articles'] });
      category.articles.removeAll();
      category.articles.add(em.getReference(Article, 2));
    },
    'another key': async em => void ((await em.findOneOrFail(Category, 6)).id = 8),
    'a deletion and an insertion of one key': async em => {
      em.remove(await em.findOneOrFail(Comment, 2));
      em.create(Comment, { id: 2, text: 'again', article: 1 });
    },
    'conditions over relations': async em =>
      em.find(Article, {
        $or: [{ category: { name: 'c' } }, { tags: { name: ['t', 'u'] } }, { comments: { text: { $like: 'x%' } } }],
      }),
    'joined loading': async em =>
      em.find(
        Article,
        { views: { $gte: 0 } },
        { populate: ['category', 'tags', 'comments.answers'], strategy: 'joined', orderBy: { id: 'asc' } },
      ),
    'select-in loading': async em =>
      em.find(
        Article,
        {},
        { populate: ['category.articles', 'tags', 'comments'], strategy: 'select-in', orderBy: { id: 'asc' } },
      ),
    'loading of every relation': async em => [
      await em.find(Article, {}, { populate: ['*'], orderBy: { id: 'asc' } }),
      await em
        .fork({ keepTransactionContext: true })
        .find(Article, {}, { populate: ['*'], strategy: 'joined', orderBy: { id: 'asc' } }),
    ],
    'loading as MikroORM likes, in pages': async em =>
      em.findAndCount(Article, {}, { populate: ['tags', 'category'], limit: 1, offset: 1, orderBy: { name: 'desc' } }),
    'loading in part, and without': async em => [
      await em.find(Article, {}, { fields: ['name', 'category.name'], orderBy: { id: 'asc' } }),
      await em.find(Comment, {}, { exclude: ['text'], orderBy: { id: 'asc' } }),
    ],
    'loading later': async em => {
      const [article] = await em.find(Article, { id: 1 });
      await em.populate(article!, ['tags', 'comments']);
      await em.refresh(article!);
      const tag = await em.findOneOrFail(Tag, 9);
      return [
        article,
        await tag.articles.loadItems(),
        await tag.articles.loadCount(),
        await article!.tags.matching({ limit: 1 }),
      ];
    },
    'loading with a lock': async em =>
      em.transactional(inner =>
        inner.find(Article, {}, { lockMode: LockMode.PESSIMISTIC_WRITE, orderBy: { id: 'asc' } }),
      ),
    'counts, and what does not exist': async em => [
      await em.count(Article, { category: { $ne: null } }),
      await em.findOne(Article, 99),
      await em.countBy(Article, 'category'),
    ],
    'a query builder': async em =>
      em
        .createQueryBuilder(Article, 'a')
        .leftJoinAndSelect('a.category', 'c')
        .leftJoin('a.tags', 't')
        .where({ 't.name': 'u' })
        .orderBy({ 'a.id': 'asc' })
        .getResult(),
    streams: async em => {
      const names: string[] = [];
      for await (const article of em.stream(Article, { orderBy: { id: 'asc' } })) {
        names.push(article.name);
      }
      return names;
    },
    'bulk writes': async em => [
      await em.nativeUpdate(Article, { id: 2 }, { name: 'native' }),
      await em.insertMany(Comment, [{ id: 20, text: 'n', article: 1 }]),
      await em.upsert(Category, { id: 7, name: 'upserted' }),
      await em.nativeDelete(Comment, { id: 20 }),
    ],
    'a change of what was written in bulk': async em => {
      (await em.findOneOrFail(Category, 7)).name = 'flushed';
    },
    'a copy that was merged': async em => {
      const article = em.merge(Article, { id: 2, name: 'native', views: 7, category: 8 });
      article.name = 'merged';
      return wrap(article).toObject();
    },
    'a flush that fails': async em => {
      em.create(Category, { id: 1, name: 'there already' });
      (await em.findOneOrFail(Tag, 1)).name = 'not written';
    },
    'a deletion that the database continues': async em => void em.remove(await em.findOneOrFail(Article, 1)),
    'deletions of references': async em => {
      em.remove(em.getReference(Category, 1));
      em.remove(ref(Tag, 9).unwrap());
      em.remove(em.getReference(Tag, 2));
    },
  },
};
