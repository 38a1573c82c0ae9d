import { readFileSync } from 'node:fs';

import { GeneratedCacheAdapter, MetadataProvider } from '@mikro-orm/core';
import type { Options } from '@mikro-orm/sqlite';

import config from './mikro-orm.config.ts';

/** Types from the one file that `cache:generate --combined` makes, and from nowhere else. */
export default {
  ...config,
  metadataProvider: MetadataProvider,
  metadataCache: {
    enabled: true,
    adapter: GeneratedCacheAdapter,
    options: { data: JSON.parse(readFileSync('temp/metadata.json', 'utf8')) as object },
  },
} as Options;
