import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { MikroORM, type Options } from '@mikro-orm/sqlite';

import { readTimeline, writeHistory } from '../timeline.ts';
import * as model from './classes.ts';

/** `node tell.js dist/legacy/cached.config.js`: starts with this configuration, writes the history, prints its timeline. */
const { href } = pathToFileURL(resolve(process.argv[2]!));
const { default: config } = (await import(href)) as { default: Options };
const orm = await MikroORM.init(config);
await orm.schema.update();
await writeHistory(orm, model);
console.log(JSON.stringify(await readTimeline(orm, model)));
await orm.close();
