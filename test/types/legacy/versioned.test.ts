import { Collection } from '@mikro-orm/core';
import { Entity, ManyToMany, ManyToOne, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Operation, Versioned, Versioning, versionOf, type Version, type Versions } from 'mikro-orm-versioning';
import { expect, expectTypeOf, it } from 'vitest';

import { createOrm, describeEachDatabase } from '../../support/databases.ts';

@Versioned()
@Entity()
class Category {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  declare readonly versions: Versions<Category>;
}

@Entity()
class Tag {
  @PrimaryKey({ type: 'integer' })
  id!: number;
}

@Entity()
@Versioned({ exclude: ['views'], rename: { number: 'articleNumber' } })
class Article {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'integer' })
  number!: number;

  @Property({ type: 'integer' })
  views = 0;

  @ManyToOne(() => Category)
  category!: Category;

  @ManyToMany(() => Tag)
  tags = new Collection<Tag>(this);

  declare readonly versions: Versions<Article, { number: 'articleNumber'; views: never }>;
}

describeEachDatabase('@Versioned() as a legacy decorator', db => {
  it('marks the entity, which declares its versions', async () => {
    const orm = await createOrm(db, { entities: [Article, Category, Tag], extensions: [Versioning] });
    const writing = orm.em.fork();
    writing.create(Article, { id: 1, number: 7, views: 0, category: writing.create(Category, { id: 1, name: 'a' }) });
    await writing.flush();

    const article = await orm.em.fork().findOneOrFail(Article, 1, { populate: ['versions.category', 'versions.tags'] });
    const version = article.versions[0]!;
    expectTypeOf(version.articleNumber).toEqualTypeOf<number>();
    expectTypeOf(version.category.name).toEqualTypeOf<string>();
    expectTypeOf(versionOf(Article).prototype).toEqualTypeOf<
      Version<Article, { number: 'articleNumber'; views: never }>
    >();
    // @ts-expect-error excluded
    expect(version.views).toBeUndefined();
    expect(version.operationType).toBe(Operation.INSERT);
    expect([version.articleNumber, version.number, version.category.name, version.tags.length]).toEqual([7, 1, 'a', 0]);
  });
});
