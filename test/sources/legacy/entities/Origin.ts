import { Embeddable, Property } from '@mikro-orm/decorators/legacy';

@Embeddable()
export class Origin {
  @Property()
  author!: string;

  @Property({ type: 'string', nullable: true })
  place?: string | null;
}
