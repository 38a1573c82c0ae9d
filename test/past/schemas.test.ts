import { asOf, Versioning } from 'mikro-orm-versioning';
import { beforeAll, expect, it } from 'vitest';

import { createOrm, describeDatabase, type Orm } from '../support/databases.ts';
import { mirrorSchemas } from '../support/mirroredTables.ts';
import { Answer, Extra, Label, Note, Plan, TENANTS, Twin } from '../support/tenants.ts';
import { askThenAndNow, expectTelling, type Answers, type Question } from '../support/thenAndNow.ts';

const history: readonly ((orm: Orm) => Promise<void>)[] = [
  async orm => {
    const em = orm.em.fork();
    const extra = em.create(Extra, { id: 1, name: 'e1' });
    const free = em.create(Plan, { id: 1, name: 'free', extras: [extra] } as never);
    em.create(Plan, { id: 2, name: 'paid', follows: free } as never);
    em.create(Twin, { id: 1, name: 'twin' });
    await em.flush();
  },
  async orm => {
    const em = orm.em.fork({ schema: 'one' });
    const label = em.create(Label, { id: 1, name: 'l one' });
    const note = em.create(Note, { id: 1, note: 'n one', plan: 1, labels: [label] } as never);
    em.create(Answer, { id: 1, text: 'a one', note } as never);
    await em.flush();
  },
  async orm => {
    const em = orm.em.fork({ schema: 'two' });
    const note = em.create(Note, {
      id: 1,
      note: 'n two',
      plan: 2,
      labels: [em.create(Label, { id: 1, name: 'l two' })],
    } as never);
    em.create(Answer, { id: 1, text: 'a two', note } as never);
    (await em.findOneOrFail(Plan, 2)).name = 'dear';
    await em.flush();
  },
  async orm => {
    const one = orm.em.fork({ schema: 'one' });
    const note = await one.findOneOrFail(Note, 1, { populate: ['labels'] });
    note.note = 'N one';
    note.labels.removeAll();
    await one.flush();
    const em = orm.em.fork();
    (await em.findOneOrFail(Twin, 1)).name = 'other twin';
    await em.flush();
  },
  async orm => {
    const two = orm.em.fork({ schema: 'two' });
    two.remove(await two.findOneOrFail(Note, 1));
    (await two.findOneOrFail(Extra, 1)).name = 'E1';
    (await two.findOneOrFail(Plan, 2)).follows = null;
    const one = orm.em.fork({ schema: 'one' });
    (await one.findOneOrFail(Note, 1)).plan = null;
    await one.flush();
    await two.flush();
    two.remove(await two.findOneOrFail(Extra, 1));
    await two.flush();
  },
];

const notes =
  (schema: string, strategy: 'select-in' | 'joined' | 'balanced'): Question =>
  async em => {
    const populate = ['plan.extras', 'labels', 'answers'] as const;
    const found = await em.find(Note, {}, { populate, strategy, schema, orderBy: { id: 'asc' } });
    return found.map(each => [
      each.note,
      each.plan?.name ?? null,
      each.plan?.extras.map(({ name }) => name) ?? [],
      each.labels.map(({ name }) => name),
      each.answers.map(({ text }) => text),
    ]);
  };

const questions = {
  'an entity in its own schema': async em => {
    const plans = await em.find(Plan, {}, { populate: ['*'], orderBy: { id: 'asc' } });
    return plans.map(plan => JSON.stringify(plan));
  },
  'conditions there': async em => [
    await em.count(Plan, { follows: { name: 'free' } }),
    await em.count(Plan, { extras: { name: 'E1' } }),
    await em.count(Twin, { name: 'twin' }),
  ],
  'an entity in the schema of its manager, select-in': notes('one', 'select-in'),
  'an entity in the schema of its manager, joined': notes('one', 'joined'),
  'an entity in the schema of its manager, balanced': notes('one', 'balanced'),
  'an entity in the schema of another manager, joined': notes('two', 'joined'),
  'a manager of a schema': async em => {
    const [one, two] = [em.fork({ schema: 'one' }), em.fork({ schema: 'two' })];
    return [
      await one.count(Note, { labels: { name: 'l one' } }),
      await two.count(Note, { labels: { name: 'l two' } }),
      await one.count(Note, { plan: { name: ['free', 'dear'] } }),
      await two
        .createQueryBuilder(Answer, 'answer')
        .leftJoin('answer.note' as never, 'note')
        .select('note.note' as never)
        .execute(),
    ];
  },
  'SQL with names of schemas': async em => [
    await em.execute('select name from app.plan where plan.id = 2'),
    await em.execute('select plan.name from app.plan, public.plan as twin where twin.id = 1 order by 1'),
    await em.execute('select app.plan.name from app.plan order by app.plan.id'),
    await em.execute('select name from plan'),
    await em.execute('select note.note, label.name from one.note, one.label'),
    await em.execute('select note.note from "two"."note" as note join two . "answer" a on a.note_id = note.id'),
    await em.execute('with note as (select note from one.note) select note.note from note'),
    await em.execute('select count(*) as n from one.note left join two.note as other using (id), one.label'),
    await em.execute("select 'from one.note' as text, (select max(note) from one.note) as note"),
  ],
} satisfies Record<string, Question>;

describeDatabase('postgresql', 'the past in several schemas is as the database was then:', db => {
  let orm: Orm;
  let answers: ReadonlyMap<string, Answers>;

  beforeAll(async () => {
    orm = await createOrm(db, { entities: TENANTS, extensions: [Versioning] });
    mirrorSchemas(orm, ['one', 'two']);
    await orm.schema.create({ schema: 'one' });
    await orm.schema.create({ schema: 'two' });
    answers = await askThenAndNow(orm, history, questions);
  });

  it.each(Object.keys(questions))('%s', name => {
    const { live, past } = answers.get(name)!;
    expect(past).toEqual(live);
    expectTelling(live);
  });

  it('a manager of the past has the schema of the one that it was made from', async () => {
    const past = asOf(orm.em.fork({ schema: 'two' }), 3);
    expect(await past.find(Note, {})).toMatchObject([{ note: 'n two' }]);
    expect(await past.fork({ schema: 'one' }).find(Note, {})).toMatchObject([{ note: 'n one' }]);
    expect(await past.find(Note, {}, { schema: 'one' })).toMatchObject([{ note: 'n one' }]);
  });
});

describeDatabase('postgresql', 'the past of a configured schema', db => {
  it('is of it, with its name and without', async () => {
    const orm = await createOrm(db, { entities: [Twin], extensions: [Versioning], schema: 'app' });
    const em = orm.em.fork();
    const twin = em.create(Twin, { id: 1, name: 'a' });
    await em.flush();
    twin.name = 'b';
    await em.flush();
    const past = asOf(em, 1);
    expect(await past.find(Twin, {})).toMatchObject([{ name: 'a' }]);
    expect(await past.execute('select name from app.plan')).toEqual([{ name: 'a' }]);
    // as in the present, where it is not on the search path
    await expect(past.execute('select name from plan')).rejects.toThrow(/"plan" does not exist/);
  });
});
