import { defineEntity, p, raw } from '@mikro-orm/core';
import { asOf, ErrorCode, Versioning, versioned } from 'mikro-orm-versioning';
import { beforeAll, describe, expect, it } from 'vitest';

import { createOrm, describeDatabase, describeEachDatabase, type Orm } from '../support/databases.ts';

/** Whose names are within each other, keywords, columns, or need quotes. */
const named = (name: string, tableName: string, properties: object = {}) =>
  versioned(
    defineEntity({
      name,
      tableName,
      properties: { id: p.integer().primary(), name: p.string(), ...properties },
    }),
  );
const Item = named('Item', 'item');
const Items = named('Items', 'items');
const Order = named('Order', 'order', { item: () => p.manyToOne(Item).nullable(), order: p.string().nullable() });
const Odd = named('Odd', 'we"ird name', { item: p.string().fieldName('we"ird').nullable() });
const Capital = named('Capital', 'Capital', { capital: p.string().nullable() });
const Name = named('Name', 'name', { data: p.json().nullable() });
const TABLES = [Item, Items, Order, Odd, Capital, Name];

/** In the first transaction each table has a row called old; in the second one it is called new, and there is another one. */
async function createNamed(orm: Orm): Promise<void> {
  const em = orm.em.fork();
  for (const entity of TABLES) {
    em.create(entity as never, { id: 1, name: 'old' } as never);
  }
  await em.flush();
  for (const entity of TABLES) {
    ((await em.findOneOrFail(entity as never, 1 as never)) as { name: string }).name = 'new';
    em.create(entity as never, { id: 2, name: 'other' } as never);
  }
  await em.flush();
}

