import { Versioning } from 'mikro-orm-versioning';
import { expect, it } from 'vitest';

import { createOrm, describeEachDatabase, type Database, type Orm } from './support/databases.ts';
import { blog } from './support/programs/blog.ts';
import { extraUpdates } from './support/programs/extraUpdates.ts';
import { animals, media } from './support/programs/hierarchies.ts';
import { nodes } from './support/programs/nodes.ts';
import { people } from './support/programs/people.ts';
import { posts } from './support/programs/posts.ts';
import type { Program, Step } from './support/programs/Program.ts';
import { keys, properties, stamps } from './support/programs/scalars.ts';
import type { DatabaseName } from './support/selectedDatabases.ts';
import { numberUuids, statementsOf, withoutOurs } from './support/statements.ts';

/** One program a name: the same entities for both kinds of ORM. */
const PROGRAMS: Readonly<Record<string, Program | Readonly<Record<DatabaseName, Program>>>> = {
  'rows, links and queries': blog,
  'relations of every kind': nodes,
  'polymorphic relations': posts,
  'extra updates and orphans': extraUpdates,
  embeddables: people,
  'a single-table hierarchy': media,
  'a joined hierarchy': animals,
  'keys of all kinds': keys(),
  'properties of all types': { sqlite: properties('sqlite'), postgresql: properties('postgresql') },
  'what the database finds out': stamps,
};

type Run = (orm: Orm, step: Step) => Promise<unknown>;

/** How the steps of a program are flushed. */
const MODES: Readonly<Record<string, (orm: Orm, work: (run: Run) => Promise<void>) => Promise<void>>> = {
  'a transaction for each flush': (_, work) =>
    work(async (orm, step) => {
      const em = orm.em.fork();
      const result = await step(em);
      await em.flush();
      return result;
    }),
  'savepoints of one transaction': (orm, work) =>
    orm.em.fork().transactional(outer => work((_, step) => outer.transactional(em => step(em), { clear: true }))),
};

const CASES = Object.keys(PROGRAMS).flatMap(name => Object.keys(MODES).map(mode => [name, mode] as const));

function programOf(db: Database, name: string): Program {
  const program = PROGRAMS[name]!;
  return 'steps' in program ? program : program[db.name];
}

/** Everything that a program has an ORM do: its statements, what its steps return, and their errors. */
async function transcribe(orm: Orm, { steps }: Program, mode: string): Promise<string[]> {
  return statementsOf(orm, note =>
    MODES[mode]!(orm, async run => {
      for (const [name, step] of Object.entries(steps)) {
        note(`# ${name}`);
        const outcome = await run(orm, step).then(
          result => JSON.stringify(result, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)),
          (error: Error) => `${error.name}: ${error.message.split('\n')[0]}`,
        );
        note(`# ${outcome}`);
      }
    }),
  );
}

/** By database, program and mode. They are made before the extension is registered for the first time. */
const plain = new Map<string, string[]>();

describeEachDatabase('without the extension', db => {
  it.each(CASES)('%s, in %s, has a transcript', async (name, mode) => {
    const program = programOf(db, name);
    const orm = await createOrm(db, { entities: program.entities });
    plain.set([db.name, name, 'schema'].join(), splitSchema(await orm.schema.getCreateSchemaSQL()));
    const transcript = numberUuids(await transcribe(orm, program, mode));
    plain.set([db.name, name, mode].join(), transcript);
    expect(transcript.length).toBeGreaterThan(Object.keys(program.steps).length);
  });
});

describeEachDatabase('with the extension', db => {
  it.each(CASES)('%s, in %s, has the same schema, statements and results, and ours', async (name, mode) => {
    const program = programOf(db, name);
    const orm = await createOrm(db, { entities: program.entities, extensions: [Versioning] });
    const schema = splitSchema(await orm.schema.getCreateSchemaSQL());
    expect(withoutOurs(orm, schema)).toEqual(plain.get([db.name, name, 'schema'].join()));
    const transcript = numberUuids(await transcribe(orm, program, mode));
    expect(withoutOurs(orm, transcript)).toEqual(plain.get([db.name, name, mode].join()));
    expect(transcript.length).toBeGreaterThan(withoutOurs(orm, transcript).length);
  });
});

function splitSchema(sql: string): string[] {
  return sql.split('\n').filter(line => line !== '');
}
