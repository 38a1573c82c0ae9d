import { Entity, Property } from '@mikro-orm/decorators/legacy';
import type { Versions } from 'mikro-orm-versioning';

import { Comment } from './Article.ts';

/** Versioned with its root. */
@Entity({ discriminatorValue: 'review' })
export class Review extends Comment {
  @Property()
  stars!: number;

  declare readonly versions: Versions<Review>;
}
