import type { EntityManager } from '@mikro-orm/core';
import fc from 'fast-check';

import { Answer, Device, Extra, Firm, Human, Label, Note, Party, Phone, Plan, TENANTS, Twin } from '../tenants.ts';
import { id, ids, maybeId, word, type Shape } from './conditions.ts';
import type { Subject } from './Subject.ts';

/** What happens to one row, in one schema where it has a choice; a row that is not there is created first. */
const anyChange = fc.record({
  what: fc.constantFrom('plan', 'extra', 'party', 'note', 'note', 'label', 'answer', 'device', 'twin', 'remove'),
  schema: fc.constantFrom('one', 'two'),
  id,
  word,
  /** Of another row, and of others. */
  other: maybeId,
  others: ids,
  /** Of the two classes of a hierarchy, and which one is removed. */
  isSecond: fc.boolean(),
  removed: fc.nat({ max: 6 }),
});
type Change = typeof anyChange extends fc.Arbitrary<infer T> ? T : never;

const plan: Shape = {
  entity: Plan,
  columns: { id: 'number', name: 'word' },
  toOne: { follows: () => plan },
  toMany: { extras: () => extra },
  paths: ['follows', 'extras', 'follows.extras'],
  isElsewhere: true,
};
const extra: Shape = { entity: Extra, columns: { id: 'number', name: 'word' }, toOne: {}, toMany: {}, paths: [] };
const party: Shape = {
  entity: Party,
  columns: { id: 'number', name: 'word' },
  toOne: { plan: () => plan },
  toMany: {},
  paths: ['plan', 'plan.extras'],
  isHierarchy: true,
  isElsewhere: true,
};
// MikroORM 7.2 loses the table of a condition on an inherited relation of a class of several tables
const firm: Shape = { ...party, entity: Firm, columns: { name: 'word', size: 'number' }, toOne: {} };
const human: Shape = {
  ...party,
  entity: Human,
  columns: { name: 'word' },
  toOne: { employer: () => firm },
  paths: ['plan', 'employer', 'employer.plan'],
};
const note: Shape = {
  entity: Note,
  columns: { id: 'number', note: 'word' },
  toOne: { plan: () => plan },
  toMany: { labels: () => label, answers: () => answer },
  paths: ['plan', 'plan.extras', 'labels', 'answers'],
};
const label: Shape = { entity: Label, columns: { id: 'number', name: 'word' }, toOne: {}, toMany: {}, paths: [] };
const answer: Shape = {
  entity: Answer,
  columns: { id: 'number', text: 'word' },
  toOne: { note: () => note },
  toMany: {},
  paths: ['note', 'note.labels', 'note.plan'],
};
const device: Shape = {
  entity: Device,
  columns: { id: 'number', name: 'word' },
  toOne: { note: () => note },
  toMany: {},
  paths: ['note', 'note.plan', 'note.answers'],
};
const phone: Shape = { ...device, entity: Phone, columns: { ...device.columns, line: 'number' } };

/** Several schemas: that of an entity, the default one, and those of managers, with hierarchies of both kinds. */
export const tenants: Subject<Change> = {
  entities: TENANTS,
  shapes: [plan, party, firm, human, note, note, label, answer, device, phone],
  schemas: ['one', 'two'],
  changes: fc.array(anyChange, { minLength: 6, maxLength: 14 }),
  prepare: async () => undefined,
  async apply(em, change) {
    em.schema = change.what === 'twin' ? undefined : (change.schema as never);
    await APPLY[change.what]!(em, change);
    await em.flush();
    em.clear();
  },
  unversioned: [],
};

const APPLY: Readonly<Record<string, (em: EntityManager, change: Change) => Promise<unknown>>> = {
  plan: async (em, { id: key, word: name, other, others }) => {
    const found = await put(em, Plan, key, { name, follows: await find(em, Plan, other) });
    await setMany(em, Plan, found.id, 'extras', Extra, others);
  },
  extra: async (em, { id: key, word: name }) => put(em, Extra, key, { name }),
  party: async (em, { id: key, word: name, other, isSecond }) => {
    const known = await em.findOne(Party, key);
    if (!known || known instanceof Human === isSecond) {
      const own = isSecond ? { employer: await find(em, Firm, other) } : { size: key };
      await put(em, isSecond ? Human : Firm, key, { name, plan: await find(em, Plan, other), ...own });
    }
  },
  note: async (em, { id: key, word: text, other, others }) => {
    const found = await put(em, Note, key, { note: text, plan: await find(em, Plan, other) });
    await setMany(em, Note, found.id, 'labels', Label, others);
  },
  label: async (em, { id: key, word: name }) => put(em, Label, key, { name }),
  answer: async (em, { id: key, word: text, other }) =>
    put(em, Answer, key, { text, note: await find(em, Note, other) }),
  device: async (em, { id: key, word: name, other, isSecond }) => {
    const known = await em.findOne(Device, key);
    if (!known || known instanceof Phone === isSecond) {
      const own = isSecond ? { line: other } : {};
      await put(em, isSecond ? Phone : Device, key, { name, note: await find(em, Note, other), ...own });
    }
  },
  twin: async (em, { id: key, word: name }) => put(em, Twin, key, { name }),
  remove: async (em, { id: key, removed }) => {
    const found = await find(em, [Extra, Party, Note, Label, Answer, Device, Plan][removed], key);
    if (found) {
      em.remove(found);
    }
  },
};

async function find(em: EntityManager, entity: unknown, key: number | null): Promise<object | null> {
  return key === null ? null : em.findOne(entity as never, key as never);
}

async function put(em: EntityManager, entity: unknown, key: number, data: object): Promise<{ readonly id: number }> {
  const found = await find(em, entity, key);
  return (found ? em.assign(found, data as never) : em.create(entity as never, { id: key, ...data } as never)) as never;
}

async function setMany(
  em: EntityManager,
  entity: unknown,
  key: number,
  name: string,
  target: unknown,
  keys: readonly number[],
): Promise<void> {
  await em.flush();
  const row = (await em.findOneOrFail(entity as never, key as never, { populate: [name] } as never)) as Record<
    string,
    { set(items: readonly unknown[]): void }
  >;
  row[name]!.set(await em.find(target as never, keys as never));
}
