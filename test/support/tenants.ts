import type { Collection } from '@mikro-orm/core';
import { Entity, ManyToMany, ManyToOne, OneToMany, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import { Versioned } from 'mikro-orm-versioning';

/** In a schema of its own. */
@Entity({ schema: 'app' })
@Versioned()
export class Plan {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @ManyToOne(() => Plan, { nullable: true })
  follows?: Plan | null;

  @ManyToMany(() => Extra)
  extras!: Collection<Extra>;
}

@Entity({ schema: 'app' })
@Versioned()
export class Extra {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;
}

/** There, over several tables. */
@Entity({ schema: 'app', inheritance: 'tpt' })
@Versioned()
export class Party {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @ManyToOne(() => Plan, { nullable: true, deleteRule: 'set null' })
  plan?: Plan | null;
}

@Entity({ schema: 'app' })
export class Firm extends Party {
  @Property({ type: 'integer' })
  size!: number;
}

@Entity({ schema: 'app' })
export class Human extends Party {
  @ManyToOne(() => Firm, { nullable: true, deleteRule: 'set null' })
  employer?: Firm | null;
}

/** In the schema of its manager; the column `note` is called like a table there. */
@Entity({ schema: '*' })
@Versioned()
export class Note {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  note!: string;

  @ManyToOne(() => Plan, { nullable: true })
  plan?: Plan | null;

  @ManyToMany(() => Label)
  labels!: Collection<Label>;

  @OneToMany(() => Answer, answer => answer.note)
  answers!: Collection<Answer>;
}

@Entity({ schema: '*' })
@Versioned()
export class Label {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;
}

@Entity({ schema: '*' })
@Versioned()
export class Answer {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  text!: string;

  @ManyToOne(() => Note, { nullable: true, deleteRule: 'set null' })
  note?: Note | null;
}

/** There, in one table. */
@Entity({ schema: '*', discriminatorColumn: 'kind', discriminatorValue: 'device' })
@Versioned()
export class Device {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @ManyToOne(() => Note, { nullable: true, deleteRule: 'set null' })
  note?: Note | null;
}

@Entity({ schema: '*', discriminatorValue: 'phone' })
export class Phone extends Device {
  @Property({ type: 'integer', nullable: true })
  line?: number | null;
}

/** In the default schema, with the name of a table in another one. */
@Entity({ tableName: 'plan' })
@Versioned()
export class Twin {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;
}

export const TENANTS = [Plan, Extra, Party, Firm, Human, Note, Label, Answer, Device, Phone, Twin];
