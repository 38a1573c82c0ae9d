import { EntitySchema } from '@mikro-orm/core';
import { VersionTransaction } from '../model/VersionTransaction.ts';
import type { ResolvedOptions } from '../options.ts';
import type { Dialect } from './dialect.ts';

/** The schema of the transaction rows. It goes through MikroORM's own discovery, with the user's naming strategy. */
export function transactionSchema(options: ResolvedOptions, dialect: Dialect): EntitySchema<VersionTransaction> {
  return new EntitySchema<VersionTransaction>({
    class: VersionTransaction,
    tableName: options.transactionTable,
    ...(options.schema === undefined ? {} : { schema: options.schema }),
    properties: {
      id: { type: dialect.idType(), primary: true, autoincrement: true },
      // not 'datetime': on SQLite, MikroORM takes every loaded value of that type for a changed one
      issuedAt: { type: 'Date', length: 3, index: true },
      actor: { type: 'text', nullable: true },
      reason: { type: 'text', nullable: true },
      meta: { type: 'json', nullable: true },
      changed: { type: 'json' },
    },
  });
}
