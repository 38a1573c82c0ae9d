import type { EntityManager } from '@mikro-orm/sql';
import {
  asOf,
  changeset,
  countVersions,
  Operation,
  revert,
  versioning,
  versionOf,
  type VersionTransaction,
} from 'mikro-orm-versioning';

import type { Moment } from './check.ts';
import { describeChange } from './describe.ts';
import { Country, Currency } from './entities.ts';
import { bold, dim, green, print, printTable, printTitle, red } from './terminal.ts';
import { printTimeline, timelineOf } from './timeline.ts';

const OPERATIONS = {
  [Operation.INSERT]: 'inserted',
  [Operation.UPDATE]: 'updated',
  [Operation.DELETE]: 'deleted',
} as const;

/** What the history of four releases tells. */
export async function tellStory(em: EntityManager): Promise<void> {
  printTitle('What happened to …');
  const timelines = [
    ['HRV', '🇭🇷 Croatia: from the kuna to the euro'],
    ['SWZ', '🇸🇿 Eswatini: its name reaches Japanese, and the rand is money there too'],
    ['CZE', '🇨🇿 Czechia: moved to another subregion'],
  ] as const;

  for (const [i, [cca3, title]] of timelines.entries()) {
    print(...(i === 0 ? [] : ['']));
    printTimeline(title, await timelineOf(em.fork(), cca3));
  }

  await readVersions(em.fork());
  await printDiff(em.fork());
}

async function readVersions(em: EntityManager): Promise<void> {
  printTitle('Versions are entities, and their relations are as of then');
  const country = await em.findOneOrFail(Country, 'HRV', {
    populate: ['versions.subregion', 'versions.currencies', 'versions.borders', 'versions.transaction'],
  });
  const [first, second] = country.versions;
  const rows: [expression: string, answer: unknown][] = [
    ['country.versions[0].subregion.name', first!.subregion?.name],
    ['country.versions[1].subregion.name', second!.subregion?.name],
    ['country.versions[0].currencies[0].code', first!.currencies[0]?.code],
    ['country.versions[1].currencies[0].code', second!.currencies[0]?.code],
    ['country.versions[1].borders.map(each => each.commonName)', second!.borders.map(each => each.commonName)],
    ['country.versions[1].transaction.actor', second!.transaction.actor],
    ['country.versions[1].transaction.reason', second!.transaction.reason],
    ['await countVersions(country)', await countVersions(country)],
  ];
  printTable(rows.map(([expression, answer]) => [expression, dim('→'), JSON.stringify(answer)]));
}

async function printDiff(em: EntityManager): Promise<void> {
  printTitle('A diff: country.versions[1].changeset of North Macedonia');
  const country = await em.findOneOrFail(Country, 'MKD', { populate: ['versions'] });
  const changes = Object.entries<readonly [unknown, unknown]>(country.versions[1]!.changeset);
  printTable(
    changes.flatMap(([property, [old, now]]) =>
      typeof old === 'string'
        ? [
            [red('-'), property, red(old)],
            [green('+'), '', green(String(now))],
          ]
        : describeChange(property, old, now).map(line => [' ', ...line]),
    ),
  );
}

/** The same questions to the database of each release: ordinary queries, over relations. */
export async function askReleases(em: EntityManager, moments: readonly Moment[]): Promise<void> {
  printTitle('Questions to each release: asOf(em, transaction).find(Country, …)');
  const answers = moments.map(async ({ name, transaction }) => {
    const past = asOf(em, transaction);
    const euro = await past.count(Country, { currencies: { code: 'EUR' } });
    const kuna = await past.find(Country, { currencies: { code: 'HRK' } });
    const south = await past.find(
      Country,
      { subregion: { name: { $like: 'South%Europe' } }, borders: { cca3: 'HRV' } },
      { orderBy: { cca3: 'asc' } },
    );
    return [
      name,
      `${euro} pay in euros`,
      `in kuna: ${kuna.map(each => each.commonName).join(', ') || 'nobody'}`,
      `in the south, next to Croatia: ${south.map(each => each.cca3).join(', ')}`,
    ];
  });
  // all at once: each manager has its own moment
  printTable(await Promise.all(answers));
}

/** Takes Croatia back to its first version, the kuna included. Returns the transaction that this became. */
export async function revertCroatia(em: EntityManager): Promise<VersionTransaction> {
  printTitle('A revert: Croatia back to its first version, with its currencies');
  const country = await em.findOneOrFail(Country, 'HRV', { populate: ['versions', 'currencies'] });
  await revert(country.versions[0]!, { relations: ['currencies'] });
  print(`  Not written yet: ${JSON.stringify(changeset(country))}`);
  await versioning.run({ actor: 'demo', reason: 'back to the kuna' }, () => em.flush());
  print(`  Written as a new version; there are ${await countVersions(country)} now.`, '');

  const timeline = await timelineOf(em.fork(), 'HRV');
  printTimeline('🇭🇷 Croatia, the last transaction', timeline.slice(-1));
  print('');
  await printKuna(em.fork());

  return timeline.at(-1)!.transaction;
}

/** The kuna itself had gone with the last country that paid with it, and came back with the revert. */
async function printKuna(em: EntityManager): Promise<void> {
  const versions = await em.find(
    versionOf(Currency),
    { code: 'HRK' },
    { populate: ['transaction'], orderBy: { transaction: 'asc' } },
  );
  print(`  ${bold('HRK, the kuna itself')}`);
  printTable(
    versions.map(({ transaction, operationType, name }) => [
      transaction.reason ?? '',
      OPERATIONS[operationType],
      name ?? dim('no name'),
    ]),
  );
}
