import type { EntityManager } from '@mikro-orm/sql';
import { versionOf } from 'mikro-orm-versioning';

import { checkHistory, type Moment } from './check.ts';
import { openDatabase } from './database.ts';
import { Country } from './entities.ts';
import { FactCheck } from './FactCheck.ts';
import { ProgressBar } from './ProgressBar.ts';
import { RELEASES, readRelease, type Release } from './releases.ts';
import { replay } from './replay.ts';
import { askReleases, revertCroatia, tellStory } from './story.ts';
import { print, printTitle } from './terminal.ts';

const MOST_DIFFERENCES = 20;

const usesPostgres = process.argv.includes('--postgres');
const database = await openDatabase(usesPostgres ? 'postgresql' : 'sqlite');

try {
  await run(database.orm.em);
} finally {
  await database.close();
}

async function run(em: EntityManager): Promise<void> {
  printTitle(`Four releases of world-countries, one transaction each, on ${usesPostgres ? 'PostgreSQL' : 'SQLite'}`);
  const moments = await replayReleases(em);
  await tellStory(em.fork());
  await askReleases(em, moments);
  const { id } = await revertCroatia(em.fork());
  moments.push({ name: 'the revert', transaction: id, expected: await afterRevert() });

  printTitle('The history against the release files');
  const facts = new FactCheck();
  await checkHistory(em.fork(), moments, facts);
  report(facts);
}

/** Replays all releases; what each must have left is read from its file anew, so that no replay can have touched it. */
async function replayReleases(em: EntityManager): Promise<Moment[]> {
  const moments: Moment[] = [];

  for (const number of RELEASES) {
    const release = await readRelease(number);
    const bar = new ProgressBar(number, release.countries.size);
    const { id } = await replay(em, release, () => {
      bar.advance();
    });
    const versions = await em.fork().count(versionOf(Country), { transaction: id });
    bar.finish(`${versions} of ${release.countries.size} countries changed`);
    moments.push({ name: `release ${number}`, transaction: id, expected: await readRelease(number) });
  }

  return moments;
}

/** The last release with Croatia, and the kuna, as the first release had them. */
async function afterRevert(): Promise<Release> {
  const first = await readRelease(RELEASES[0]!);
  const last = await readRelease(RELEASES.at(-1)!);
  const croatia = last.countries.get('HRV')!;
  const { attributes, region, subregion, currencies } = first.countries.get('HRV')!;

  return {
    ...last,
    countries: new Map([...last.countries, ['HRV', { ...croatia, attributes, region, subregion, currencies }]]),
    currencies: new Map([...last.currencies, ['HRK', first.currencies.get('HRK')!]]),
  };
}

/** Prints the differences, at most twenty, and the verdict. The exit code is 1 where there are any. */
function report({ count, differences }: FactCheck): void {
  for (const { moment, subject, property, expected, found } of differences.slice(0, MOST_DIFFERENCES)) {
    print(`  ${subject}, ${moment}, ${property}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
  }

  if (differences.length > MOST_DIFFERENCES) {
    print(`  and ${differences.length - MOST_DIFFERENCES} more`);
  }

  print(`checked ${count} facts against ${RELEASES.length} releases: ${differences.length} differences`);
  process.exitCode = differences.length === 0 ? 0 : 1;
}
