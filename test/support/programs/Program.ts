import type { Orm, OrmOptions } from '../orm.ts';

type Manager = Orm['em'];

/** What one manager does before it is flushed; what it returns is shown as JSON. */
export type Step = (em: Manager) => Promise<unknown>;

/** The same work for any ORM with these entities, by what each of its steps is about. */
export interface Program {
  readonly entities: NonNullable<OrmOptions['entities']>;
  readonly steps: Readonly<Record<string, Step>>;
}
