import {
  EntitySchema,
  type Configuration,
  type EntityMetadata,
  type MetadataStorage,
  type MikroORM,
  type Platform,
} from '@mikro-orm/core';
import { LastSubscriber } from './capture/LastSubscriber.ts';
import { ambientContext } from './context.ts';
import { onConfiguration } from './internals/configurations.ts';
import { noteFlushCallers } from './internals/flushCallers.ts';
import { ReferenceSnapshots } from './internals/referenceSnapshots.ts';
import { versionInfos } from './metadata/versionClass.ts';
import { VersioningError } from './errors.ts';
import { protectHistory, type HistoryPair } from './internals/schemaDiffs.ts';
import { deriveModel } from './metadata/deriveModel.ts';
import { dialectOf, type Dialect } from './metadata/dialect.ts';
import { transactionSchema } from './metadata/transactionEntity.ts';
import type { VersioningModel } from './model/VersioningModel.ts';
import { VersionTransaction } from './model/VersionTransaction.ts';
import { resolveOptions, type ResolvedOptions, type VersioningOptions } from './options.ts';
import { defineAccessors } from './read/accessors.ts';
import { openHistory } from './read/histories.ts';
import { Recorder } from './Recorder.ts';
import { createStore } from './store/createStore.ts';

/**
 * The extension. It derives the version entities, records every flush, and answers for the past:
 *
 *     MikroORM.init({ entities, dbName, extensions: [Versioning] });
 */
export class Versioning {
  /** The extension with options. Throws a `VersioningError` for an option that does not exist. */
  static with(options: VersioningOptions): { readonly name: string; register(orm: MikroORM): void } {
    const resolved = resolveOptions(options);
    const extension = {
      name: 'Versioning',
      register: (orm: MikroORM) => {
        register(orm, resolved);
      },
    };
    optionsOf.set(extension, resolved);
    return extension;
  }

  static register(this: void, orm: MikroORM): void {
    register(orm, DEFAULTS);
  }
}

const DEFAULTS = resolveOptions({});

/** By extension, as configurations list it. */
const optionsOf = new WeakMap<object, ResolvedOptions>([[Versioning, DEFAULTS]]);

onConfiguration(config => {
  const options = config
    .get('extensions')
    .map(extension => optionsOf.get(extension))
    .find(each => each !== undefined);
  if (options) {
    extend(config, options);
  }
});

const registered = new WeakSet<MikroORM>();

function register(orm: MikroORM, options: ResolvedOptions): void {
  if (registered.has(orm)) {
    throw VersioningError.registeredTwice();
  }
  registered.add(orm);
  defineAccessors();
  noteFlushCallers(ambientContext);
  // one that was not listed itself, but registered by another extension
  extend(orm.config, options);
}

type AfterDiscovered = (storage: MetadataStorage, platform: Platform) => void | Promise<void>;

const extended = new WeakSet<Configuration>();
/** What a configuration did after its discovery without us: its options may become those of another one. */
const withoutUs = new WeakMap<AfterDiscovered, AfterDiscovered | undefined>();

/** Makes discovery, of a configuration with or without a MikroORM, find the transaction rows and derive the history. */
function extend(config: Configuration, options: ResolvedOptions): void {
  if (extended.has(config)) {
    return;
  }
  extended.add(config);
  const dialect = dialectOf(config.getPlatform(), options.transactionIdType);
  if (options.schema !== undefined && dialect.name === 'sqlite') {
    throw VersioningError.unsupported(
      'Versioning.with({ schema })',
      'is given for SQLite, which has no schemas',
      'Leave it out; tablePrefix and tableSuffix set the history apart.',
    );
  }
  addTransactionEntity(config, options, dialect);
  const discovery = config.get('discovery');
  const given = discovery.afterDiscovered as AfterDiscovered | undefined;
  const before = given && withoutUs.has(given) ? withoutUs.get(given) : given;
  const afterDiscovered: AfterDiscovered = (storage, platform) => {
    const derive = () => {
      const model = deriveModel(storage, platform, options, dialect);
      addRecorder(config, model, options, dialect);
      const { versionId, transactionId, endTransactionId } = options.columns;
      protectHistory(config, historyPairs(model, platform), [versionId, transactionId, endTransactionId]);
    };
    const result = before?.(storage, platform);
    return result instanceof Promise ? result.then(derive) : derive();
  };
  withoutUs.set(afterDiscovered, before);
  config.set('discovery', { ...discovery, afterDiscovered });
}

function addTransactionEntity(config: Configuration, options: ResolvedOptions, dialect: Dialect): void {
  const schema = transactionSchema(options, dialect);
  const isOther = (entity: unknown) => !EntitySchema.is(entity) || entity.meta.class !== VersionTransaction;
  config.set('entities', [...config.get('entities').filter(isOther), schema]);
  const entitiesTs = config.get('entitiesTs');
  if (entitiesTs.length > 0) {
    config.set('entitiesTs', [...entitiesTs.filter(isOther), schema]);
  }
}

function addRecorder(config: Configuration, model: VersioningModel, options: ResolvedOptions, dialect: Dialect): void {
  const platform = config.getPlatform();
  const recorder = new Recorder(model, createStore(model, dialect, platform), platform, options);
  const references = new ReferenceSnapshots(
    [...model.metadata].filter(meta => versionInfos.has(meta) && !model.historyClasses.has(meta.class)),
  );
  const others = [...config.get('subscribers')].filter(
    subscriber => !(subscriber instanceof Recorder || subscriber instanceof ReferenceSnapshots),
  );
  config.set('subscribers', [...others, ...(references.isNeeded ? [references] : []), recorder]);
  openHistory(config, model, subscriber => subscriber instanceof Recorder || subscriber instanceof LastSubscriber);
}

/** Live tables and their history tables, as the schema generator names them. */
function historyPairs({ rows, links }: VersioningModel, platform: Platform): HistoryPair[] {
  const name = ({ schema, tableName }: EntityMetadata) =>
    schema === undefined || schema === platform.getDefaultSchemaName() ? tableName : `${schema}.${tableName}`;
  return [
    ...[...rows.values()].map(({ sources, version }) => ({
      history: name(version),
      live: sources.map(({ meta, prefix }) => ({ table: name(meta), prefix })),
    })),
    ...[...new Map(links.map(link => [link.version, link])).values()]
      .filter(({ table }) => table.kind === 'link')
      .map(({ pivot, version }) => ({
        history: name(version),
        live: [{ table: name(pivot), prefix: '' }],
      })),
  ];
}
