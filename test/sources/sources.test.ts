import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { TsMorphMetadataProvider } from '@mikro-orm/reflection';
import { Versioning, versionOf, type EntityReference } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { covers } from '../support/compatibility/covers.ts';
import type { Feature } from '../support/compatibility/features.ts';
import { createOrm, describeEachDatabase, type Database, type OrmOptions } from '../support/databases.ts';
import { historyOf } from '../support/history.ts';
import { HISTORY } from './history.ts';
import type { Source } from './model.ts';
import { createProject } from './project.ts';
import { readTimeline, writeHistory } from './timeline.ts';

interface Written {
  readonly source: Source;
  readonly options?: Partial<OrmOptions>;
}

/** Imports what the type checker would check with the wrong kind of decorators. */
async function importLegacy(...path: string[]): Promise<Source> {
  return (await import(join(...path))) as Source;
}

/** By the feature of MikroORM's that each is. */
const WAYS: Record<string, { feature: Feature; load: (db: Database) => Promise<Written> }> = {
  'legacy decorators and the types that reflect-metadata knows': {
    feature: 'Metadata sources: legacy decorators with reflect-metadata',
    load: async db => {
      const { folder } = await createProject(db);
      const source = await importLegacy(folder, 'dist', 'legacy', 'classes.js');
      return { source, options: { metadataProvider: ReflectMetadataProvider } };
    },
  },
  'legacy decorators and the types that ts-morph reads': {
    feature: 'Metadata sources: legacy decorators with ts-morph',
    load: async () => {
      const source = await importLegacy(import.meta.dirname, 'legacy', 'classes.ts');
      return { source, options: { metadataProvider: TsMorphMetadataProvider, metadataCache: { enabled: false } } };
    },
  },
  'ES decorators': {
    feature: 'Metadata sources: ES decorators',
    load: async () => ({ source: await import('./es.ts') }),
  },
  'EntitySchema and classes': {
    feature: 'Metadata sources: EntitySchema of classes',
    load: async () => ({ source: await import('./entitySchemaOfClasses.ts') }),
  },
  'EntitySchema without classes, listed in the configuration': {
    feature: 'Metadata sources: EntitySchema',
    load: async () => {
      const source = await import('./entitySchema.ts');
      const entities = [source.Article, source.Category, source.Comment, source.Tag] as EntityReference[];
      return { source, options: { extensions: [Versioning.with({ entities })] } };
    },
  },
  'defineEntity and classes': {
    feature: 'Metadata sources: defineEntity with classes',
    load: async () => ({ source: await import('./defineEntityWithClasses.ts') }),
  },
  'defineEntity without classes': {
    feature: 'Metadata sources: defineEntity',
    load: async () => ({ source: await import('./defineEntity.ts') }),
  },
};

describeEachDatabase('the sources of metadata', db => {
  for (const [way, { feature, load }] of Object.entries(WAYS)) {
    it(`${way} give the same history as the others`, covers(feature), async () => {
      const { source, options } = await load(db);
      const { Article, Category, Comment, Review, Tag } = source;
      const orm = await createOrm(db, {
        entities: [Article, Category, Comment, Review, Tag] as EntityReference[],
        extensions: [Versioning],
        ...options,
      });

      await writeHistory(orm, source);

      expect(await readTimeline(orm, source)).toEqual(HISTORY);
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    });
  }

  it.each([
    ['entities', { entities: ['test/sources/folder/*.ts'] }],
    ['entitiesTs', { entities: ['dist/folder/*.js'], entitiesTs: ['test/sources/folder/*.ts'] }],
  ])(
    'a folder in %s has the history of what is marked in it or in the list',
    covers('Metadata sources: folders (globs)'),
    async (_, folders) => {
      const { Book } = await import('./folder/Book.ts');
      const { Shelf } = await import('./folder/Shelf.ts');
      const orm = await createOrm(db, {
        ...folders,
        extensions: [Versioning.with({ entities: [Shelf] })],
        // not past the test runner, which lowers the decorators
        dynamicImportProvider: (url: string) => import(fileURLToPath(url)),
      });

      const em = orm.em.fork();
      const book = em.create(Book, { id: 1, title: 'a', copies: 3, shelf: em.create(Shelf, { id: 1, name: 'left' }) });
      await em.flush();
      book.title = 'b';
      book.shelf.name = 'right';
      await em.flush();
      book.copies = 4;
      await em.flush();

      expect(await historyOf(orm, [Book, Shelf])).toEqual([
        'Book#1 INSERT { title: a, shelf_id: 1 } [1, 2)',
        'Shelf#1 INSERT { name: left } [1, 2)',
        'Book#1 UPDATE { title: b, shelf_id: 1 } [2, )',
        'Shelf#1 UPDATE { name: right } [2, )',
      ]);
      const [first] = await orm.em
        .fork()
        .find(versionOf(Book), {}, { populate: ['shelf'], orderBy: { versionId: 'asc' }, limit: 1 });
      expect(first!.shelf.name).toBe('left');
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
    },
  );
});
