import type { Collection, EntityManager } from '@mikro-orm/core';

import { Article, Blog, Category, Comment, Note, Tag } from './entities.ts';
import type { Change, ClassName } from './program.ts';

const classes = { Article, Category, Tag, Blog } as const;

type Named<Kind extends Change['do']> = Extract<Change, { readonly do: Kind }>;

/** Makes a change in memory. Does nothing where what it is about does not exist. */
export async function apply(em: EntityManager, change: Exclude<Change, Named<'flush' | 'clear'>>): Promise<void> {
  switch (change.do) {
    case 'put':
      return put(em, change);
    case 'replace':
      return replace(em, change);
    case 'remove':
      return remove(em, await find(em, change.what, change.id));
    case 'renumber':
      return renumber(em, change);
    case 'point':
      return point(em, change);
    case 'rename':
      return edit(await find(em, 'Article', change.id), { slug: change.slug });
    case 'swap':
      return swap(em, change);
    case 'view':
      return edit(await find(em, 'Article', change.id), { views: change.times });
    case 'relate':
      return relate(em, change);
    case 'comment':
      return comment(em, change);
    case 'edit':
      return editComment(em, change);
    case 'delete':
      return remove(em, await nth(em, Comment, change.nth));
    case 'note':
      return note(em, change);
  }
}

/** An entity that is new, loaded, or in the database. */
async function find<Name extends ClassName>(
  em: EntityManager,
  what: Name,
  id: number | null,
): Promise<InstanceType<(typeof classes)[Name]> | null> {
  const isIt = (entity: object) => entity instanceof classes[what] && entity.id === id;
  const uow = em.getUnitOfWork();
  const known = [...uow.getPersistStack()].find(isIt) ?? null;
  const entity = id === null ? null : (known ?? (await em.findOne<Article | Tag | Category | Blog>(classes[what], id)));

  return entity && !uow.getRemoveStack().has(entity) ? (entity as InstanceType<(typeof classes)[Name]>) : null;
}

function edit<Entity extends object>(entity: Entity | null, values: Partial<Entity>): void {
  if (entity) {
    Object.assign(entity, values);
  }
}

function remove(em: EntityManager, entity: object | null): void {
  if (entity) {
    em.remove(entity);
  }
}

async function put(em: EntityManager, { what, id, text }: Named<'put'>): Promise<void> {
  const entity = await find(em, what, id);

  if (entity) {
    entity.text = text;
  } else {
    create(em, what, id, text);
  }
}

function create(em: EntityManager, what: ClassName, id: number, text: string): void {
  em.create<Article | Tag | Category | Blog>(classes[what], { id, text } as Article);
}

/** Deletes a row and inserts another one with its key, in one flush. */
async function replace(em: EntityManager, { what, id, text }: Named<'replace'>): Promise<void> {
  const entity = await find(em, what, id);

  if (entity) {
    em.remove(entity);
    create(em, what, id, text);
  }
}

async function renumber(em: EntityManager, { what, id, to }: Named<'renumber'>): Promise<void> {
  const [entity, other] = [await find(em, what, id), await find(em, what, to)];

  if (entity && !other) {
    entity.id = to;
  }
}

async function point(em: EntityManager, { to, id, target }: Named<'point'>): Promise<void> {
  const article = await find(em, 'Article', id);

  if (to === 'category') {
    edit(article, { category: await find(em, 'Category', target) });
  } else {
    edit(article, { blog: await find(em, 'Blog', target) });
  }
}

/** Exchanges two unique values in one flush. */
async function swap(em: EntityManager, { id, other }: Named<'swap'>): Promise<void> {
  const [a, b] = [await find(em, 'Article', id), await find(em, 'Article', other)];

  if (a && b) {
    [a.slug, b.slug] = [b.slug, a.slug];
  }
}

async function relate(em: EntityManager, { collection, how, loaded, id, items }: Named<'relate'>): Promise<void> {
  const links = await collectionOf(em, collection, id);

  if (!links) {
    return;
  }

  // MikroORM can only take single items out of a collection that it knows, and would add an ordered link twice
  const mustKnow = how === 'remove' || (how === 'add' && collection === 'topics');

  if ((loaded || mustKnow) && !links.isInitialized()) {
    await em.populate(links.owner as object, [links.property.name as never]);
  }

  const targets = await itemsFor(em, collection, items);

  if (how === 'removeAll') {
    links.removeAll();
  } else {
    links[how](targets);
  }
}

async function collectionOf(
  em: EntityManager,
  name: Named<'relate'>['collection'],
  id: number,
): Promise<Collection<object> | undefined> {
  switch (name) {
    case 'Tag.articles':
      return (await find(em, 'Tag', id))?.articles;
    case 'Category.articles':
      return (await find(em, 'Category', id))?.articles;
    default:
      return (await find(em, 'Article', id))?.[name];
  }
}

async function itemsFor(
  em: EntityManager,
  name: Named<'relate'>['collection'],
  ids: readonly number[],
): Promise<object[]> {
  const found: (object | null | undefined)[] = [];

  for (const id of ids) {
    const what = name === 'tags' || name === 'topics' ? 'Tag' : 'Article';
    found.push(name === 'notes' ? await nth(em, Note, id) : await find(em, what, id));
  }

  return found.filter(item => item != null);
}

/** Rows with generated keys go by their position. */
async function nth<Entity extends Comment | Note>(
  em: EntityManager,
  entity: new () => Entity,
  position: number,
): Promise<Entity | null> {
  const [found] = await em.find<Comment | Note>(entity, {}, { orderBy: { id: 'asc' }, offset: position - 1, limit: 1 });

  return found && !em.getUnitOfWork().getRemoveStack().has(found) ? (found as Entity) : null;
}

async function comment(em: EntityManager, { id, text, answers }: Named<'comment'>): Promise<void> {
  const article = await find(em, 'Article', id);

  if (article) {
    em.create(Comment, { text, article, answers: answers === null ? null : await nth(em, Comment, answers) });
  }
}

async function editComment(em: EntityManager, { nth: position, text, moveTo }: Named<'edit'>): Promise<void> {
  const edited = await nth(em, Comment, position);
  const article = await find(em, 'Article', moveTo);
  edit(edited, article ? { text, article } : { text });
}

async function note(em: EntityManager, { id, text }: Named<'note'>): Promise<void> {
  const article = await find(em, 'Article', id);

  if (article) {
    em.create(Note, { text, article });
  }
}
