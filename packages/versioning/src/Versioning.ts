import type { EntityMetadata, MikroORM, Platform } from '@mikro-orm/core';
import { ambientContext } from './context.ts';
import { noteFlushCallers } from './internals/flushCallers.ts';
import { VersioningError } from './errors.ts';
import { protectHistory, type HistoryPair } from './internals/schemaDiffs.ts';
import { deriveModel } from './metadata/deriveModel.ts';
import { dialectOf, type Dialect } from './metadata/dialect.ts';
import { transactionSchema } from './metadata/transactionEntity.ts';
import type { VersioningModel } from './model/VersioningModel.ts';
import { resolveOptions, type ResolvedOptions, type VersioningOptions } from './options.ts';
import { defineAccessors } from './read/accessors.ts';
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
    return {
      name: 'Versioning',
      register: orm => {
        register(orm, resolved);
      },
    };
  }

  static register(this: void, orm: MikroORM): void {
    register(orm, resolveOptions({}));
  }
}

const registered = new WeakSet<MikroORM>();

function register(orm: MikroORM, options: ResolvedOptions): void {
  if (registered.has(orm)) {
    throw VersioningError.registeredTwice();
  }
  registered.add(orm);
  const { config } = orm;
  const dialect = dialectOf(config.getPlatform(), options.transactionIdType);
  if (options.schema !== undefined && dialect.name === 'sqlite') {
    throw VersioningError.unsupported(
      'Versioning.with({ schema })',
      'is given for SQLite, which has no schemas',
      'Leave it out; tablePrefix and tableSuffix set the history apart.',
    );
  }
  defineAccessors();
  noteFlushCallers(ambientContext);
  addTransactionEntity(orm, options, dialect);
  const discovery = config.get('discovery');
  const before = discovery.afterDiscovered;
  config.set('discovery', {
    ...discovery,
    afterDiscovered: (storage, platform) => {
      const derive = () => {
        const model = deriveModel(storage, platform, options, dialect);
        addRecorder(orm, model, options, dialect);
        const { versionId, transactionId, endTransactionId } = options.columns;
        protectHistory(config, historyPairs(model, platform), [versionId, transactionId, endTransactionId]);
      };
      const result = before?.(storage, platform);
      return result instanceof Promise ? result.then(derive) : derive();
    },
  });
}

function addTransactionEntity({ config }: MikroORM, options: ResolvedOptions, dialect: Dialect): void {
  const schema = transactionSchema(options, dialect);
  config.set('entities', [...config.get('entities'), schema]);
  const entitiesTs = config.get('entitiesTs');
  if (entitiesTs.length > 0) {
    config.set('entitiesTs', [...entitiesTs, schema]);
  }
}

function addRecorder({ config }: MikroORM, model: VersioningModel, options: ResolvedOptions, dialect: Dialect): void {
  const recorder = new Recorder(
    model,
    createStore(model, dialect, config.getPlatform()),
    config.getPlatform(),
    options,
  );
  config.set('subscribers', [...config.get('subscribers'), recorder]);
}

/** Live tables and their history tables, as the schema generator names them. */
function historyPairs({ rows, links }: VersioningModel, platform: Platform): HistoryPair[] {
  const name = ({ schema, tableName }: EntityMetadata) =>
    schema === undefined || schema === platform.getDefaultSchemaName() ? tableName : `${schema}.${tableName}`;
  return [
    ...[...rows.values()].map(({ sources, version }) => ({
      history: name(version),
      live: sources.map(({ meta, renamed }) => ({ table: name(meta), renamed })),
    })),
    ...[...new Map(links.map(link => [link.version, link])).values()]
      .filter(({ table }) => table.kind === 'link')
      .map(({ pivot, version }) => ({
        history: name(version),
        live: [{ table: name(pivot), renamed: new Map<string, string>() }],
      })),
  ];
}
