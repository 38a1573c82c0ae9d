import {
  AbstractNamingStrategy,
  defineEntity,
  EntityCaseNamingStrategy,
  MongoNamingStrategy,
  p,
} from '@mikro-orm/core';
import {
  countVersions,
  ErrorCode,
  Operation,
  revert,
  Versioning,
  versioned,
  versionOf,
  VersionTransaction,
} from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { covers, expectRefusal, refuses } from './support/compatibility/covers.ts';
import { connectOrm, createOrm, describeDatabase, describeEachDatabase, disconnectOrm } from './support/databases.ts';

describeDatabase('postgresql', 'schemas', db => {
  it('a row of another schema that moves to a parent which goes is deleted once', async () => {
    const schema = 'app';
    const Parent = versioned(defineEntity({ name: 'Parent', schema, properties: { id: p.integer().primary() } }));
    const Child = versioned(
      defineEntity({
        name: 'Child',
        schema,
        properties: { id: p.integer().primary(), parent: () => p.manyToOne(Parent).deleteRule('cascade') },
      }),
    );
    const orm = await createOrm(db, { entities: [Parent, Child], extensions: [Versioning] });
    const em = orm.em.fork();
    em.create(Child, { id: 1, parent: em.create(Parent, { id: 1 }) });
    em.create(Parent, { id: 2 });
    await em.flush();
    const other = orm.em.fork();
    const parent = await other.findOneOrFail(Parent, 2);
    (await other.findOneOrFail(Child, 1)).parent = parent;
    other.remove(parent);
    await other.flush();
    const operations = await orm.em.execute('select operation_type from app.child_version order by version_id');
    expect(operations).toEqual([{ operation_type: Operation.INSERT }, { operation_type: Operation.DELETE }]);
  });

  it('the type of a column that only the history still has stays', async () => {
    const connection = await db.options({ shared: true });
    const Other = versioned(defineEntity({ name: 'Other', properties: { id: p.integer().primary() } }));
    const article = (properties: object) =>
      versioned(defineEntity({ name: 'Article', properties: { id: p.integer().primary(), ...properties } }));
    const status = p.enum(['draft', 'published']).nativeEnumName('status').nullable();
    for (const entities of [
      [Other, article({ status })],
      [Other, article({})],
      [Other, article({ status })],
      [Other],
    ]) {
      const orm = await connectOrm(db, connection, { entities: entities as never, extensions: [Versioning] });
      await orm.schema.update();
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
      expect(await orm.em.fork().execute('select status from article_version')).toEqual([]);
      await disconnectOrm(db, orm);
    }
  });

  it.for(['of the entity', 'of the configuration'])(
    '%s: live rows and history share it',
    covers('Schemas and names: schema of the entity', 'Schemas and names: schema of the configuration'),
    async where => {
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
      const article = em.create(Article, { id: 1, name: 'a', tag, tags: [tag] } as never) as unknown as {
        name: string;
      };
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
    },
  );

  it(
    'keeps all history in a schema of its own where asked',
    covers('Schemas and names: history in a schema of its own'),
    async () => {
      const orm = await createOrm(db, {
        entities: defineBlog(),
        extensions: [Versioning.with({ schema: 'history', tablePrefix: 'h_', tableSuffix: '' })],
      });
      await tellHistory(orm);
      const tables = await orm.em
        .fork()
        .execute<{ name: string }[]>(
          "select table_name as name from information_schema.tables where table_schema = 'history' order by 1",
        );
      expect(tables.map(({ name }) => name)).toEqual([
        'h_blog_post',
        'h_blog_post_blog_tags',
        'h_blog_tag',
        'version_transaction',
      ]);
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    },
  );

  it(
    'the history of a wildcard schema stays in it',
    refuses('Schemas and names: history in a schema of its own, of a wildcard schema'),
    async ({ task }) => {
      const Note = versioned(
        defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary(), text: p.string() } }),
      );
      await expectRefusal(
        task,
        createOrm(db, { entities: [Note], extensions: [Versioning.with({ schema: 'history' })] }),
        ErrorCode.UNSUPPORTED,
        "Note has the wildcard schema, so that its histories can't be together in the schema history. Leave out Versioning.with({ schema }): each history is in the schema of its rows then.",
      );
    },
  );
});

describeDatabase('sqlite', 'schemas', db => {
  it('has none for history', refuses('Schemas and names: history in a schema of its own'), async ({ task }) => {
    await expectRefusal(
      task,
      createOrm(db, { entities: defineBlog(), extensions: [Versioning.with({ schema: 'history' })] }),
      ErrorCode.UNSUPPORTED,
      'Versioning.with({ schema }) is given for SQLite, which has no schemas. Leave it out; tablePrefix and tableSuffix set the history apart.',
    );
  });

  it('takes a wildcard for the only schema that there is', covers('Schemas and names: wildcard schema'), async () => {
    const Note = versioned(
      defineEntity({ name: 'Note', schema: '*', properties: { id: p.integer().primary(), text: p.string() } }),
    );
    const orm = await createOrm(db, { entities: [Note], extensions: [Versioning] });
    await orm.schema.create({ schema: 'main' });
    const em = orm.em.fork();
    const note = em.create(Note, { id: 1, text: 'a' });
    await em.flush();
    note.text = 'b';
    await em.flush();
    expect(await countVersions(note)).toBe(2);
  });
});

