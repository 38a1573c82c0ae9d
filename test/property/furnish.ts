import type { EntityManager } from '@mikro-orm/core';

import { Article, Blog, Category, Comment, Note, Tag } from './entities.ts';

/** Commits rows and links of every kind, so that short programs have something to change. */
export async function furnish(em: EntityManager): Promise<void> {
  const [blog] = [1, 2].map(id => em.create(Blog, { id, text: 'a' }));
  const [category] = [1, 2].map(id => em.create(Category, { id, text: 'a' }));
  const [one, two, three] = [1, 2, 3].map(id => em.create(Tag, { id, text: 'a' }));
  const [first, second, third] = [
    em.create(Article, { views: 0, id: 1, text: 'a', slug: 'a', category: category!, blog: blog! }),
    em.create(Article, { views: 0, id: 2, text: 'a', slug: 'b', category: category! }),
    em.create(Article, { views: 0, id: 3, text: 'a', blog: blog! }),
  ];
  first.tags.set([one!, two!]);
  second.tags.set([two!, three!]);
  first.topics.set([three!, one!]);
  first.related.set([first, second]);
  third.related.set([first]);
  const comment = em.create(Comment, { text: 'a', article: first });
  em.create(Comment, { text: 'b', article: second, answers: comment });
  em.create(Note, { text: 'a', article: first });
  em.create(Note, { text: 'b', article: second });
  await em.flush();
}
