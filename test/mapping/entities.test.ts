import { defineEntity, EntityRepository, EntitySchema, p } from '@mikro-orm/core';
import { ErrorCode, Versioning, versioned, type VersioningOptions } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { about, covers, expectRefusal, leavesOut, refuses } from '../support/compatibility/covers.ts';
import { createOrm, describeDatabase, describeEachDatabase, type Database } from '../support/databases.ts';
import { historyOf } from '../support/history.ts';
import { lifeOf, lifeOfValues } from '../support/lifeOf.ts';

const properties = { id: p.integer().primary(), name: p.string(), size: p.integer() };
const [FIRST, SECOND] = [
  { name: 'a', size: 1 },
  { name: 'b', size: 2 },
];

const thing = (more: object) =>
  versioned(defineEntity({ name: 'Thing', properties, ...more } as never) as never) as object;

const start = (db: Database, entities: readonly object[], options: VersioningOptions = {}) =>
  createOrm(db, { entities: entities as never, extensions: [Versioning.with(options)] });

class Things extends EntityRepository<object> {
  describe(): string {
    return 'things';
  }
}

class Built {
  id!: number;
  readonly name: string;
  size: number;

  constructor(name: string, size: number) {
    this.name = name;
    this.size = size;
  }
}

describeEachDatabase('an entity', db => {
  it(
    'has a history without its constraints',
    about({
      supported: ['Entity options: comment', 'Entity options: orderBy', 'Entity options: indexes, uniques'],
      'left out': ['Entity options: checks'],
    }),
    async () => {
      const Thing = thing({
        comment: 'a note',
        orderBy: { name: 'desc' },
        indexes: [
          { name: 'thing_both', properties: ['name', 'size'] },
          { name: 'thing_partial', properties: ['size'], where: 'size > 1' },
        ],
        uniques: [{ name: 'thing_unique', properties: ['name'] }],
        checks: [{ name: 'thing_positive', expression: 'size > 0' }],
      });
      const orm = await start(db, [Thing]);
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
      const created = (await orm.schema.getCreateSchemaSQL())
        .split('\n')
        .filter(line => line.includes('thing_version'));
      expect(created.join('\n')).not.toMatch(/thing_(both|partial|unique|positive)/);
      expect(await lifeOf(orm, Thing, { id: 1, ...FIRST }, SECOND)).toEqual(lifeOfValues({ id: 1 }, FIRST, SECOND));
    },
  );

  it(
    'may have a repository, and hooks that change it',
    covers('Entity options: repository', 'Entity options: hooks and subscribers'),
    async () => {
      const heard: string[] = [];
      const hear = (event: string) => [() => void heard.push(event)];
      const Thing = versioned(
        new EntitySchema<{ id: number; name: string; size: number }>({
          name: 'Thing',
          repository: () => Things,
          hooks: {
            beforeCreate: hear('beforeCreate'),
            afterCreate: hear('afterCreate'),
            beforeUpdate: [({ entity }: { entity: { size: number } }) => void (entity.size = 9)],
            afterUpdate: hear('afterUpdate'),
            beforeDelete: hear('beforeDelete'),
            afterDelete: hear('afterDelete'),
            onLoad: hear('onLoad'),
          },
          properties: {
            id: { type: 'integer', primary: true },
            name: { type: 'string' },
            size: { type: 'integer' },
          },
        }),
      );
      const orm = await start(db, [Thing]);
      const em = orm.em.fork();
      expect((em.getRepository(Thing) as unknown as Things).describe()).toBe('things');
      const row = em.create(Thing, { id: 1, ...FIRST });
      await em.flush();
      row.name = 'b';
      await em.flush();
      em.remove(row);
      await em.flush();
      expect(await historyOf(orm, [Thing])).toEqual([
        'Thing#1 INSERT { name: a, size: 1 } [1, 2)',
        'Thing#1 UPDATE { name: b, size: 9 } [2, 3)',
        'Thing#1 DELETE { name: b, size: 9 } [3, )',
      ]);
      // no hook is called for a version
      expect(heard).toEqual(['beforeCreate', 'afterCreate', 'afterUpdate', 'beforeDelete', 'afterDelete']);
    },
  );

  it('may be built by its constructor', covers('Entity options: forceConstructor, constructorParams'), async () => {
    const schema = versioned(
      new EntitySchema<Built>({
        class: Built,
        forceConstructor: true,
        constructorParams: ['name', 'size'],
        properties: {
          id: { type: 'integer', primary: true },
          name: { type: 'string' },
          size: { type: 'integer' },
        },
      } as never),
    ) as object;
    const orm = await start(db, [schema]);
    expect(await lifeOf(orm, schema, { id: 1, ...FIRST }, SECOND)).toEqual(lifeOfValues({ id: 1 }, FIRST, SECOND));
  });

  it(
    'may have triggers, whose work on the row counts',
    covers('Entity options: triggers (triggers, hasTriggers)'),
    async () => {
      const Thing = thing({
        hasTriggers: true,
        triggers: [
          {
            name: 'grow',
            timing: db.name === 'sqlite' ? 'after' : 'before',
            events: ['update'],
            forEach: 'row',
            body:
              db.name === 'sqlite'
                ? 'update thing set size = 99 where id = new.id and size <> 99'
                : 'NEW.size = 99; return NEW;',
          },
        ],
      });
      const orm = await start(db, [Thing]);
      const em = orm.em.fork();
      const row = em.create(Thing as never, { id: 1, ...FIRST } as never) as { name: string };
      await em.flush();
      row.name = 'b';
      await em.flush();
      expect(await historyOf(orm, [Thing])).toEqual([
        'Thing#1 INSERT { name: a, size: 1 } [1, 2)',
        'Thing#1 UPDATE { name: b, size: 99 } [2, )',
      ]);
    },
  );

  it('that is read-only has nothing to record', leavesOut('Entity options: readonly'), async () => {
    const Thing = thing({ readonly: true });
    const orm = await start(db, [Thing]);
    const em = orm.em.fork();
    em.create(Thing as never, { id: 1, ...FIRST } as never);
    await em.flush();
    expect(await em.fork().count(Thing as never)).toBe(0);
    expect(await historyOf(orm, [Thing])).toEqual([]);
  });

  it(
    'may extend an abstract one, and be kept under another name',
    covers(
      'Entity options: abstract, extends',
      'Schemas and names: tableName, collection',
      'Schemas and names: reserved word as a table name',
    ),
    async () => {
      const Base = defineEntity({
        name: 'Base',
        abstract: true,
        properties: { id: p.integer().primary(), name: p.string() },
      });
      const [One, Two] = (['tableName', 'collection'] as const).map(option =>
        versioned(
          defineEntity({
            name: option === 'tableName' ? 'One' : 'Two',
            [option]: option === 'tableName' ? 'select' : 'kept_here',
            extends: Base,
            properties: { size: p.integer() },
          } as never) as never,
        ),
      ) as object[];
      const orm = await start(db, [Base, One!, Two!]);
      for (const entity of [One!, Two!]) {
        expect(await lifeOf(orm, entity, { id: 1, ...FIRST }, SECOND)).toEqual(lifeOfValues({ id: 1 }, FIRST, SECOND));
      }
      expect(await orm.em.fork().execute('select * from select_version')).toHaveLength(4);
    },
  );

  it(
    'whose history would have the table of another is refused',
    refuses('Schemas and names: a table of the history’s name'),
    async ({ task }) => {
      const Other = defineEntity({ name: 'Other', tableName: 'thing_version', properties });
      await expectRefusal(
        task,
        start(db, [thing({}), Other]),
        ErrorCode.TABLE_COLLISION,
        "Other and ThingVersion share the table thing_version. Give one of them a table of its own: @Versioned({ tableName: '…' }).",
      );
    },
  );

  it('of a mark that would say nothing is refused: a view', refuses('Entity options: view'), async ({ task }) => {
    const View = versioned(
      defineEntity({ name: 'View', view: true, expression: 'select id, name, size from thing', properties }),
    );
    await expectRefusal(
      task,
      start(db, [thing({}), View]),
      ErrorCode.UNSUPPORTED,
      'View is a view, which has no rows of its own. Remove its mark, and mark the entities that it shows.',
    );
  });

  it(
    'of a mark that would say nothing is refused: a virtual entity',
    refuses('Entity options: virtual entity (expression)'),
    async ({ task }) => {
      const Virtual = versioned(
        defineEntity({ name: 'Virtual', expression: 'select name from thing', properties: { name: p.string() } }),
      );
      await expectRefusal(
        task,
        start(db, [thing({}), Virtual]),
        ErrorCode.UNSUPPORTED,
        'Virtual is a virtual entity, which has no rows of its own. Remove its mark, and mark the entities that it shows.',
      );
    },
  );

  it(
    'of a mark that would say nothing is refused: an embeddable',
    refuses('Embeddables: marked itself'),
    async ({ task }) => {
      const Address = defineEntity({ name: 'Address', embeddable: true, properties: { city: p.string() } });
      const Home = versioned(
        defineEntity({ name: 'Home', properties: { id: p.integer().primary(), at: () => p.embedded(Address) } }),
      );
      await expectRefusal(
        task,
        start(db, [Address, Home], { entities: [Address] }),
        ErrorCode.UNSUPPORTED,
        'Address is an embeddable, which has no rows of its own. Remove its mark: it is versioned with the entities that embed it.',
      );
    },
  );
});

