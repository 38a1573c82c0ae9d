import { raw, serialize } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/sql';
import fc from 'fast-check';

import { anyCondition, type Shape } from './conditions.ts';

interface Options {
  readonly populate: readonly string[];
  readonly strategy: string;
  readonly orderBy: readonly object[];
  readonly [option: string]: unknown;
}

/** One question, which can be asked of any manager. */
export interface Query {
  readonly kind: 'find' | 'cursor' | 'stream' | 'one' | 'groups' | 'builder' | 'loaded later';
  readonly shape: Shape;
  readonly where: object;
  readonly options: Options;
  readonly page: { readonly limit?: number; readonly offset?: number };
  /** A column of the class. */
  readonly column: string;
}

const KINDS = [
  ...Array.from({ length: 9 }, () => 'find' as const),
  ...(['cursor', 'cursor', 'stream', 'one', 'groups', 'builder', 'loaded later'] as const),
];

/** Made by MikroORM's query builder. */
const BUILT: readonly Query['kind'][] = ['groups', 'builder'];

/** Any question of these classes. */
export const anyQuery = (shapes: readonly Shape[]): fc.Arbitrary<Query> =>
  fc.constantFrom(...shapes).chain(shape =>
    fc
      .record({
        kind: fc.constantFrom(...KINDS.filter(kind => !shape.isElsewhere || !BUILT.includes(kind))),
        shape: fc.constant(shape),
        where: anyCondition(shape),
        column: fc.constantFrom(...Object.keys(shape.columns)),
        page: fc.constantFrom({}, {}, { limit: 2 }, { limit: 2, offset: 1 }, { limit: 3, offset: 2 }),
        options: fc.record({
          populate: fc.subarray([...shape.paths], { maxLength: Math.min(3, shape.paths.length) }),
          strategy: fc.constantFrom('select-in', 'joined', 'balanced'),
          orderBy: anyOrder(shape),
        }),
      })
      .chain(query => anyExtra(query).map(extra => ({ ...query, options: { ...query.options, ...extra } }))),
  );

/** By a column, or by one of a relation; by key where that leaves a choice. */
function anyOrder(shape: Shape): fc.Arbitrary<object[]> {
  const direction = fc.constantFrom('asc', 'desc');
  const columns = Object.keys(shape.columns).map(name => direction.map(each => ({ [name]: each })));
  const relations = Object.entries(shape.toOne).flatMap(([name, target]) =>
    Object.keys(target().columns).map(column => direction.map(each => ({ [name]: { [column]: each } }))),
  );
  return fc
    .tuple(fc.array(fc.oneof(...columns, ...relations), { maxLength: 1 }), direction)
    .map(([first, each]) => [...first, { id: each }]);
}

/** What is loaded besides, or left out. */
function anyExtra({ kind, shape, options }: Query): fc.Arbitrary<object> {
  const [path] = options.populate;
  const target = path === undefined ? undefined : (shape.toMany[path] ?? shape.toOne[path])?.();
  const columns = Object.keys(shape.columns);
  const choices: fc.Arbitrary<object>[] = [fc.constant({}), fc.constant({})];
  if (path === undefined && kind === 'find') {
    choices.push(fc.subarray(columns, { minLength: 1 }).map(fields => ({ fields })));
    choices.push(fc.subarray(columns.filter(name => name !== 'id')).map(exclude => ({ exclude })));
  }
  if (path !== undefined && target && !target.isHierarchy) {
    choices.push(fc.constant({ populateWhere: 'infer' }));
    choices.push(anyCondition(target, 0).map(condition => ({ populateWhere: { [path]: condition } })));
  }
  return fc.oneof(...choices);
}

/** The answer as plain data, and how much it is. */
export interface Answer {
  readonly rows: number;
  readonly answer: unknown;
}

/** Asks a manager. */
export async function ask(em: EntityManager, query: Query): Promise<Answer> {
  return ASK[query.kind](em, query);
}

