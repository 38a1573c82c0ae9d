import type { InferEntity } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/sql';
import { versionOf, VersionTransaction, type Version } from 'mikro-orm-versioning';

import { arrow, describeChange, describeSets, type Line } from './describe.ts';
import { Country, Currency, Language } from './entities.ts';
import { LINKS, linkSpansOf, type LinkName, type LinkSpan } from './past.ts';
import { bold, print, printTable } from './terminal.ts';

/** What one transaction changed of one country. */
export interface TimelineEntry {
  readonly transaction: VersionTransaction;
  readonly lines: readonly Line[];
}

type CountryVersion = Version<InferEntity<typeof Country>>;
type Labels = (link: LinkName, code: string, transaction: number) => string;

/**
 * All that ever happened to a country. Its versions tell the changes of its row; the spans of its links tell the rest,
 * such as a second currency, which gives the country no version of its own.
 */
export async function timelineOf(em: EntityManager, cca3: string): Promise<TimelineEntry[]> {
  const country = await em.findOneOrFail(Country, cca3, { populate: ['versions.subregion'] });
  const spans = await linkSpansOf(em, cca3);
  const labels = await readLabels(em);
  const versions = new Map(country.versions.map(version => [version.transaction.id, version]));
  const ids = new Set([...versions.keys(), ...spans.flatMap(span => [span.from, span.until])]);
  const transactions = await em.find(VersionTransaction, { id: { $in: [...ids] } }, { orderBy: { id: 'asc' } });

  return transactions.map(transaction => {
    const version = versions.get(transaction.id);
    return { transaction, lines: [...rowLines(version), ...linkLines(spans, transaction.id, labels)] };
  });
}

export function printTimeline(title: string, entries: readonly TimelineEntry[]): void {
  print(`  ${bold(title)}`);
  printTable(
    entries.flatMap(({ transaction, lines }) =>
      lines.map(([property, text], i) => [i === 0 ? (transaction.reason ?? '') : '', property, text]),
    ),
  );
}

/** A few words on the first version, and the changeset of every other. */
function rowLines(version: CountryVersion | undefined): Line[] {
  if (!version) {
    return [];
  }

  if (version.index === 0) {
    return [
      ['commonName', version.commonName],
      ['officialName', version.officialName],
      ['capitals', version.capitals.join(', ')],
      ['subregion', version.subregion?.name ?? '–'],
    ];
  }

  return Object.entries(version.changeset).flatMap(([property, [old, now]]) =>
    property === 'subregion'
      ? [[property, arrow(version.previous?.subregion?.name, version.subregion?.name)] as const]
      : describeChange(property, old, now),
  );
}

/** The links that held until the transaction, against those that hold from it on. */
function linkLines(spans: readonly LinkSpan[], transaction: number, labels: Labels): Line[] {
  return LINKS.flatMap(link => {
    const ofLink = spans.filter(span => span.link === link);
    const before = ofLink.filter(span => span.from < transaction && span.until >= transaction);
    const after = ofLink.filter(span => span.from <= transaction && span.until > transaction);
    const named = (held: readonly LinkSpan[]) => held.map(span => labels(link, span.target, transaction)).toSorted();
    const changed = ofLink.some(span => span.from === transaction || span.until === transaction);

    if (!changed) {
      return [];
    }

    return before.length > 0
      ? describeSets(link, named(before), named(after))
      : [[link, named(after).join(', ')] as const];
  });
}

/** Names a link's target as it was called at a transaction: `EUR Euro`. A neighbour goes by its code. */
async function readLabels(em: EntityManager): Promise<Labels> {
  const named = {
    currencies: await em.find(versionOf(Currency), {}, { orderBy: { transaction: 'desc' } }),
    languages: await em.find(versionOf(Language), {}, { orderBy: { transaction: 'desc' } }),
    borders: [],
  };

  return (link, code, transaction) => {
    const then = named[link].find(version => version.code === code && version.transaction.id <= transaction);
    return then?.name ? `${code} ${then.name}` : code;
  };
}
