import { PrimaryKey, Property } from '@mikro-orm/decorators/legacy';

export abstract class Entry {
  @PrimaryKey()
  id!: number;

  @Property()
  createdAt!: Date;
}
