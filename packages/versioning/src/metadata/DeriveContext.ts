import type { EntityMetadata, Platform } from '@mikro-orm/core';
import type { ResolvedOptions } from '../options.ts';
import type { Dialect } from './dialect.ts';

/** What deriving needs to know besides the entity. */
export interface DeriveContext {
  readonly options: ResolvedOptions;
  readonly dialect: Dialect;
  readonly platform: Platform;
  readonly transaction: EntityMetadata;
}
