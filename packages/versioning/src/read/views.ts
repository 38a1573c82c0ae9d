import { isRaw, type EntityManager, type EntityMetadata, type MetadataStorage } from '@mikro-orm/core';

/** A view of the database, whose query is asked of the past in its stead. */
export interface View {
  /** `undefined` for the configured schema, `*` for that of a manager. */
  readonly schema: string | undefined;
  readonly table: string;
  readonly definition: string;
}

/** The views that are entities. Others are out of sight. */
export function viewsOf(em: EntityManager): readonly View[] {
  const metadata = em.getMetadata();
  const known = views.get(metadata);
  if (known) {
    return known;
  }
  const found = [...metadata]
    .filter(meta => meta.view)
    .map(meta => ({ schema: meta.schema, table: meta.tableName, definition: definitionOf(meta, em) }));
  views.set(metadata, found);
  return found;
}

const views = new WeakMap<MetadataStorage, readonly View[]>();

function definitionOf(meta: EntityMetadata, em: EntityManager): string {
  const given: unknown =
    typeof meta.expression === 'function' ? meta.expression(em as never, {}, {} as never) : meta.expression;
  const query = isRaw(given)
    ? em.getPlatform().formatQuery(given.sql, given.params)
    : typeof given === 'string'
      ? given
      : (given as { getFormattedQuery(): string }).getFormattedQuery();
  return query.replace(/;\s*$/, '');
}
