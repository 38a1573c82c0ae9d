import { Entity, ManyToOne, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import { Versioned, type Versions } from 'mikro-orm-versioning';

import { Shelf } from './Shelf.ts';

/** Marked here. */
@Entity()
@Versioned({ exclude: ['copies'] })
export class Book {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  title!: string;

  @Property({ type: 'integer' })
  copies!: number;

  @ManyToOne(() => Shelf)
  shelf!: Shelf;

  declare readonly versions: Versions<Book, { copies: never }>;
}
