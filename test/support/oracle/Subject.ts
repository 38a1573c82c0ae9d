import type { EntityManager } from '@mikro-orm/core';
import type fc from 'fast-check';

import type { OrmOptions } from '../orm.ts';
import type { Shape } from './conditions.ts';

/** A schema, how it comes to a random history, and what can be asked of it. */
export interface Subject<Change> {
  readonly entities: NonNullable<OrmOptions['entities']>;
  readonly shapes: readonly Shape[];
  /** Of managers; none where every table is in the schema of its entity. */
  readonly schemas: readonly string[];
  /** The changes of one transaction. */
  readonly changes: fc.Arbitrary<readonly Change[]>;
  /** Makes what has no history. */
  readonly prepare: (em: EntityManager) => Promise<void>;
  readonly apply: (em: EntityManager, change: Change) => Promise<void>;
  /** The quoted names of tables whose rows are those of now, whatever the moment. */
  readonly unversioned: readonly string[];
}
