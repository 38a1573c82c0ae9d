import { defineEntity, p } from '@mikro-orm/core';
import { versioned } from 'mikro-orm-versioning';

/*
 * Every kind of relation, each to a target with history and to one without. `Node` has history, `Plain` has none.
 */
export const Plain = defineEntity({
  name: 'Plain',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    nodes: () => p.manyToMany(Node).mappedBy('plains'),
    child: () => p.oneToOne(PlainChild).mappedBy('plain').nullable(),
  },
});

export const Node = versioned(
  defineEntity({
    name: 'Node',
    properties: {
      id: p.integer().primary(),
      name: p.string(),
      parent: () => p.manyToOne(Node).nullable(),
      children: () => p.oneToMany(Node).mappedBy('parent').orderBy({ name: 'desc' }),
      plain: () => p.manyToOne(Plain).nullable(),
      twin: () => p.oneToOne(Node).inversedBy('twinOf').nullable(),
      twinOf: () => p.oneToOne(Node).mappedBy('twin').nullable(),
      plainTwin: () => p.oneToOne(Plain).nullable(),
      profile: () => p.oneToOne(Profile).mappedBy('node').nullable(),
      plainProfile: () => p.oneToOne(PlainProfile).mappedBy('node').nullable(),
      plainChildren: () => p.oneToMany(PlainItem).mappedBy('node'),
      friends: () => p.manyToMany(Node).pivotTable('friendship').inversedBy('friendOf'),
      friendOf: () => p.manyToMany(Node).mappedBy('friends'),
      plains: () => p.manyToMany(Plain).inversedBy('nodes'),
      ordered: () => p.manyToMany(Node).pivotTable('ordered_nodes').fixedOrder(),
      seats: () => p.oneToMany(Seat).mappedBy('node').orderBy({ row: 'asc' }),
    },
  }),
);

/** Foreign key as primary key. */
export const Profile = versioned(
  defineEntity({
    name: 'Profile',
    properties: { node: () => p.oneToOne(Node).primary(), text: p.string() },
  }),
);

export const PlainProfile = defineEntity({
  name: 'PlainProfile',
  properties: { id: p.integer().primary(), node: () => p.oneToOne(Node).inversedBy('plainProfile'), text: p.string() },
});

const PlainChild = defineEntity({
  name: 'PlainChild',
  properties: { id: p.integer().primary(), plain: () => p.oneToOne(Plain).inversedBy('child') },
});

export const PlainItem = defineEntity({
  name: 'PlainItem',
  properties: { id: p.integer().primary(), name: p.string(), node: () => p.manyToOne(Node) },
});

/** A composite key with a foreign key in it, and a relation to such a key. */
export const Seat = versioned(
  defineEntity({
    name: 'Seat',
    properties: {
      node: () => p.manyToOne(Node).primary(),
      row: p.string().primary(),
      label: p.string(),
      neighbour: () => p.manyToOne(Seat).nullable(),
      neighbourOf: () => p.oneToMany(Seat).mappedBy('neighbour'),
      visitors: () => p.manyToMany(Node).pivotTable('seat_visitors'),
    },
  }),
);

export const ENTITIES = [Node, Plain, Profile, PlainProfile, PlainChild, PlainItem, Seat];
