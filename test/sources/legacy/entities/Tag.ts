import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Versioned, type Versions } from 'mikro-orm-versioning';

@Entity()
@Versioned()
export class Tag {
  @PrimaryKey()
  id!: number;

  @Property()
  name!: string;

  declare readonly versions: Versions<Tag>;
}
