import type {
  EmbeddableOptions,
  EmbeddedOptions,
  EntityOptions,
  EnumOptions,
  EventType,
  IndexOptions,
  ManyToManyOptions,
  ManyToOneOptions,
  OneToManyOptions,
  OneToOneOptions,
  PropertyChain,
  PropertyOptions,
  types,
  UniqueOptions,
} from '@mikro-orm/core';

import type { Feature } from './features.ts';

/*
 * The options of MikroORM's own types, each with the feature that it belongs to. An option that MikroORM adds does not
 * compile until it has one here.
 */

const COLUMN = 'Properties: column type (type, columnType, runtimeType, length, precision, scale)';
const NAME = 'Properties: column name (name, fieldName)';
const CONSTRAINTS = 'Properties: index, unique';
const SCHEMA_NOTES = 'Properties: comment, extra, ignoreSchemaChanges';
const ACCESSORS = 'Properties: getter, setter, getterName without a column';
const JOIN = 'Relations: joinColumn, referenceColumnName';
const FOREIGN_KEY = 'Relations: createForeignKeyConstraint, foreignKeyName, deferMode';
const RULES = 'Relations: deleteRule and updateRule';
const PIVOT = 'Relations: pivotTable, and names of its columns';
const ORDERED = 'Relations: fixedOrder, fixedOrderColumn';
const DISCRIMINATOR = 'Inheritance: discriminatorColumn, discriminatorValue, discriminatorMap';
const CONSTRUCTOR = 'Entity options: forceConstructor, constructorParams';
const INDEXES = 'Entity options: indexes, uniques';
const HOOKS = 'Entity options: hooks and subscribers';

type ScalarOption = keyof PropertyOptions<object> | keyof EnumOptions<object>;

type RelationOption = Exclude<
  | keyof ManyToOneOptions<object, object>
  | keyof OneToOneOptions<object, object>
  | keyof OneToManyOptions<object, object>
  | keyof ManyToManyOptions<object, object>,
  ScalarOption
>;

type EmbeddedOption = Exclude<keyof EmbeddedOptions<object, object>, ScalarOption | RelationOption>;

/** Those of the builder that are no options of a property under the same name. */
type BuilderOption = Exclude<
  Extract<keyof PropertyChain<object, object>, string>,
  ScalarOption | RelationOption | EmbeddedOption | '$type' | `~${string}`
>;

