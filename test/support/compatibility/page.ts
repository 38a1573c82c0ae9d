import type { DatabaseName } from '../selectedDatabases.ts';
import type { Refusal, Status } from './covers.ts';
import { FEATURES } from './features.ts';
import { MAPPING_OPTIONS } from './mappingOptions.ts';

/** A feature that a passing test is about, on one database. */
export interface Shown {
  readonly feature: string;
  readonly status: Status;
  /** `undefined` for a test outside of any database's suite. */
  readonly database: DatabaseName | undefined;
  /** What the refused one says. */
  readonly refusal: Refusal | undefined;
  /** `test/keys.test.ts` */
  readonly file: string;
}

interface Row {
  readonly area: string;
  readonly name: string;
  readonly feature: string;
  readonly note: string | undefined;
  readonly databases: readonly DatabaseName[];
}

const DATABASES = { sqlite: 'SQLite', postgresql: 'PostgreSQL' } as const;

const CELLS: Readonly<Record<Status, string>> = { supported: 'yes', refused: 'refused', 'left out': 'left out' };

const OPTIONS: Readonly<Record<keyof typeof MAPPING_OPTIONS, string>> = {
  property: 'Of a property',
  relation: 'Of a relation',
  embedded: 'Of an embedded property',
  builder: 'Of the builder',
  entity: 'Of an entity',
  embeddable: 'Of an embeddable',
  index: 'Of an index or a unique constraint',
  hook: 'Hooks and events',
  type: 'Types',
};

/** What keeps the tests from proving the page, in whole sentences. */
export function findProblems(shown: readonly Shown[]): string[] {
  const known = new Map(rows().map(row => [row.feature, row]));
  const problems = new Set<string>();

  for (const { feature, status, database, refusal, file } of shown) {
    const row = known.get(feature);

    if (!row) {
      problems.add(`${file} covers "${feature}", which the catalogue does not have.`);
    } else if (!database) {
      problems.add(`${file} covers "${feature}" outside of describeDatabase() and describeEachDatabase().`);
    } else if (!row.databases.includes(database)) {
      problems.add(`${file} covers "${feature}" on ${DATABASES[database]}, which does not have it.`);
    }

    if (status === 'refused' && !refusal) {
      problems.add(`${file} says that "${feature}" is refused, and does not call expectRefusal().`);
    }
  }

  for (const { feature, databases } of rows()) {
    for (const database of databases) {
      const statuses = new Set(about(shown, feature, database).map(({ status }) => status));

      if (statuses.size !== 1) {
        problems.add(
          statuses.size === 0
            ? `"${feature}" is covered by no passing test on ${DATABASES[database]}.`
            : `"${feature}" is covered as ${[...statuses].join(' and as ')} on ${DATABASES[database]}.`,
        );
      }
    }
  }

  return [...problems];
}

/** docs/compatibility.md */
export function writePage(shown: readonly Shown[]): string {
  return [...heading(), ...areas(shown), ...options()].join('\n');
}

function heading(): string[] {
  return [
    '# Compatibility',
    '',
    '<!-- Generated from the tests by `npm run docs:compatibility`. A complete run of the tests fails when this page is out of date. -->',
    '',
    "Every feature of MikroORM's mapping, and how it fares in the history of a versioned entity. Each row is shown by passing tests on real databases; the last column says which.",
    '',
    '- **yes**: recorded, read, compared and reverted.',
    '- **refused**: a `VersioningError` at start, with the code and the words that are quoted. Nothing is silently ignored.',
    '- **left out**: has no part in the history, by design.',
    '- **–**: the database does not have it.',
    '',
  ];
}

function areas(shown: readonly Shown[]): string[] {
  const tables = Map.groupBy(rows(), ({ area }) => area);

  return [...tables].flatMap(([area, of]) => [
    `## ${area}`,
    '',
    `| feature | ${Object.values(DATABASES).join(' | ')} | | tests |`,
    '| --- | --- | --- | --- | --- |',
    ...of.map(row => writeRow(row, shown)),
    '',
  ]);
}

function writeRow({ name, feature, note, databases }: Row, shown: readonly Shown[]): string {
  const cells = databaseNames().map(database =>
    databases.includes(database) ? CELLS[about(shown, feature, database)[0]!.status] : '–',
  );
  const covering = shown.filter(each => each.feature === feature);
  const refusals = new Set(
    covering.flatMap(({ refusal }) => (refusal ? [`\`${refusal.code}\`: ${refusal.message}`] : [])),
  );
  const files = [...new Set(covering.map(({ file }) => file))].toSorted();
  const remarks = [...[...refusals].toSorted(), ...(note ? [note] : [])].map(escape).join(' ');
  const links = files.map(file => `[${file.replace(/^test\/|\.test\.ts$/g, '')}](../${file})`);

  return `| ${[name, ...cells, remarks, links.join(', ')].join(' | ')} |`;
}

function options(): string[] {
  return [
    '## By option',
    '',
    "Where the options of MikroORM's own types are in the tables above.",
    '',
    ...Object.entries(MAPPING_OPTIONS).flatMap(([kind, of]) => [
      `### ${OPTIONS[kind as keyof typeof OPTIONS]}`,
      '',
      '| option | feature |',
      '| --- | --- |',
      ...Object.entries(of).map(([option, feature]) => `| \`${option}\` | ${feature} |`),
      '',
    ]),
  ];
}

function rows(): Row[] {
  return Object.entries(FEATURES).flatMap(([area, of]) =>
    Object.entries<{ readonly note?: string; readonly only?: DatabaseName }>(of).map(([name, { note, only }]) => ({
      area,
      name,
      feature: `${area}: ${name}`,
      note,
      databases: only ? [only] : databaseNames(),
    })),
  );
}

function about(shown: readonly Shown[], feature: string, database: DatabaseName): Shown[] {
  return shown.filter(each => each.feature === feature && each.database === database);
}

function databaseNames(): DatabaseName[] {
  return Object.keys(DATABASES) as DatabaseName[];
}

function escape(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
