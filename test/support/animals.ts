import type { Collection } from '@mikro-orm/core';
import { Entity, ManyToMany, ManyToOne, OneToMany, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import { Versioned, type Versions } from 'mikro-orm-versioning';

@Entity()
export class Label {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;
}

@Entity()
@Versioned()
export class Owner {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @ManyToOne(() => Animal, { nullable: true })
  favourite?: Animal | null;

  @OneToMany(() => Animal, animal => animal.owner)
  animals!: Collection<Animal>;

  @OneToMany(() => Dog, dog => dog.walker)
  walked!: Collection<Dog>;

  declare readonly versions: Versions<Owner>;
}

@Entity({ inheritance: 'tpt' })
@Versioned({ exclude: ['meals'] })
export abstract class Animal {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @Property({ type: 'integer', default: 0 })
  meals?: number;

  @ManyToOne(() => Owner, { nullable: true })
  owner?: Owner | null;

  @ManyToMany(() => Label)
  labels!: Collection<Label>;

  declare readonly versions: Versions<Animal>;
}

@Entity()
export class Dog extends Animal {
  @Property({ type: 'integer' })
  weight!: number;

  @Property({ type: 'string' })
  size!: string;

  @ManyToOne(() => Owner, { nullable: true, deleteRule: 'set null' })
  walker?: Owner | null;

  @ManyToMany(() => Cat, undefined, { pivotTable: 'dog_chases', joinColumn: 'dog_id', inverseJoinColumn: 'cat_id' })
  chases!: Collection<Cat>;

  declare readonly versions: Versions<Dog>;
}

@Entity()
export class Puppy extends Dog {
  @Property({ type: 'string', nullable: true })
  toy?: string | null;

  @ManyToOne(() => Dog, { nullable: true })
  mother?: Dog | null;

  declare readonly versions: Versions<Puppy>;
}

@Entity()
export class Cat extends Animal {
  @Property({ type: 'integer' })
  weight!: number;

  // of another type than that of dogs
  @Property({ type: 'integer' })
  size!: number;

  declare readonly versions: Versions<Cat>;
}

export const ENTITIES = [Label, Owner, Animal, Dog, Puppy, Cat];
