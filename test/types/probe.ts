import { defineEntity, p } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/sql';
import { versioned, versionOf } from 'mikro-orm-versioning';
const Tag = versioned(defineEntity({ name: 'Tag', properties: { code: p.string().primary(), name: p.string() } }));
const Country = versioned(
  defineEntity({
    name: 'Country',
    properties: {
      id: p.string().primary(),
      tag: () => p.manyToOne(Tag).nullable(),
      tags: () => p.manyToMany(Tag),
      borders: () => p.manyToMany(Country),
    },
  }),
);
export async function f(em: EntityManager) {
  const [v] = await em.find(versionOf(Country), {}, { populate: ['tags'] });
  const q: 1 = v!.tags;
  v!.tags.map(each => each.code);
  return q;
}
