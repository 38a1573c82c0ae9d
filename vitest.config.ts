import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';

import { compatibility } from './test/support/compatibility/CompatibilityReporter.ts';
import { decorators } from './test/support/decorators.ts';

const conditions = ['mikro-orm-versioning-source', ...defaultServerConditions];

/** West of UTC, and by half an hour more than whole hours: a time that lost its zone on the way shows. */
process.env['TZ'] = 'America/St_Johns';

export default defineConfig({
  plugins: [decorators(), compatibility()],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/globalSetup.ts'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    env: { TZ: 'America/St_Johns' },
    typecheck: {
      enabled: true,
      include: ['test/**/*.test-d.ts'],
      tsconfig: 'tsconfig.types.json',
      ignoreSourceErrors: true,
    },
  },
});