/** What a user may call tables, columns and links. */
class ShoutingNamingStrategy extends AbstractNamingStrategy {
  classToTableName(name: string): string {
    return `T_${name.toUpperCase()}`;
  }

  joinColumnName(name: string): string {
    return `J_${name.toUpperCase()}`;
  }

  joinKeyColumnName(name: string, referenced?: string): string {
    return `K_${name.toUpperCase()}_${(referenced ?? '').toUpperCase()}`;
  }

  joinTableName(source: string, _target: string, property?: string): string {
    return `L_${source.toUpperCase()}_${(property ?? '').toUpperCase()}`;
  }

  propertyToColumnName(name: string): string {
    return `C ${name.toUpperCase()}`;
  }

  referenceColumnName(): string {
    return 'C ID';
  }
}

describeEachDatabase('names', db => {
  it.each([
    ['entity case', EntityCaseNamingStrategy],
    ['Mongo', MongoNamingStrategy],
    ['one of the user’s own, with spaces and capitals', ShoutingNamingStrategy],
  ])('by a naming strategy: %s', covers('Schemas and names: naming strategies'), async (_, namingStrategy) => {
    const orm = await createOrm(db, { entities: defineBlog(), extensions: [Versioning], namingStrategy });
    await tellHistory(orm);
    expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
  });

  it('with a prefix and a suffix', covers('Schemas and names: names of history tables and columns'), async () => {
    const extension = Versioning.with({ tablePrefix: 'old_', tableSuffix: '_rows', transactionTable: 'old_changes' });
    const orm = await createOrm(db, { entities: defineBlog(), extensions: [extension] });
    await tellHistory(orm);
    expect(orm.getMetadata(versionOf(orm.getMetadata().getByClassName('BlogPost').class as never)).tableName).toBe(
      'old_blog_post_rows',
    );
  });
});

function defineBlog() {
  const BlogTag = versioned(
    defineEntity({ name: 'BlogTag', properties: { id: p.integer().primary(), tagName: p.string() } }),
  );
  const BlogPost = versioned(
    defineEntity({
      name: 'BlogPost',
      properties: {
        id: p.integer().primary(),
        postTitle: p.string(),
        firstTag: () => p.manyToOne(BlogTag).nullable(),
        blogTags: () => p.manyToMany(BlogTag),
      },
    }),
  );
  return [BlogPost, BlogTag];
}

/** Writes, reads, and reverts. */
async function tellHistory(orm: Awaited<ReturnType<typeof createOrm>>): Promise<void> {
  const metadata = orm.getMetadata();
  const [Post, Tag] = ['BlogPost', 'BlogTag'].map(name => metadata.getByClassName(name).class) as never[];
  const em = orm.em.fork();
  const tag = em.create(Tag!, { id: 1, tagName: 'x' } as never) as { tagName: string };
  const post = em.create(Post!, { id: 1, postTitle: 'a', firstTag: tag, blogTags: [tag] } as never) as {
    postTitle: string;
    blogTags: { removeAll(): void };
  };
  await em.flush();
  post.postTitle = 'b';
  tag.tagName = 'y';
  post.blogTags.removeAll();
  await em.flush();
  const versions = (await orm.em
    .fork()
    .find(
      versionOf(Post!),
      {},
      { populate: ['firstTag', 'blogTags', 'previous'] as never, orderBy: { versionId: 'asc' } as never },
    )) as never as { postTitle: string; firstTag: { tagName: string }; blogTags: Iterable<{ tagName: string }> }[];
  expect(versions.map(each => [each.postTitle, each.firstTag.tagName, [...each.blogTags].map(t => t.tagName)])).toEqual(
    [
      ['a', 'x', ['x']],
      ['b', 'y', []],
    ],
  );
  const other = orm.em.fork();
  const [first] = await other.find(versionOf(Post!), {}, { orderBy: { versionId: 'asc' } as never });
  await revert(first as never, { relations: ['blogTags', 'firstTag'] as never });
  await other.flush();
  expect(await orm.em.fork().find(Post!, {}, { populate: ['firstTag', 'blogTags'] as never })).toMatchObject([
    { postTitle: 'a', firstTag: { tagName: 'x' } },
  ]);
  expect(await orm.em.fork().count(VersionTransaction)).toBe(3);
}
