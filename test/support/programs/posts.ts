import { Comment, Cover, ENTITIES, Image, Like, Post, Tag, User, Video } from '../posts.ts';
import type { Program } from './Program.ts';

/** Relations to one of several classes. */
export const posts: Program = {
  entities: ENTITIES,
  steps: {
    'rows and links of each class': async em => {
      const post = em.create(Post, { id: 1, title: 'P' } as never);
      const comment = em.create(Comment, { id: 1, text: 'C' } as never);
      em.create(Like, { id: 1, subject: post, seenOn: em.create(User, { id: 1, name: 'U' }) } as never);
      em.create(Like, { id: 2, subject: comment } as never);
      em.create(Cover, { id: 1, colour: 'red', of: post } as never);
      const tags = ['x', 'y'].map((name, i) => em.create(Tag, { id: i + 1, name } as never));
      (post as Post).tags.set(tags as Tag[]);
      (comment as Comment).tags.set([tags[0] as Tag]);
      const image = em.create(Image, { id: 1, file: 'i' } as never);
      (post as Post).attachments.set([image as Image, em.create(Video, { id: 1, file: 'v' })]);
    },
    'another class': async em => {
      const like = await em.findOneOrFail(Like, 1);
      [like.subject, like.seenOn] = [em.getReference(Comment, 1), em.getReference(Post, 1)];
    },
    'none of them': async em => void ((await em.findOneOrFail(Like, 2)).subject = null),
    'links, loaded and not': async em => {
      const post = await em.findOneOrFail(Post, 1, { populate: ['tags'] });
      post.tags.remove(em.getReference(Tag, 1));
      (await em.findOneOrFail(Comment, 1)).tags.set([em.getReference(Tag, 2)]);
    },
    relations: async em => [
      await em.find(Like, {}, { populate: ['subject', 'seenOn'], orderBy: { id: 'asc' } }),
      await em.find(Post, {}, { populate: ['likes', 'tags', 'cover', 'attachments'] }),
      await em.find(Tag, {}, { populate: ['posts'], orderBy: { id: 'asc' } }),
    ],
    deletions: async em => {
      em.remove(await em.find(Like, {}, { orderBy: { id: 'asc' } }));
      em.remove(await em.findOneOrFail(Cover, 1));
      em.remove(await em.findOneOrFail(Comment, 1));
    },
  },
};
