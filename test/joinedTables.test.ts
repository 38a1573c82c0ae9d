import { PrimaryKeyProp } from '@mikro-orm/core';
import { Embeddable, Embedded, Entity, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import { ErrorCode, Versioned, Versioning, versionOf, type Versions } from 'mikro-orm-versioning';
import { describe, expect, it } from 'vitest';

import { createOrm, describeEachDatabase } from './support/databases.ts';
import { historyOf } from './support/history.ts';

describeEachDatabase('the one table of joined tables', db => {
  describe('columns of two tables that would be one in the history', () => {
    @Entity({ inheritance: 'tpt' })
    @Versioned()
    class Tree {
      @PrimaryKey({ type: 'integer' })
      id!: number;

      @Property({ type: 'string' })
      oakSize!: string;
    }

    @Entity()
    class Oak extends Tree {
      @Property({ type: 'integer' })
      size!: number;
    }

    it('are refused with the reason', async () => {
      await expect(createOrm(db, { entities: [Tree, Oak], extensions: [Versioning] })).rejects.toMatchObject({
        code: ErrorCode.NAME_COLLISION,
        message:
          'Tree and Oak, of one hierarchy of tables, would share the column oak_size of their history. Give one of them another table or column name.',
      });
    });
  });

  describe('embeddables that siblings declare differently', () => {
    @Embeddable()
    class Size {
      @Property({ type: 'integer' })
      height!: number;

      @Property({ type: 'integer', nullable: true })
      width?: number;
    }

    @Embeddable()
    class Word {
      @Property({ type: 'string' })
      height!: string;
    }

    @Entity({ inheritance: 'tpt' })
    @Versioned()
    class Thing {
      @PrimaryKey({ type: 'integer' })
      id!: number;

      declare readonly versions: Versions<Thing>;
    }

    @Entity()
    class Block extends Thing {
      @Embedded(() => Size)
      size!: Size;

      @Embedded(() => Size, { object: true })
      stored!: Size;
    }

    @Entity()
    class Text extends Thing {
      @Embedded(() => Word)
      size!: Word;

      @Embedded(() => Word, { object: true })
      stored!: Word;
    }

    it('come back as the class of the version has them', async () => {
      const orm = await createOrm(db, { entities: [Size, Word, Thing, Block, Text], extensions: [Versioning] });
      const em = orm.em.fork();
      em.create(Block, { id: 1, size: { height: 1, width: 2 }, stored: { height: 3 } } as never);
      em.create(Text, { id: 2, size: { height: 'a' }, stored: { height: 'b' } } as never);
      await em.flush();
      const versions = await orm.em.fork().find(versionOf(Thing), {}, { orderBy: { id: 'asc' } });
      expect(versions.map(version => version.constructor.name)).toEqual(['BlockVersion', 'TextVersion']);
      expect(versions).toMatchObject([
        { size: { height: 1, width: 2 }, stored: { height: 3 } },
        { size: { height: 'a' }, stored: { height: 'b' } },
      ]);
    });
  });

  describe('keys of several columns', () => {
    @Entity({ inheritance: 'tpt' })
    @Versioned()
    class Place {
      [PrimaryKeyProp]?: ['row', 'seat'];

      @PrimaryKey({ type: 'integer' })
      row!: number;

      @PrimaryKey({ type: 'string' })
      seat!: string;

      @Property({ type: 'string' })
      name!: string;

      declare readonly versions: Versions<Place>;
    }

    @Entity()
    class Box extends Place {
      @Property({ type: 'integer' })
      chairs!: number;

      declare readonly versions: Versions<Box>;
    }

    it('join the tables', async () => {
      const orm = await createOrm(db, { entities: [Place, Box], extensions: [Versioning] });
      const em = orm.em.fork();
      const box = em.create(Box, { row: 1, seat: 'a', name: 'A', chairs: 4 } as never) as Box;
      em.create(Place, { row: 1, seat: 'b', name: 'B' } as never);
      await em.flush();
      box.chairs = 5;
      await em.flush();
      expect(await historyOf(orm, [Place])).toEqual([
        'Place#1 INSERT { seat: a, name: A, box_chairs: 4, entity_type: box } [1, 2)',
        'Place#1 INSERT { seat: b, name: B, box_chairs: null, entity_type: place } [1, )',
        'Place#1 UPDATE { seat: a, name: A, box_chairs: 5, entity_type: box } [2, )',
      ]);
    });
  });
});
