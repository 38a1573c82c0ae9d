import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import { expect, it } from 'vitest';

import { createOrm, describeEachDatabase } from './databases.ts';

@Entity()
class Author {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;
}

describeEachDatabase('ES decorators', db => {
  it('define an entity', async () => {
    const orm = await createOrm(db, { entities: [Author] });
    const em = orm.em.fork();
    em.create(Author, { id: 1, name: 'Kari' });
    await em.flush();

    expect(await orm.em.fork().findOneOrFail(Author, 1)).toMatchObject({ id: 1, name: 'Kari' });
  });
});
