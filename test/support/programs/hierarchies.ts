import { Animal, Cat, Dog, ENTITIES, Label as Badge, Owner, Puppy } from '../animals.ts';
import { Album, Clip, Label, Media, Photo, Video } from '../media.ts';
import type { Program } from './Program.ts';

/** A hierarchy in one table. */
export const media: Program = {
  entities: [Label, Album, Media, Photo, Video, Clip],
  steps: {
    'rows of each class': async em => {
      const album = em.create(Album, { id: 1, title: 'A' });
      const photo = em.create(Photo, { id: 1, kind: 'photo', title: 'P', width: 10, album } as never);
      em.create(Photo, { id: 2, kind: 'photo', title: 'C', width: 5, original: photo } as never);
      em.create(Video, { id: 3, kind: 'video', title: 'V', seconds: 60, album, stills: [photo] } as never);
      const labels = [em.create(Label, { id: 1, name: 'l' })];
      em.create(Clip, { id: 4, kind: 'clip', title: 'K', seconds: 30, song: 'la', labels } as never);
    },
    'changes through the base class and through the own': async em => {
      const all = await em.find(Media, {}, { orderBy: { id: 'asc' } });
      all[0]!.title = 'P2';
      (all[3] as Clip).song = 'lo';
      (await em.findOneOrFail(Video, 3, { populate: ['stills'] })).stills.removeAll();
      (await em.findOneOrFail(Album, 1)).cover = all[0]!;
    },
    'a change of what is excluded': async em => void ((await em.findOneOrFail(Video, 3)).plays = 9),
    'conditions and relations': async em => [
      await em.find(Media, { title: { $like: 'P%' } }),
      await em.find(Photo, { original: { width: 10 } }, { populate: ['original', 'album'] }),
      await em.find(Album, {}, { populate: ['media', 'cover'], strategy: 'joined' }),
      await em.find(Video, {}, { populate: ['labels', 'stills'], orderBy: { id: 'asc' } }),
      await em.count(Clip, { song: 'lo' }),
    ],
    deletions: async em => {
      em.remove(await em.findOneOrFail(Media, 4));
      em.remove(em.getReference(Photo, 2));
    },
  },
};

/** A hierarchy in a table for each class. */
export const animals: Program = {
  entities: ENTITIES,
  steps: {
    'rows of each class': async em => {
      const owner = em.create(Owner, { id: 1, name: 'O' } as never);
      const dog = em.create(Dog, { id: 1, name: 'D', weight: 30, size: 'big', owner, walker: owner } as never);
      const cat = em.create(Cat, { id: 2, name: 'C', weight: 4, size: 3, owner } as never);
      const labels = [em.create(Badge, { id: 1, name: 'l' })];
      em.create(Puppy, { id: 3, name: 'P', weight: 5, size: 'small', mother: dog, chases: [cat], labels } as never);
    },
    'changes in one table, in another, and in both': async em => {
      const dog = await em.findOneOrFail(Dog, 1);
      dog.weight = 31;
      const puppy = await em.findOneOrFail(Puppy, 3, { populate: ['labels'] });
      Object.assign(puppy, { name: 'P2', toy: 'ball' });
      puppy.labels.removeAll();
      (await em.findOneOrFail(Cat, 2)).name = 'C2';
      (await em.findOneOrFail(Owner, 1)).favourite = dog;
    },
    'a change of what is excluded': async em => void ((await em.findOneOrFail(Puppy, 3)).meals = 9),
    'conditions and relations': async em => [
      await em.find(Animal, { name: { $like: 'P%' } }),
      await em.find(Dog, { walker: { name: 'O' } }, { populate: ['walker', 'owner'] }),
      await em.find(Owner, {}, { populate: ['animals', 'walked', 'favourite'] }),
      await em.find(Puppy, {}, { populate: ['mother', 'chases'] }),
      await em.count(Cat, { size: 3 }),
    ],
    deletions: async em => {
      em.remove(await em.findOneOrFail(Puppy, 3));
      em.remove(await em.findOneOrFail(Cat, 2));
    },
  },
};