// SQLite has none of these.
describeDatabase('postgresql', 'an entity', db => {
  it(
    'may be guarded by policies, and be in partitions',
    covers('Entity options: policies, rowLevelSecurity', 'Entity options: partitionBy'),
    async () => {
      const Thing = thing({
        partitionBy: { type: 'hash', expression: 'id', partitions: 3 },
        rowLevelSecurity: 'force',
        policies: [{ name: 'positive', using: 'size > 0', check: 'size > 0' }],
      });
      const orm = await start(db, [Thing]);
      expect(await orm.schema.getUpdateSchemaSQL()).toBe('');
      expect(await lifeOf(orm, Thing, { id: 1, ...FIRST }, SECOND)).toEqual(lifeOfValues({ id: 1 }, FIRST, SECOND));
      const created = (await orm.schema.getCreateSchemaSQL())
        .split('\n')
        .filter(line => line.includes('thing_version'));
      expect(created.join('\n')).not.toMatch(/partition|policy|row level security/);
    },
  );

  it(
    'of a mark that would say nothing is refused: a materialized view',
    refuses('Entity options: materialized view'),
    async ({ task }) => {
      const View = versioned(
        defineEntity({
          name: 'View',
          view: { materialized: true },
          expression: 'select id, name, size from thing',
          properties,
        }),
      );
      await expectRefusal(
        task,
        start(db, [thing({}), View]),
        ErrorCode.UNSUPPORTED,
        'View is a view, which has no rows of its own. Remove its mark, and mark the entities that it shows.',
      );
    },
  );
});