const ASK: Readonly<Record<Query['kind'], (em: EntityManager, query: Query) => Promise<Answer>>> = {
  async find(em, { shape, where, options, page }) {
    const paged = { ...options, ...page };
    const [found, total] = await em.findAndCount(shape.entity as never, where as never, paged as never);
    const count = await em.fork().count(shape.entity as never, where as never);
    return { rows: total, answer: [...shown(found, options), total, count] };
  },
  async one(em, { shape, where, options }) {
    // a condition is asked for
    const some = { $and: [where, { id: { $gte: 1 } }] };
    const found = (await em.findOne(shape.entity as never, some as never, options as never)) as object | null;
    return { rows: found ? 1 : 0, answer: shown(found ? [found] : [], options) };
  },
  async stream(em, { shape, where, options }) {
    const found: object[] = [];
    const { populate, orderBy } = options;
    for await (const each of em.stream(shape.entity as never, { where, populate, orderBy } as never)) {
      found.push(each as object);
    }
    return { rows: found.length, answer: shown(found, options) };
  },
  async cursor(em, { shape, where, options }) {
    const pages: unknown[] = [];
    let rows = 0;
    let after: { readonly after?: string } = {};
    while (pages.length < 3) {
      const page = await em
        .fork()
        .findByCursor(
          shape.entity as never,
          { first: 2, ...after, where, ...options, orderBy: [options.orderBy.at(-1)] } as never,
        );
      rows += page.items.length;
      // MikroORM 7.2 leaves out the order of a collection that has one, where it joins
      pages.push([shown(page.items, options, []), page.totalCount, page.hasPrevPage, page.hasNextPage]);
      if (!page.hasNextPage) {
        break;
      }
      after = { after: page.endCursor! };
    }
    return { rows, answer: pages };
  },
  async groups(em, { shape, where, column }) {
    const groups = await em.countBy(shape.entity as never, column as never, { where } as never);
    return { rows: Object.keys(groups).length, answer: groups };
  },
  async builder(em, { shape, where, column }) {
    const [relation] = Object.keys(shape.toOne);
    const builder = em.createQueryBuilder(shape.entity as never, 'e');
    const keys = [`e.${column}`, raw('count(*) as total'), raw('min(e.id) as least')];
    const joined = relation === undefined ? builder : builder.leftJoin(`e.${relation}` as never, 'r');
    const grouped = (joined as typeof builder)
      .select(keys as never)
      .where(where as never)
      .groupBy(`e.${column}` as never);
    const rows = (await grouped.orderBy({ [raw('min(e.id)')]: 'asc' } as never).execute('all', false)) as object[];
    return { rows: rows.length, answer: rows.map(row => JSON.parse(JSON.stringify(row)) as unknown) };
  },
  async 'loaded later'(em, { shape, where, options }) {
    const { populate, strategy, orderBy } = options;
    const found = await em.find(shape.entity as never, where as never, { orderBy } as never);
    if (found.length > 0) {
      await em.populate(found as never, populate as never, { strategy } as never);
    }
    return { rows: found.length, answer: shown(found, options) };
  },
};

/** Collections that have an order of their own. */
const ORDERED = ['soldIn'];

function shown(found: readonly object[], { populate }: Options, ordered = ORDERED): [string[], unknown[]] {
  const rows = serialize(found as object[], { populate: populate as never, forceObject: true } as never) as unknown[];
  return [found.map(each => each.constructor.name), rows.map(each => plain(each, ordered))];
}

/** Without what has no history; collections without an order by their content. */
function plain(value: unknown, ordered: readonly string[], key = ''): unknown {
  if (Array.isArray(value)) {
    const items = value.map(each => plain(each, ordered));
    const text = (item: unknown) => JSON.stringify(item);
    return ordered.includes(key) ? items : items.toSorted((a, b) => (text(a) < text(b) ? -1 : 1));
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== 'lent' && name !== 'versions')
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, each]) => [name, plain(each, ordered, name)]),
  );
}
