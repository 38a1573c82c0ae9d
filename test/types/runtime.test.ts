import { Collection, Reference, ScalarReference } from '@mikro-orm/core';
import { Versioning, versionOf } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { createOrm, describeEachDatabase } from '../support/databases.ts';
import { Article, Category, Cover, Tag, User } from './entities.ts';

describeEachDatabase('a version at runtime', db => {
  it('has what its type says', async () => {
    const orm = await createOrm(db, { entities: [Article, Category, Cover, Tag, User], extensions: [Versioning] });
    const writing = orm.em.fork();
    const category = writing.create(Category, { id: 1, name: 'a' });
    const user = writing.create(User, { id: 1, name: 'kim' });
    writing.create(Article, {
      id: 1,
      name: 'a',
      meta: { source: 'b', pages: [1, 2] },
      keywords: ['c'],
      body: 'text',
      views: 3,
      address: { city: 'Oslo' },
      category,
      wrapped: category,
      editor: user,
      author: user,
      categoryId: 1,
      tags: [writing.create(Tag, { code: 't', name: 'tag' })],
      readers: [user],
      cover: writing.create(Cover, { id: 1 } as never),
    });
    await writing.flush();

    const em = orm.em.fork();
    const version = await em.findOneOrFail(
      versionOf(Article),
      { id: 1 },
      {
        populate: ['category', 'second', 'wrapped', 'editor', 'author', 'tags', 'readers', 'cover', 'entity'],
      },
    );
    const members = [...new Set([...Object.keys(Article.prototype), ...Object.keys(version)])];
    const kinds = Object.fromEntries(
      members
        .filter(name => !name.endsWith('__key') && name !== 'endTransactionId')
        .map(name => [name, kindOf((version as never)[name])]),
    );
    expect(kinds).toEqual({
      versionId: 'number',
      operationType: 'number',
      transaction: 'VersionTransaction',
      endTransaction: 'null',
      validFrom: 'Date',
      validUntil: 'null',
      entity: 'Article',
      previous: 'null',
      next: 'null',
      id: 'number',
      name: 'string',
      note: 'null',
      status: 'string',
      createdAt: 'Date',
      meta: 'Object',
      keywords: 'Array',
      body: 'ScalarReference',
      address: 'Address',
      addresses: 'Array',
      category: 'CategoryVersion',
      second: 'null',
      wrapped: 'Reference of CategoryVersion',
      editor: 'Reference of User',
      author: 'User',
      categoryId: 'number',
      tags: 'Collection of TagVersion',
      readers: 'Collection of User',
      cover: 'CoverVersion',
    });
    expect(version.address.city).toBe('Oslo');
    expect(version.changeset).toMatchObject({
      category: [null, 1],
      wrapped: [null, 1],
      editor: [null, 1],
      categoryId: [null, 1],
      body: [null, 'text'],
      address: [null, { city: 'Oslo' }],
    });
    expect(version.changeset).not.toHaveProperty('views');
    expect(await version.changesetWithLinks()).toMatchObject({ tags: [[], ['t']], readers: [[], [1]] });
  });
});

function kindOf(value: unknown): string {
  if (value === null) {
    return 'null';
  }
  if (ScalarReference.isScalarReference(value)) {
    return 'ScalarReference';
  }
  if (Reference.isReference(value)) {
    return `Reference of ${kindOf(value.unwrap())}`;
  }
  if (Collection.isCollection(value)) {
    return `Collection of ${kindOf(value[0])}`;
  }
  return typeof value === 'object' ? value.constructor.name : typeof value;
}
