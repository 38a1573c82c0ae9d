import { defineEntity, p } from '@mikro-orm/core';
import { countVersions, Versioning, versioned, versionOf } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { createOrm, describeDatabase } from './support/databases.ts';

describeDatabase('postgresql', 'schemas', db => {
  it.for(['of the entity', 'of the configuration'])('%s: live rows and history share it', async where => {
    const schema = where === 'of the entity' ? { schema: 'app' } : {};
    const Tag = versioned(
      defineEntity({ name: 'Tag', ...schema, properties: { id: p.integer().primary(), name: p.string() } }),
    );
    const Article = versioned(
      defineEntity({
        name: 'Article',
        ...schema,
        properties: {
          id: p.integer().primary(),
          name: p.string(),
          tag: () => p.manyToOne(Tag).nullable(),
          tags: () => p.manyToMany(Tag),
        },
      }),
    );
    const orm = await createOrm(db, {
      entities: [Article, Tag],
      extensions: [Versioning],
      ...(where === 'of the configuration' ? { schema: 'app' } : {}),
    });
    expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    const em = orm.em.fork();
    const tag = em.create(Tag, { id: 1, name: 't1' });
    const article = em.create(Article, { id: 1, name: 'a', tag, tags: [tag] } as never) as unknown as { name: string };
    await em.flush();
    tag.name = 't2';
    article.name = 'b';
    await em.flush();
    em.remove(tag);
    await em.flush();
    expect(await countVersions(article)).toBe(3);
    const versions = (await orm.em.fork().find(
      versionOf(Article),
      {},
      {
        populate: ['tag', 'tags', 'entity', 'transaction'] as never,
        orderBy: { versionId: 'asc' },
      },
    )) as never as { tag: { name: string } | null; tags: Iterable<{ name: string }>; entity: unknown }[];
    expect(versions.map(version => [version.tag?.name ?? null, [...version.tags].map(each => each.name)])).toEqual([
      ['t1', ['t1']],
      ['t2', ['t2']],
      [null, []],
    ]);
    expect(await em.execute('select count(*)::int as count from app.article_version')).toEqual([{ count: 3 }]);
  });
});