describeEachDatabase('SQL of the past', db => {
  let orm: Orm;

  beforeAll(async () => {
    orm = await createOrm(db, { entities: TABLES, extensions: [Versioning] });
    await createNamed(orm);
  });

  /** Of the first transaction. */
  const ask = (sql: string, params: unknown[] = []) => asOf(orm.em.fork(), 1).execute(sql, params);
  const old = [{ name: 'old' }];

  it.each(TABLES.map(entity => entity.meta.tableName!))('finds the table %s, whatever it is called', async table => {
    const entity = TABLES.find(({ meta }) => meta.tableName === table)!;
    const past = asOf(orm.em.fork(), 1);
    expect(await past.find(entity as never, {})).toMatchObject(old);
    expect(
      await past
        .createQueryBuilder(entity as never, table)
        .select('name' as never)
        .execute(),
    ).toEqual(old);
    expect(await past.execute('select name from ??', [table])).toEqual(old);
    expect(await past.count(entity as never, { name: { $in: ['new', 'other'] } } as never)).toBe(0);
  });

  it.each([
    'select name from item',
    'SELECT name FROM Item',
    'select name\nfrom\n\titem\n',
    'select item.name from item',
    'select item.name from item, items where items.id = item.id',
    'select items.name from items as item, item as items where items.id = item.id',
    'select name from "order"',
    'select "order"."name" from "order" order by "order"."order"',
    'select name from "order" as "item"',
    'select "we""ird name".name from "we""ird name"',
    'select name from "Capital"',
    'select name.name from name',
    'select (select max(name) from item) as name',
    'select name from item where exists (select 1 from items where items.id = item.id)',
    'select name from item union select name from items',
    'select name from (select name from item) as t',
    'with t as (select name from item) select name from t',
    'with t(name)as(select name from item), items2 as (select * from items) select t.name from t, items2',
    'with recursive t as (select id, name from item union select i.id, i.name from item i join t on t.id > i.id) select name from t',
    `with"t" as (select name from item) select name from "t"`,
    '/* a comment */ select name from item',
    '-- item\nselect name from item -- the end',
    "/* it's */ select name from item /* it's */",
    'select name from item;',
    "select name from item where name <> 'from items; delete'",
    "select name from item where name <> 'it''s'",
    "select name from item where '\"' <> name and name <> '\"'",
    "select name from item where 'item' <> name and 'items' <> 'item'",
    'select case when count(*) = 1 then min(name) end as name from item',
    'select item.name from item left join items i on i.id = item.id and i.name = item.name where i.name = item.name',
    'select i.name from item i cross join (items j join name n on n.id = j.id)',
  ])('reads the past in: %s', async sql => {
    expect(await ask(sql)).toEqual(old);
  });

  it('does not take a table for an expression of the query that is called like it', async () => {
    expect(await ask("with item as (select 'mine' as name) select name from item")).toEqual([{ name: 'mine' }]);
    expect(await ask("with item as (select 'mine' as name), t as (select name from item) select name from t")).toEqual([
      { name: 'mine' },
    ]);
    expect(
      await ask('with items as (select name from item) select name from items union all select name from "order"'),
    ).toEqual([{ name: 'old' }, { name: 'old' }]);
    expect(await ask("select name from (with item as (select 'mine' as name) select name from item) as t")).toEqual([
      { name: 'mine' },
    ]);
    expect(
      await ask(
        "with recursive item(name) as (select 'a' union all select name || 'a' from item where length(name) < 3) select name from item",
      ),
    ).toEqual([{ name: 'a' }, { name: 'aa' }, { name: 'aaa' }]);
  });

  it('keeps what is text, and the order of parameters', async () => {
    expect(
      await ask("select 'item, items' as a, ? as b, name from item where name = ? limit ?", ['x', 'old', 1]),
    ).toEqual([{ a: 'item, items', b: 'x', name: 'old' }]);
    expect(await ask('select name from item where name = ?', ["item'; delete from item; --"])).toEqual([]);
    expect(await ask('select ? as text', ['??'])).toEqual([{ text: '??' }]);
    expect(await ask('select ? as text, ?? from ??', ["a ? ' ?? b", 'name', 'item'])).toEqual([
      { text: "a ? ' ?? b", name: 'old' },
    ]);
  });

  it('sees what is in parameters', async () => {
    expect(await ask('select ? as name', [raw('(select name from item)')])).toEqual(old);
    const refused = { code: ErrorCode.READ_ONLY };
    await expect(ask('?', [raw('delete from item')])).rejects.toMatchObject(refused);
    await expect(ask('select 1; ?', [raw('delete from item')])).rejects.toMatchObject(refused);
    await expect(asOf(orm.em.fork(), 1).execute(raw('?', [raw('delete from item')]))).rejects.toMatchObject(refused);
  });

  it('explains queries of the past', async () => {
    const explain = db.name === 'sqlite' ? 'explain query plan' : 'explain';
    for (const sql of ['select name from item', 'with t as (select name from item) select name from t']) {
      const plan = JSON.stringify(await ask(`/* why */ ${explain} ${sql}`));
      expect(plan).toMatch(/item_version/);
      expect(plan).not.toMatch(/(?:scan|search|on) item\b(?!_version)/i);
    }
  });

  it('is of the default schema where it is named', async () => {
    const schema = db.name === 'sqlite' ? 'main' : 'public';
    expect(await ask(`select name from ${schema}.item`)).toEqual(old);
    expect(await ask(`select item.name from "${schema}"."item" where item.id = 1`)).toEqual(old);
    expect(await ask(`select ${schema}.item.name from ${schema}.item`)).toEqual(old);
    expect(await ask(`select i.name from items, ${schema} . "item" as i where i.id = items.id`)).toEqual(old);
    expect(await ask(`select name from ${schema}.item where name in (select name from ${schema}.items)`)).toEqual(old);
  });
});

describeDatabase('sqlite', 'SQL of the past in the words of SQLite', db => {
  it.each([
    'select name from (item)',
    'select name from [item]',
    'select name from `item`',
    "select name from 'item'",
    'values ((select name from item))',
  ])('reads the past in: %s', async sql => {
    const orm = await createOrm(db, { entities: TABLES, extensions: [Versioning] });
    await createNamed(orm);
    const [row] = await asOf(orm.em.fork(), 1).execute<object[]>(sql);
    expect(Object.values(row!)).toEqual(['old']);
  });
});

