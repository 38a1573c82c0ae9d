import type { EntityMetadata, Platform } from '@mikro-orm/core';
import { inSchema, qualified } from '../metadata/schemas.ts';
import type { Dialect } from '../metadata/dialect.ts';
import type { HistoryTable } from '../model/HistoryTable.ts';
import type { VersioningModel } from '../model/VersioningModel.ts';
import { PostgreSqlStore } from './PostgreSqlStore.ts';
import { quote } from './sql.ts';
import { SqliteStore } from './SqliteStore.ts';
import type { Store } from './Store.ts';
import type { TransactionColumns } from './StoreLayout.ts';

const STORES = { postgresql: PostgreSqlStore, sqlite: SqliteStore } as const;

/** The store of a database, for the tables of the model. */
export function createStore(model: VersioningModel, dialect: Dialect, platform: Platform): Store {
  const tables = [...model.rows.values(), ...model.links].map(({ table }) => [table.name, table] as const);
  const { versionId, transactionId, endTransactionId, operationType, entityType } = model.columns;
  const byName = new Map(tables);
  const bySchema = new Map<string, HistoryTable>();
  const table = (name: string, schema: string | undefined): HistoryTable => {
    const id = JSON.stringify([schema, name]);
    const known = bySchema.get(id);
    if (known) {
      return known;
    }
    const template = byName.get(name)!;
    const [live, history] = [template.live, template.history].map(sql => inSchema(sql, schema, platform));
    const found = { ...template, live: live!, history: history! };
    bySchema.set(id, found);
    return found;
  };
  return new STORES[dialect.name]({
    table,
    columns: {
      versionId: quote(versionId),
      transactionId: quote(transactionId),
      endTransactionId: quote(endTransactionId),
      operationType: quote(operationType),
      entityType: quote(entityType),
    },
    openEnd: model.openEnd,
    transaction: transactionColumns(model.transaction, platform),
  });
}

function transactionColumns(meta: EntityMetadata, platform: Platform): TransactionColumns {
  const column = (property: string) => quote(meta.properties[property as never]!['fieldNames'][0]!);
  return {
    table: qualified(meta, platform),
    id: column('id'),
    issuedAt: column('issuedAt'),
    actor: column('actor'),
    reason: column('reason'),
    meta: column('meta'),
    changed: column('changed'),
  };
}
