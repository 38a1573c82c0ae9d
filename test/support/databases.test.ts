import { EntitySchema } from '@mikro-orm/core';
import { expect, it } from 'vitest';

import { connectOrm, createOrm, describeEachDatabase } from './databases.ts';
import { selectedDatabases } from './selectedDatabases.ts';

interface Note {
  id: number;
  text: string;
}

const Note = new EntitySchema<Note>({
  name: 'Note',
  properties: { id: { type: 'integer', primary: true }, text: { type: 'string' } },
});

describeEachDatabase('databases', db => {
  it('gives each ORM a database of its own', async () => {
    const [one, two] = [await createOrm(db, { entities: [Note] }), await createOrm(db, { entities: [Note] })];
    await one.em.fork().insert(Note, { id: 1, text: 'only here' });

    expect(await one.em.fork().count(Note)).toBe(1);
    expect(await two.em.fork().count(Note)).toBe(0);
  });

  it('lets two ORMs open one shared database', async () => {
    const connection = await db.options({ shared: true });
    const writer = await connectOrm(db, connection, { entities: [Note] });
    const reader = await connectOrm(db, connection, { entities: [Note] });
    await writer.schema.create();
    await writer.em.fork().insert(Note, { id: 1, text: 'seen by both' });

    expect(await reader.em.fork().findOneOrFail(Note, 1)).toMatchObject({ text: 'seen by both' });
  });

  it('runs on a server that the project supports', async () => {
    const orm = await createOrm(db, { entities: [Note] });
    const version = { sqlite: 'select sqlite_version() as v', postgresql: 'show server_version' }[db.name];
    const [row] = await orm.em.getConnection().execute<Record<string, string>[]>(version);
    const major = Number.parseInt(Object.values(row ?? {})[0] ?? '', 10);

    expect(major).toBeGreaterThanOrEqual({ sqlite: 3, postgresql: 15 }[db.name]);
  });
});

it('keeps the clock west of UTC', () => {
  expect(new Date('2024-01-01T00:00:00').toISOString()).toBe('2024-01-01T03:30:00.000Z');
});

it('refuses a database that it does not know', () => {
  expect(() => selectedDatabases('sqlite,oracle')).toThrow('TEST_DATABASES names "oracle"');
});
