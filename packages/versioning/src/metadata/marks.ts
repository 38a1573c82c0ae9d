import { EntitySchema, type EntityMetadata, type MetadataStorage } from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import { checkEntityOptions, type EntityReference, type ResolvedOptions, type VersionedOptions } from '../options.ts';
import type { PropertyName, VersionedSchema } from '../model/Version.ts';

/** Options of each class that a decorator or `versioned()` marked. Marks live as long as the class. */
const marks = new WeakMap<object, VersionedOptions>();

/**
 * Marks an entity class as versioned. One decorator for ES and for legacy decorators.
 *
 *     @Entity()
 *     @Versioned({ exclude: ['viewCount'] })
 *     class Article {
 *       declare readonly versions: Versions<Article>;
 *     }
 *
 * Throws a `VersioningError` for an option that does not exist.
 */
export function Versioned(options: VersionedOptions = {}): (target: object, context?: ClassDecoratorContext) => void {
  return target => {
    checkEntityOptions((target as { name: string }).name, options);
    marks.set(target, options);
  };
}

/**
 * Marks a schema of `defineEntity` or `EntitySchema` as versioned and returns it, with `versions` in its type.
 *
 *     const Article = versioned(defineEntity({ name: 'Article', properties: { … } }), { exclude: ['viewCount'] });
 *
 * Throws a `VersioningError` for an option that does not exist.
 */
export function versioned<
  Schema extends { readonly meta: { readonly class: unknown; readonly className: string } },
  const Excluded extends PropertyName<Schema> = never,
  const Renamed extends { readonly [Property in PropertyName<Schema>]?: string } = never,
  const VersionsProperty extends string = 'versions',
>(
  schema: Schema,
  options: SchemaOptions<Excluded, Renamed, VersionsProperty> = {},
): VersionedSchema<Schema, Excluded, Renamed, VersionsProperty> {
  const target = classOf(schema as unknown as EntityReference);
  checkEntityOptions((target as { name: string }).name, options);
  marks.set(target, options as VersionedOptions);
  return schema as never;
}

/** The options as a schema knows them: with its own properties' names, and remembered in its type. */
interface SchemaOptions<Excluded extends string, Renamed, VersionsProperty extends string> extends Omit<
  VersionedOptions<Excluded>,
  'rename' | 'versionsProperty'
> {
  readonly rename?: Renamed;
  readonly versionsProperty?: VersionsProperty;
}

/** The class behind a class or a schema. */
export function classOf(entity: EntityReference): object {
  return EntitySchema.is(entity) ? (entity as EntitySchema).meta.class : entity;
}

export interface MarkedEntity {
  readonly meta: EntityMetadata;
  readonly options: VersionedOptions;
}

/** Every marked entity that was discovered. A mark on a base class holds for its subclasses, the nearest mark wins. */
export function findMarked(storage: MetadataStorage, options: ResolvedOptions): MarkedEntity[] {
  const listed = new Map<object, VersionedOptions>();
  for (const entry of options.entities) {
    const [entity, entityOptions] = (Array.isArray(entry) ? entry : [entry, {}]) as [EntityReference, VersionedOptions];
    const target = classOf(entity);
    const name = (target as { name: string }).name;
    checkEntityOptions(name, entityOptions);
    if (!storage.has(target as never)) {
      throw VersioningError.notDiscovered(name);
    }
    listed.set(target, entityOptions);
  }
  for (const meta of storage) {
    refuseWithoutRows(meta, listed);
  }
  const marked = [...storage]
    .filter(meta => !isWithoutRows(meta) && meta.tableName)
    .flatMap(meta => {
      const mark = nearestMark(meta.class, listed);
      return mark ? [{ meta, options: mark }] : [];
    });
  return unifyHierarchies(marked);
}

/** Whether an entity has no rows of its own that could be written. */
function isWithoutRows(meta: EntityMetadata): boolean {
  return meta.embeddable || meta.virtual === true || Boolean(meta.view);
}

/** Throws a `VersioningError` for a mark that would say nothing; one that is inherited may be meant for others. */
function refuseWithoutRows(meta: EntityMetadata, listed: ReadonlyMap<object, VersionedOptions>): void {
  if (isWithoutRows(meta) && (listed.has(meta.class) || marks.has(meta.class))) {
    throw VersioningError.unsupported(
      meta.className,
      `is ${meta.embeddable ? 'an embeddable' : meta.view ? 'a view' : 'a virtual entity'}, which has no rows of its own`,
      meta.embeddable
        ? 'Remove its mark: it is versioned with the entities that embed it.'
        : 'Remove its mark, and mark the entities that it shows.',
    );
  }
}

/**
 * Roots come first. The classes of a hierarchy share a history table, and so what is excluded and renamed. Throws a
 * `VersioningError` for a subclass that is marked without its root.
 */
function unifyHierarchies(marked: readonly MarkedEntity[]): MarkedEntity[] {
  const roots = marked.filter(({ meta }) => meta.root === meta);
  const unified = new Map(
    roots.map(({ meta: root, options }) => {
      const all = marked.filter(({ meta }) => meta.root === root).map(each => each.options);
      const exclude = [...new Set(all.flatMap(each => each.exclude ?? []))];
      return [root, { ...options, exclude, rename: Object.assign({}, ...all.map(each => each.rename ?? {})) }] as const;
    }),
  );
  const children = marked.filter(({ meta }) => meta.root !== meta);
  const orphan = children.find(({ meta }) => !unified.has(meta.root));
  if (orphan) {
    throw VersioningError.unsupported(
      orphan.meta.className,
      orphan.meta.root.inheritanceType === 'tpt'
        ? `can't be versioned without ${orphan.meta.root.className}, whose rows are its own`
        : `can't be versioned without ${orphan.meta.root.className}, with which it shares a table`,
      `Mark ${orphan.meta.root.className}: its subclasses are versioned with it.`,
    );
  }
  return [...roots, ...children].map(({ meta }) => ({ meta, options: unified.get(meta.root)! }));
}

/** Whether some mark says that the class, or one that it extends, is versioned; a list in a configuration may say so as well. */
export function isMarked(target: object): boolean {
  return markOf(target) !== undefined;
}

/** The mark of a class, or of the nearest one that it extends. */
export function markOf(target: object): VersionedOptions | undefined {
  return nearestMark(target, new Map());
}

function nearestMark(target: object | null, listed: Map<object, VersionedOptions>): VersionedOptions | undefined {
  if (target === null || target === Function.prototype) {
    return undefined;
  }
  return listed.get(target) ?? marks.get(target) ?? nearestMark(Object.getPrototypeOf(target), listed);
}
