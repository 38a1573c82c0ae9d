import { expectTypeOf, it } from 'vitest';

import type { Connection, Orm } from './databases.ts';

it('gives an ORM whose connection speaks SQL', () => {
  expectTypeOf<Orm['em']>().toHaveProperty('getKysely');
  expectTypeOf<Connection['dbName']>().toEqualTypeOf<string>();
});
