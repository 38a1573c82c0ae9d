import {
  type EntityMetadata,
  ReferenceKind,
  type EntityProperty,
  type MetadataStorage,
  type Platform,
} from '@mikro-orm/core';
import { VersioningError } from '../errors.ts';
import type { LinkHistory } from '../model/VersioningModel.ts';
import type { DeriveContext } from './DeriveContext.ts';
import { add, type DerivedVersion } from './deriveVersion.ts';
import { isJoined, wholeHierarchy } from './hierarchy.ts';
import { SPAN } from './indexes.ts';
import { isBelow, rowsWith } from './joinedTables.ts';
import { TemporalSql, referringColumns, type Target } from './TemporalSql.ts';
import { addPolymorphicToMany, addToMany, type Storage } from './toManyRelations.ts';
import { addPolymorphicKey, addPolymorphicToOne, asOfToOne } from './toOneRelations.ts';
import { copyProperty, isPolymorphicToMany, isPolymorphicToOne, isToMany, isToOne, keyName } from './properties.ts';
import { qualified } from './schemas.ts';

/**
 * Turns each relation of an entity into a relation of its version, as of the version's transaction `T`:
 *
 * - to-one: a non-persistent many-to-one whose formula yields the key of the target's version at `T`;
 * - to-many: a non-persistent many-to-many over a virtual pivot entity, whose SQL is the temporal join at `T`.
 *
 * A version `v` of the target holds at `T` when `v.transaction <= T < v.endTransaction` and `v` is not a DELETE: always
 * a range, which an index answers, never a `max()` subquery. Targets without history are the live rows. In MikroORM's
 * own terms, so that `populate`, conditions, order, counts and the QueryBuilder work over history.
 */
export class RelationshipBuilder {
  readonly #storage: MetadataStorage;
  readonly #versions: ReadonlyMap<object, DerivedVersion>;
  readonly #links: readonly LinkHistory[];
  readonly #context: DeriveContext;
  readonly #platform: Platform;
  readonly #sql: TemporalSql;

  constructor(
    storage: MetadataStorage,
    versions: ReadonlyMap<object, DerivedVersion>,
    links: readonly LinkHistory[],
    context: DeriveContext,
  ) {
    this.#storage = storage;
    this.#versions = versions;
    this.#links = links;
    this.#context = context;
    this.#platform = context.platform;
    this.#sql = new TemporalSql(context);
  }

  /** Adds every relation of the derived version's entity that is not excluded. */
  build(derived: DerivedVersion): void {
    const excluded = derived.options.exclude ?? [];
    const relations = Object.values(derived.shape).filter(
      prop =>
        (isToOne(prop) || isToMany(prop)) && !excluded.includes(prop.name) && !prop.embedded && prop.hydrate !== false,
    );
    for (const prop of relations) {
      if (isToMany(prop)) {
        this.#addToMany(derived, prop);
      } else if (prop.owner || prop.kind === ReferenceKind.MANY_TO_ONE) {
        this.#addOwningToOne(derived, prop);
      } else {
        this.#addInverseToOne(derived, prop);
      }
    }
  }