describeDatabase('postgresql', 'SQL of the past in the words of PostgreSQL', db => {
  let orm: Orm;

  beforeAll(async () => {
    orm = await createOrm(db, { entities: TABLES, extensions: [Versioning] });
    await createNamed(orm);
  });

  const ask = (sql: string, params: unknown[] = []) => asOf(orm.em.fork(), 1).execute(sql, params);
  const old = [{ name: 'old' }];

  it.each([
    'table item',
    'select name from only item',
    'select name from lateral (select name from item) t',
    '(select name from item) union (select name from items)',
    'with t as (table item) select name from t',
    'with item as (select name from item) select name from item',
    'with t as (select * from items), items as (select * from t) select name from items order by id',
    "select name from item where name <> e'it\\'s from items'",
    "select name from item where name <> $$ it's ; delete from items $$",
    'select name from item where name <> $x$ $$ from "items" $x$',
    "select name::text from item where name::varchar(9) = 'old'::text",
    'select name from item /* a /* nested */ comment; delete from item */',
    "select name from item where date'2024-01-01' is not null and name is distinct from 'x'",
    "select name from item where extract(year from date '2024-01-01') = 2024 and substring(name from 1 for 1) = 'o'",
  ])('reads the past in: %s', async sql => {
    const rows = (await ask(sql)) as { name: string }[];
    expect(rows.map(({ name }) => ({ name }))).toEqual(old);
  });

  it('knows the operators of JSON', async () => {
    const em = orm.em.fork();
    Object.assign(await em.findOneOrFail(Name, 1), { data: { tags: ['a'], name: { item: 1 } } });
    await em.flush();
    const past = asOf(em, 3);
    const asked = await past.execute(
      "select data->'name'->>'item' as item, data \\? 'tags' as has, data #> '{name,item}' as path from name where data @> ?::jsonb and data->'tags' \\?| array['a']",
      ['{"tags": ["a"]}'],
    );
    expect(asked).toEqual([{ item: '1', has: true, path: 1 }]);
    expect(await past.find(Name, { data: { name: { item: 1 } } } as never)).toHaveLength(1);
    expect(await asOf(em, 2).find(Name, { data: { name: { item: 1 } } } as never)).toHaveLength(0);
  });

  describe('refuses what writes, however it is hidden:', () => {
    it.each([
      'with x as (insert into item values (9, 1) returning id) select id from x',
      'with x as (select 1) update only item as i set name = 1',
      'with x as (select 1) update item * set name = 1',
      'with x as (select 1)update"item"set name = 1',
      'with x as (select 1) merge into item using items on true when matched then delete',
      'explain analyze delete from item',
      'explain (analyze) update item set name = 1',
      'explain analyze verbose insert into item values (9)',
      'explain analyze create table other as select * from item',
      'explain analyze execute something',
      'select * into other from item',
      'select 1.into other',
      'select * from item for update',
      'select * from item for no key update',
      'select * from item for share',
      'select * from item for key share',
      'select 1; delete from item',
      "select name'\\'; delete from item; --'",
      'select 1 -- \r; delete from item',
      "select 1 /* /* */ ' */; delete from item; select '",
      'select 1 as a$b$, 2; delete from item; select 1 as a$b$',
      'do $$ begin delete from item; end $$',
      'call something()',
      'copy item to stdout',
      'lock table item',
      'truncate item',
      'set search_path to other',
      'begin',
      'prepare x as delete from item',
      'refresh materialized view item',
      'create table x as select 1',
      '',
      '-- nothing',
    ])('%s', async sql => {
      await expect(ask(sql)).rejects.toMatchObject({ code: ErrorCode.READ_ONLY });
    });
  });

  it('does not take a name for a keyword', async () => {
    for (const sql of [
      'select name as "update", name as copy, name as lock, name as refresh, name as call from item',
      'select t.delete, t.update, "t".insert from (select 1 as "delete", 2 as "update", 3 as "insert") t, item',
      "select name, 'update item set' as text from item",
      'select share.share from (select 1 as share) share, item',
    ]) {
      expect(await ask(sql)).toHaveLength(1);
    }
  });

  it('keeps a function from writing in a transaction of the past', async () => {
    await orm.em.execute(
      "create function rename() returns int language sql as $$ update item set name = 'gone' returning id $$",
    );
    const past = asOf(orm.em.fork(), 1);
    await expect(past.transactional(async em => em.execute('select rename()'))).rejects.toThrow(
      /read-only transaction/,
    );
    expect(await orm.em.fork().execute("select name from item where name = 'gone'")).toEqual([]);
  });
});
