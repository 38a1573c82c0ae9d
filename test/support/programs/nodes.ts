import { ENTITIES, Node, Plain, PlainItem, PlainProfile, Profile, Seat } from '../nodes.ts';
import type { Program } from './Program.ts';

/** Relations of every kind, keys of several columns and keys that are foreign keys. */
export const nodes: Program = {
  entities: ENTITIES,
  steps: {
    'a graph': async em => {
      const [a, b, c] = ['a', 'b', 'c'].map((name, i) => em.create(Node, { id: i + 1, name }));
      const plain = em.create(Plain, { id: 1, name: 'x' });
      Object.assign(a!, { parent: b, twin: b, plain, plainTwin: plain });
      a!.friends.add(a!, b!);
      a!.plains.add(plain);
      a!.ordered.set([c!, a!, b!]);
      em.create(Profile, { node: a!, text: 'p' });
      em.create(PlainProfile, { id: 1, node: a!, text: 'q' });
      em.create(PlainItem, { id: 1, name: 'i', node: a! });
      const seat = em.create(Seat, { node: a!, row: 'a', label: 's' });
      em.create(Seat, { node: b!, row: 'b', label: 't', neighbour: seat }).visitors.add(a!, b!);
    },
    'one-to-ones that swap': async em => {
      const [a, b] = await em.find(Node, { id: [1, 2] }, { orderBy: { id: 'asc' } });
      [a!.twin, b!.twin] = [null, a];
    },
    'one-to-ones from the inverse side': async em => {
      const node = await em.findOneOrFail(Node, 3, { populate: ['twinOf', 'profile'] });
      node.twinOf = em.getReference(Node, 1);
      node.profile = em.create(Profile, { node, text: 'new' });
    },
    'an order': async em => {
      const node = await em.findOneOrFail(Node, 1, { populate: ['ordered'] });
      node.ordered.set([2, 3].map(id => em.getReference(Node, id)));
    },
    'an order that was never loaded': async em => {
      (await em.findOneOrFail(Node, 2)).ordered.set([1, 2].map(id => em.getReference(Node, id)));
    },
    'links of one class, from the inverse side': async em => {
      const node = await em.findOneOrFail(Node, 2, { populate: ['friendOf'] });
      node.friendOf.set([3].map(id => em.getReference(Node, id)));
    },
    'keys of several columns': async em => {
      const seat = await em.findOneOrFail(Seat, [2, 'b'] as never, { populate: ['visitors', 'neighbour'] });
      seat.label = 'T';
      seat.neighbour = seat;
      seat.visitors.remove(em.getReference(Node, 1));
    },
    'a key that is a foreign key': async em => void ((await em.findOneOrFail(Profile, 1)).text = 'P'),
    'conditions on each of them': async em => [
      await em.find(Node, { twinOf: { name: 'a' } }),
      await em.find(Seat, { neighbour: { node: { name: 'b' } } }),
      await em.find(Profile, { node: { plains: { name: 'x' } } }),
      await em.count(Node, { friends: { friendOf: { name: { $in: ['a', 'c'] } } } }),
    ],
    'everything, joined': async em =>
      em.find(
        Node,
        {},
        {
          populate: [
            'parent',
            'children',
            'twin',
            'twinOf',
            'profile',
            'friends',
            'ordered',
            'seats.visitors',
            'plains',
          ],
          strategy: 'joined',
          orderBy: { id: 'asc' },
        },
      ),
    'everything, with a query each': async em =>
      em.find(
        Node,
        {},
        {
          populate: [
            'parent',
            'children',
            'twin',
            'twinOf',
            'profile',
            'friendOf',
            'ordered',
            'seats',
            'plainChildren',
          ],
          strategy: 'select-in',
          orderBy: { id: 'asc' },
        },
      ),
    'deletions, in the order of their dependencies': async em => {
      const seats = await em.find(Seat, {}, { orderBy: { row: 'asc' } });
      const profile = await em.findOneOrFail(PlainProfile, 1);
      em.remove([...seats, profile, em.getReference(PlainItem, 1)]);
      em.remove(await em.find(Profile, {}, { orderBy: { text: 'asc' } }));
      em.remove(await em.findOneOrFail(Node, 1));
    },
  },
};
