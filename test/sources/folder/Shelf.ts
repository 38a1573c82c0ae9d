import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/es';

/** Marked in the list of the configuration. */
@Entity()
export class Shelf {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;
}
