import { TsMorphMetadataProvider } from '@mikro-orm/reflection';
import type { Options } from '@mikro-orm/sqlite';

import config from './mikro-orm.config.ts';

/** Types from the declarations, kept in `temp/`. */
export default { ...config, metadataProvider: TsMorphMetadataProvider } as Options;
