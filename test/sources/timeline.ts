import type { EntityManager } from '@mikro-orm/sql';
import { Operation, revert, versioning, versionOf, VersionTransaction } from 'mikro-orm-versioning';

import { Money, type Article, type Comment, type Model, type Review, type Source } from './model.ts';

/*
 * One history, whichever way its model was written down. It uses nothing of the test runner, so that a program of its
 * own can tell it as well.
 */

/** What of an ORM is needed here. */
interface Managed {
  readonly em: EntityManager;
}

/** Writes seven transactions: a new article, a change of each kind of property and relation, an end and a return. */
export async function writeHistory(orm: Managed, source: Source): Promise<void> {
  const model = source as Model;
  const em = orm.em.fork();
  const [news, sports] = ['news', 'sports'].map((name, i) => em.create(model.Category, { id: i + 1, name }));
  const [red, blue] = ['red', 'blue'].map((name, i) => em.create(model.Tag, { id: i + 1, name }));
  const article: Article = em.create(model.Article, {
    id: 1,
    createdAt: new Date('2024-02-29T12:00:00Z'),
    title: 'a',
    status: 'draft',
    meta: { words: 100, languages: ['en'] },
    price: new Money(12.5, 'EUR'),
    origin: { author: 'ada' },
    category: news!,
    tags: [red!],
  });
  const comment: Comment = em.create(model.Comment, { id: 1, text: 'first', article });
  const review: Review = em.create(model.Review, { id: 2, text: 'good', stars: 4, article });
  await flush(em, 'create');

  article.title = 'b';
  article.status = 'public';
  article.publishedOn = '2024-03-01';
  article.meta.languages.push('no');
  article.price = new Money(9, 'EUR');
  article.origin.place = 'Oslo';
  await flush(em, 'publish');

  article.category = sports!;
  news!.name = 'old news';
  await flush(em, 'move');

  article.tags.set([blue!]);
  blue!.name = 'navy';
  await flush(em, 'tag');

  comment.text = 'edited';
  review.stars = 5;
  await flush(em, 'review');

  await deleteArticle(orm.em.fork(), model);
  await bringBack(orm.em.fork(), model);
}

/** By a manager that knows nothing of the comments, so that it is the database that deletes them. */
async function deleteArticle(em: EntityManager, model: Model): Promise<void> {
  em.remove(await em.findOneOrFail(model.Article, 1));
  await flush(em, 'delete');
}

/** As it was when it was published. */
async function bringBack(em: EntityManager, model: Model): Promise<void> {
  const versions = await em.find<object>(versionOf(model.Article), {}, { orderBy });
  await revert(versions[1] as never, { relations: ['category', 'tags', 'comments'] as never });
  await flush(em, 'revert');
}

function flush(em: EntityManager, reason: string): Promise<void> {
  return versioning.run({ actor: 'kim', reason }, () => em.flush());
}

const orderBy = { versionId: 'asc' } as never;

/** A version, link or transaction row, by the number of the transaction that it begins with. */
interface Line {
  readonly since: number;
  readonly text: string;
}

/** Transactions are counted from 1, whatever their ids. */
type Numbers = ReadonlyMap<number, number>;

/** All that the history says, by transaction, as a manager reads it that has seen nothing yet. */
export async function readTimeline(orm: Managed, source: Source): Promise<string[]> {
  const em = orm.em.fork();
  const transactions = await em.find(VersionTransaction, {}, { orderBy: { id: 'asc' } });
  const numbers = new Map(transactions.map(({ id }, i) => [id, i + 1]));
  const lines = [
    ...transactions.map(({ id, actor, reason }) => ({ since: numbers.get(id)!, text: `${actor}: ${reason}` })),
    ...(await readVersions(em, numbers, source as Model)),
    ...(await readLinks(em, numbers)),
  ];
  const inOrder = lines.toSorted((a, b) => a.since - b.since || (a.text < b.text ? -1 : 1));

  return inOrder.map(({ since, text }) => `${since} ${text}`);
}

/** What any version of the model may have. */
interface AnyVersion extends Article, Review {
  readonly name: string;
  readonly articles: Iterable<object>;
  readonly operationType: Operation;
  readonly transaction: { readonly id: number };
  readonly endTransaction: { readonly id: number } | null;
}

const describe = {
  Article: ({ title, status, createdAt, publishedOn, meta, price, origin, category, tags, comments }: AnyVersion) =>
    `${title} ${status} ${createdAt.toISOString()} ${publishedOn}, ${price.amount} ${price.currency}, ` +
    `${JSON.stringify(meta)}, by ${origin.author} of ${origin.place}, ` +
    `in ${category?.name}, tags ${namesOf(tags)}, comments ${namesOf(comments)}`,
  Category: ({ name, articles }: AnyVersion) => `${name}, articles ${namesOf(articles)}`,
  Comment: (comment: AnyVersion) => `${nameOf(comment)} on ${comment.article?.title ?? 'nothing'}`,
  Tag: ({ name }: AnyVersion) => name,
};

const populate = {
  Article: ['category', 'tags', 'comments'],
  Category: ['articles'],
  Comment: ['article'],
  Tag: [],
} as const;

async function readVersions(em: EntityManager, numbers: Numbers, model: Model): Promise<Line[]> {
  const lines: Line[] = [];

  for (const name of ['Article', 'Category', 'Comment', 'Tag'] as const) {
    const versions = await em.find<object>(versionOf(model[name]), {}, { populate: populate[name] as never, orderBy });

    for (const version of versions as AnyVersion[]) {
      const { id, operationType, transaction, endTransaction } = version;
      const until = endTransaction ? ` until ${numbers.get(endTransaction.id)}` : '';
      lines.push({
        since: numbers.get(transaction.id)!,
        text: `${version.constructor.name}#${id} ${OPERATIONS[operationType]}${until}: ${describe[name](version)}`,
      });
    }
  }

  return lines;
}

const OPERATIONS = {
  [Operation.INSERT]: 'INSERT',
  [Operation.UPDATE]: 'UPDATE',
  [Operation.DELETE]: 'DELETE',
} as const;

function namesOf(items: Iterable<object>): string {
  return `[${[...items].map(nameOf).toSorted().join(', ')}]`;
}

/** `news`; `good (4)` for a review. */
function nameOf(item: object): string {
  const { title, text, name, stars } = item as Partial<AnyVersion>;
  return `${title ?? text ?? name}${stars === undefined ? '' : ` (${stars})`}`;
}

async function readLinks(em: EntityManager, numbers: Numbers): Promise<Line[]> {
  const rows = await em.execute<Record<string, number>[]>('select * from article_tags_version');

  return rows.map(row => {
    const until = numbers.get(Number(row['end_transaction_id']));
    return {
      since: numbers.get(Number(row['transaction_id']))!,
      text: `link of article ${row['article_id']} to tag ${row['tag_id']}${until ? ` until ${until}` : ''}`,
    };
  });
}