export const MAPPING_OPTIONS = {
  property: {
    name: NAME,
    fieldName: NAME,
    fieldNames: 'Relations: to a composite key',
    columnType: COLUMN,
    columnTypes: COLUMN,
    type: COLUMN,
    runtimeType: COLUMN,
    length: COLUMN,
    precision: COLUMN,
    scale: COLUMN,
    autoincrement: 'Properties: autoincrement',
    returning: 'Properties: returning',
    onCreate: 'Properties: onCreate',
    onUpdate: 'Properties: onUpdate',
    default: 'Properties: default',
    defaultRaw: 'Properties: defaultRaw',
    formula: 'Properties: formula',
    generated: 'Properties: generated',
    nullable: 'Properties: nullable',
    unsigned: 'Properties: unsigned',
    persist: 'Properties: persist: false',
    hydrate: 'Properties: hydrate: false',
    ref: 'Properties: ScalarReference (ref)',
    hidden: 'Properties: hidden',
    version: 'Properties: version (optimistic lock)',
    concurrencyCheck: 'Properties: concurrencyCheck',
    index: CONSTRAINTS,
    unique: CONSTRAINTS,
    check: 'Properties: check',
    lazy: 'Properties: lazy',
    array: 'Types: array of a type (array: true)',
    primary: 'Keys: integer',
    setter: ACCESSORS,
    getter: ACCESSORS,
    getterName: ACCESSORS,
    accessor: 'Properties: accessor',
    serializedPrimaryKey: 'Keys: serialized key (serializedPrimaryKey)',
    serializer: 'Properties: serializer, serializedName',
    serializedName: 'Properties: serializer, serializedName',
    groups: 'Properties: groups',
    customOrder: 'Properties: customOrder',
    comment: SCHEMA_NOTES,
    collation: 'Properties: collation',
    extra: SCHEMA_NOTES,
    ignoreSchemaChanges: SCHEMA_NOTES,
    items: 'Types: enum',
    nativeEnumName: 'Types: native enum',
  } satisfies Readonly<Record<ScalarOption, Feature>>,

  relation: {
    entity: 'Relations: many-to-one',
    cascade: 'Relations: cascade',
    eager: 'Relations: eager',
    strategy: 'Relations: strategy',
    filters: 'Relations: filters',
    inversedBy: 'Relations: one-to-one, inverse side',
    mappedBy: 'Relations: one-to-many',
    owner: 'Relations: one-to-one',
    through: 'Relations: through another entity',
    where: 'Relations: where',
    orderBy: 'Relations: orderBy',
    mapToPk: 'Relations: mapToPk',
    joinColumn: JOIN,
    joinColumns: 'Relations: to a composite key',
    inverseJoinColumn: PIVOT,
    inverseJoinColumns: PIVOT,
    ownColumns: 'Relations: joinColumns that are shared (ownColumns)',
    referenceColumnName: JOIN,
    referencedColumnNames: JOIN,
    targetKey: 'Relations: targetKey',
    deleteRule: RULES,
    updateRule: RULES,
    deferMode: FOREIGN_KEY,
    createForeignKeyConstraint: FOREIGN_KEY,
    foreignKeyName: FOREIGN_KEY,
    orphanRemoval: 'Relations: orphanRemoval',
    fixedOrder: ORDERED,
    fixedOrderColumn: ORDERED,
    pivotTable: PIVOT,
    pivotEntity: 'Relations: pivotEntity',
    discriminator: 'Relations: polymorphic to-one',
    discriminatorMap: 'Relations: polymorphic to-one',
  } satisfies Readonly<Record<RelationOption, Feature>>,

  embedded: {
    prefix: 'Embeddables: prefix',
    prefixMode: 'Embeddables: prefixMode',
    object: 'Embeddables: as JSON (object)',
  } satisfies Readonly<Record<EmbeddedOption, Feature>>,

  builder: {
    lazyRef: 'Relations: ref, lazyRef',
    strictNullable: 'Properties: strictNullable',
  } satisfies Readonly<Record<BuilderOption, Feature>>,

  entity: {
    tableName: 'Schemas and names: tableName, collection',
    collection: 'Schemas and names: tableName, collection',
    schema: 'Schemas and names: schema of the entity',
    orderBy: 'Entity options: orderBy',
    discriminator: DISCRIMINATOR,
    discriminatorColumn: DISCRIMINATOR,
    discriminatorMap: DISCRIMINATOR,
    discriminatorValue: DISCRIMINATOR,
    inheritance: 'Inheritance: joined tables (table per type)',
    forceConstructor: CONSTRUCTOR,
    constructorParams: CONSTRUCTOR,
    comment: 'Entity options: comment',
    abstract: 'Entity options: abstract, extends',
    readonly: 'Entity options: readonly',
    virtual: 'Entity options: virtual entity (expression)',
    view: 'Entity options: view',
    hasTriggers: 'Entity options: triggers (triggers, hasTriggers)',
    triggers: 'Entity options: triggers (triggers, hasTriggers)',
    policies: 'Entity options: policies, rowLevelSecurity',
    rowLevelSecurity: 'Entity options: policies, rowLevelSecurity',
    partitionBy: 'Entity options: partitionBy',
    expression: 'Entity options: virtual entity (expression)',
    repository: 'Entity options: repository',
  } satisfies Readonly<Record<keyof EntityOptions<object>, Feature>>,

  embeddable: {
    constructorParams: 'Embeddables: of one of several classes (discriminator)',
    discriminator: 'Embeddables: of one of several classes (discriminator)',
    discriminatorColumn: 'Embeddables: of one of several classes (discriminator)',
    discriminatorMap: 'Embeddables: of one of several classes (discriminator)',
    discriminatorValue: 'Embeddables: of one of several classes (discriminator)',
    abstract: 'Embeddables: of one of several classes (discriminator)',
  } satisfies Readonly<Record<keyof EmbeddableOptions<object>, Feature>>,

  index: {
    name: INDEXES,
    properties: INDEXES,
    options: INDEXES,
    expression: INDEXES,
    columns: INDEXES,
    include: INDEXES,
    fillFactor: INDEXES,
    where: INDEXES,
    type: INDEXES,
    invisible: INDEXES,
    disabled: INDEXES,
    clustered: INDEXES,
    deferMode: INDEXES,
  } satisfies Readonly<Record<keyof IndexOptions<object> | keyof UniqueOptions<object>, Feature>>,

  hook: {
    onInit: HOOKS,
    onLoad: HOOKS,
    beforeCreate: HOOKS,
    afterCreate: HOOKS,
    beforeUpdate: HOOKS,
    afterUpdate: HOOKS,
    beforeUpsert: HOOKS,
    afterUpsert: HOOKS,
    beforeDelete: HOOKS,
    afterDelete: HOOKS,
    beforeFlush: HOOKS,
    onFlush: HOOKS,
    afterFlush: HOOKS,
    beforeTransactionStart: HOOKS,
    afterTransactionStart: HOOKS,
    beforeTransactionCommit: HOOKS,
    afterTransactionCommit: HOOKS,
    beforeTransactionRollback: HOOKS,
    afterTransactionRollback: HOOKS,
  } satisfies Readonly<Record<keyof typeof EventType, Feature>>,

  type: {
    date: 'Types: date',
    time: 'Types: time',
    datetime: 'Types: datetime',
    bigint: 'Types: bigint',
    blob: 'Types: blob',
    uint8array: 'Types: uint8array',
    array: 'Types: array',
    enumArray: 'Types: array of enums',
    enum: 'Types: enum',
    json: 'Types: json',
    integer: 'Types: integer',
    smallint: 'Types: smallint',
    tinyint: 'Types: tinyint',
    mediumint: 'Types: mediumint',
    float: 'Types: float',
    double: 'Types: double',
    boolean: 'Types: boolean',
    decimal: 'Types: decimal',
    character: 'Types: character',
    string: 'Types: string',
    uuid: 'Types: uuid',
    text: 'Types: text',
    interval: 'Types: interval',
    unknown: 'Types: unknown',
  } satisfies Readonly<Record<keyof typeof types, Feature>>,
};
