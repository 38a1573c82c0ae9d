import type { Collection } from '@mikro-orm/core';
import {
  Embeddable,
  Embedded,
  Entity,
  ManyToMany,
  ManyToOne,
  OneToMany,
  OneToOne,
  PrimaryKey,
  Property,
} from '@mikro-orm/decorators/es';
import { Versioned } from 'mikro-orm-versioning';

/** A schema with relations and inheritance of every kind. */
@Embeddable()
export class Address {
  @Property({ type: 'string' })
  town!: string;

  @Property({ type: 'string', nullable: true })
  street?: string | null;
}

/** Without history. */
@Entity()
export class Country {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;
}

@Entity()
@Versioned()
export class Shelf {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @ManyToOne(() => Shelf, { nullable: true })
  above?: Shelf | null;

  @OneToMany(() => Shelf, shelf => shelf.above)
  below!: Collection<Shelf>;

  @OneToMany(() => Book, book => book.shelf)
  books!: Collection<Book>;
}

/** In a table of its own, with one for each kind. */
@Entity({ inheritance: 'tpt' })
@Versioned()
export class Person {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @ManyToOne(() => Country, { nullable: true })
  country?: Country | null;

  @Embedded(() => Address, { nullable: true })
  address?: Address | null;
}

@Entity()
export class Writer extends Person {
  @Property({ type: 'integer' })
  prizes!: number;

  @ManyToMany(() => Book, book => book.writers)
  books!: Collection<Book>;
}

@Entity()
export class Reader extends Person {
  @Property({ type: 'string', nullable: true })
  card?: string | null;

  @ManyToOne(() => Writer, { nullable: true })
  favourite?: Writer | null;
}

@Entity()
@Versioned({ exclude: ['lent'] })
export class Book {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  title!: string;

  @Property({ type: 'integer', nullable: true })
  pages?: number | null;

  @Property({ type: 'json', nullable: true })
  data?: Record<string, unknown> | null;

  @Property({ type: 'integer', default: 0 })
  lent?: number;

  @ManyToOne(() => Shelf, { nullable: true })
  shelf?: Shelf | null;

  @ManyToMany({ entity: () => Writer, pivotTable: 'book_writers' })
  writers!: Collection<Writer>;

  @ManyToMany({ entity: () => Country, fixedOrder: true, pivotTable: 'book_sold_in' })
  soldIn!: Collection<Country>;

  @OneToOne({ entity: () => Cover, mappedBy: 'book', nullable: true })
  cover?: Cover | null;

  @OneToMany(() => Medium, medium => medium.book)
  media!: Collection<Medium>;
}

@Entity()
@Versioned()
export class Cover {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  colour!: string;

  @OneToOne({ entity: () => Book, nullable: true, unique: false })
  book?: Book | null;
}

/** All kinds in one table. */
@Entity({ discriminatorColumn: 'kind', discriminatorValue: 'medium' })
@Versioned()
export class Medium {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string', nullable: true })
  name?: string | null;

  @ManyToOne(() => Book, { nullable: true })
  book?: Book | null;
}

@Entity({ discriminatorValue: 'sound' })
export class Sound extends Medium {
  @Property({ type: 'integer', nullable: true })
  seconds?: number | null;
}

/** Of books or of people. */
@Entity()
@Versioned()
export class Remark {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  text!: string;

  @ManyToOne({ entity: () => [Book, Shelf] as never, nullable: true })
  subject?: Book | Shelf | null;
}

export const LIBRARY = [Country, Shelf, Person, Writer, Reader, Book, Cover, Medium, Sound, Remark];