  #nameOf(derived: DerivedVersion, prop: EntityProperty): string {
    return derived.options.rename?.[prop.name] ?? prop.name;
  }

  #addOwningToOne(derived: DerivedVersion, prop: EntityProperty): void {
    if (prop.persist === false || prop.formula) {
      return;
    }
    if (isPolymorphicToOne(prop)) {
      this.#addPolymorphicToOne(derived, prop);
      return;
    }
    const { version, properties } = derived;
    const name = this.#nameOf(derived, prop);
    const { live, versions } = this.#targetOf(prop);
    const key = versions && !prop.mapToPk ? keyName(name) : name;
    if (version.root === version) {
      version.indexes.push({ properties: [key, ...SPAN] });
    }
    const copy = (as: string) =>
      ({
        ...copyProperty(prop, as, version, this.#platform),
        owner: true,
        kind: ReferenceKind.MANY_TO_ONE,
      }) as EntityProperty;
    const keyOnly = { mapToPk: true, hidden: true, ref: false } as const;
    properties.push({ live: prop.name, name, value: key });
    if (!versions || prop.mapToPk) {
      if (prop.primary && !prop.mapToPk) {
        // says that the columns are never null; the row that they lead to may be gone, and a join must not lose the version
        add(version, { ...copy(keyName(name)), ...keyOnly });
      }
      const nullable = prop.mapToPk ? !prop.primary : true;
      add(version, { ...copy(name), nullable, targetMeta: wholeHierarchy(live) });
      return;
    }
    add(version, { ...copy(key), ...keyOnly });
    const on = { pairs: prop.fieldNames.map((column, i) => [prop.referencedColumnNames[i]!, column] as const) };
    const formula = this.#sql.keyOf(qualified(versions.version, this.#platform), this.#versionId, on, true);
    add(version, asOfToOne(name, versions.version, prop.fieldNames[0]!, formula, prop));
  }

  #addPolymorphicToOne(derived: DerivedVersion, prop: EntityProperty): void {
    const { version, properties } = derived;
    const name = this.#nameOf(derived, prop);
    const parts = addPolymorphicKey(version, prop, name, this.#context);
    properties.push({ live: prop.name, name, value: name, parts });
    if (version.root === version) {
      version.indexes.push({ properties: [...parts, ...SPAN] });
    }
    const targets = this.#targetsOf(derived, prop);
    const [type, ...columns] = prop.fieldNames as [string, ...string[]];
    const formulas = Object.entries(prop.discriminatorMap!).map(([value, target]) => {
      const live = this.#storage.get(target as never) as EntityMetadata;
      const pairs = keyColumns(live).map((column, i) => [column, columns[i]!] as const);
      const versions = this.#versionsOf(live)?.version;
      const rows = qualified(versions ?? live, this.#platform);
      const key = versions ? this.#versionId : keyColumns(live)[0]!;
      return [value, this.#sql.keyOf(rows, key, { pairs }, versions !== undefined)] as const;
    });
    addPolymorphicToOne(version, prop, name, targets, this.#sql.byType(type, formulas), this.#context);
  }

  #addInverseToOne(derived: DerivedVersion, prop: EntityProperty): void {
    const { version } = derived;
    const name = this.#nameOf(derived, prop);
    const { live, versions } = this.#targetOf(prop);
    const foreignKey = (versions?.shape ?? live.properties)[prop.mappedBy as never] as EntityProperty;
    const on = referringColumns(foreignKey, derived.meta);
    if (!versions && live.compositePK) {
      throw VersioningError.unsupported(
        `${derived.meta.className}.${prop.name}`,
        `is the inverse side of a one-to-one relation to ${live.className}, which has a composite key and is not versioned`,
        `Mark ${live.className} as versioned, or exclude the relation.`,
      );
    }
    const seen = versions && !versions.options.exclude?.includes(foreignKey.name) ? versions.version : undefined;
    const rows = seen ? qualified(seen, this.#platform) : rowsWith(live, foreignKey.name, this.#platform);
    const key = (seen ?? live).getPrimaryProp().fieldNames[0]!;
    add(version, asOfToOne(name, seen ?? live, name, this.#sql.keyOf(rows, key, on, seen !== undefined), prop));
  }

  #addToMany(derived: DerivedVersion, prop: EntityProperty): void {
    const name = this.#nameOf(derived, prop);
    if (isPolymorphicToMany(prop)) {
      const sql = this.#polymorphicLinkedSql(derived, prop);
      if (sql) {
        addPolymorphicToMany(derived, { name, live: prop, sql }, this.#targetsOf(derived, prop), this.#kept);
      }
      return;
    }
    const { live, versions } = this.#targetOf(prop);
    const sql =
      prop.kind === ReferenceKind.ONE_TO_MANY ? this.#childrenSql(derived, prop) : this.#linkedSql(derived, prop);
    if (sql) {
      addToMany(derived, { name, live: prop, sql }, versions?.version ?? live, this.#kept);
    }
  }

  /** Nothing where the children have versions, but not of this foreign key. */
  #childrenSql(derived: DerivedVersion, prop: EntityProperty): string | undefined {
    const target = this.#targetOf(prop);
    const foreignKey = (target.versions?.shape ?? target.live.properties)[prop.mappedBy as never] as EntityProperty;
    return target.versions?.options.exclude?.includes(foreignKey.name)
      ? undefined
      : this.#sql.children(derived, target, foreignKey, referringColumns(foreignKey, derived.meta));
  }

  /** Nothing where the links have no history. */
  #linkedSql(derived: DerivedVersion, prop: EntityProperty): string | undefined {
    const target = this.#targetOf(prop);
    const [owner, owning] = prop.owner
      ? [derived.meta, prop]
      : [target.live, target.live.properties[prop.mappedBy as never] as EntityProperty];
    const end = prop.owner ? 'owner' : 'target';
    const selects = this.#linksOf(owner, owning)
      // which class the relation is of, where an end of the links is polymorphic
      .filter(link => (link.ownerType ?? link.targetType) === prop.discriminatorValue)
      .map(link => this.#sql.linked(derived, target, link, end, this.#position(link, prop)));
    return selects.length === 0 ? undefined : selects.join(' union all ');
  }

  #polymorphicLinkedSql(derived: DerivedVersion, prop: EntityProperty): string | undefined {
    const targets = this.#targetsOf(derived, prop);
    const selects = this.#linksOf(derived.meta, prop).map(link => {
      const target = { live: link.target, versions: this.#versionsOf(link.target) };
      const type = this.#sql.literal(link.targetType!);
      const cast = `cast(${type} as ${this.#platform.getVarcharTypeDeclarationSQL({ length: 255 })}) as item_type`;
      return this.#sql.linked(derived, target, link, 'owner', [cast, ...this.#position(link, prop)]);
    });
    return selects.length === 0 || Object.keys(targets).length === 0 ? undefined : selects.join(' union all ');
  }

  #position({ pivot }: LinkHistory, { fixedOrder, fixedOrderColumn }: EntityProperty): string[] {
    const order = fixedOrder && (pivot.properties[fixedOrderColumn as never] as EntityProperty | undefined);
    const quote = (identifier: string) => this.#platform.quoteIdentifier(identifier);
    return order ? [`l.${quote(order.fieldNames[0]!)} as ${quote('position')}`] : [];
  }

  /** The links of a relation; in a joined hierarchy each class may have a pivot of its own for what it inherits. */
  #linksOf(owner: EntityMetadata, owning: EntityProperty): LinkHistory[] {
    return this.#links.filter(
      ({ property, owner: other }) =>
        property.pivotEntity === owning.pivotEntity ||
        (property.name === owning.name && isJoined(owner) && isBelow(other, owner)),
    );
  }

  /** The target by its metadata in this storage, of which a property may hold a copy; its versions by its very class, where it is one of a hierarchy. */
  #targetOf(prop: EntityProperty): Target {
    const live = this.#storage.get(prop.targetMeta!.class) as EntityMetadata;
    return { live, versions: this.#versionsOf(live) };
  }

  #versionsOf(live: EntityMetadata): DerivedVersion | undefined {
    return this.#versions.get(live.class) ?? this.#versions.get(live.root.class);
  }

  /**
   * The targets of a polymorphic relation by their discriminator values: versions, or live rows. Throws a
   * `VersioningError` where keys of both don't fit into one column.
   */
  #targetsOf(derived: DerivedVersion, prop: EntityProperty): Record<string, EntityMetadata> {
    const lives = Object.entries(prop.discriminatorMap!).map(
      ([value, target]) => [value, this.#storage.get(target as never) as EntityMetadata] as const,
    );
    const unversioned = lives.filter(([, live]) => !this.#versionsOf(live));
    const isMixed = unversioned.length < lives.length;
    const misfit = unversioned.find(
      ([, live]) => live.compositePK || (isMixed && !isNumeric(live.getPrimaryProp())),
    )?.[1];
    if (misfit) {
      throw VersioningError.unsupported(
        `${derived.meta.className}.${prop.name}`,
        misfit.compositePK
          ? `is a polymorphic relation to ${misfit.className}, which has a composite key and is not versioned`
          : `leads to versions of some classes and to live rows of ${misfit.className}, whose key is not a number as a version's is`,
        `Mark ${misfit.className} as versioned too, or exclude the relation.`,
      );
    }
    return Object.fromEntries(lives.map(([value, live]) => [value, this.#versionsOf(live)?.version ?? live]));
  }

  get #kept(): Storage {
    return { storage: this.#storage, platform: this.#platform };
  }

  get #versionId(): string {
    return this.#context.options.columns.versionId;
  }
}

function keyColumns(meta: EntityMetadata): string[] {
  return meta.getPrimaryProps().flatMap(prop => prop.fieldNames);
}

function isNumeric(key: EntityProperty): boolean {
  return /^(integer|int|smallint|bigint|serial|bigserial|smallserial)\b/i.test(key.columnTypes[0]!);
}
