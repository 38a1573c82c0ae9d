import { Type, type Collection, type EntityName } from '@mikro-orm/core';

/** A value with a type of its own: `{ amount: 12.5, currency: 'EUR' }`, stored as `EUR 12.5`. */
export class Money {
  readonly amount: number;
  readonly currency: string;

  constructor(amount: number, currency: string) {
    this.amount = amount;
    this.currency = currency;
  }

  toString(): string {
    return `${this.currency} ${this.amount}`;
  }
}

export class MoneyType extends Type<Money, string> {
  override convertToDatabaseValue(value: Money): string {
    return String(value);
  }

  override convertToJSValue(value: string): Money {
    const [currency, amount] = value.split(' ');
    return new Money(Number(amount), currency!);
  }

  override getColumnType(): string {
    return 'varchar(20)';
  }
}

export type Status = 'draft' | 'public';

export interface Meta {
  words: number;
  languages: string[];
}

/** An embeddable. */
export interface Origin {
  author: string;
  place?: string | null;
}

/** What the abstract base class of all articles has. */
export interface Entry {
  id: number;
  createdAt: Date;
}

export interface Category {
  id: number;
  name: string;
  articles: Collection<Article>;
}

export interface Tag {
  id: number;
  name: string;
}

export interface Article extends Entry {
  title: string;
  status: Status;
  publishedOn?: string | null;
  meta: Meta;
  price: Money;
  origin: Origin;
  category: Category;
  tags: Collection<Tag>;
  comments: Collection<Comment>;
}

/** Root of a single-table hierarchy. */
export interface Comment {
  id: number;
  text: string;
  article: Article;
}

export interface Review extends Comment {
  stars: number;
}

/** The classes or schemas of the model. All of them are versioned. */
export interface Model {
  readonly Article: EntityName<Article>;
  readonly Category: EntityName<Category>;
  readonly Comment: EntityName<Comment>;
  readonly Review: EntityName<Review>;
  readonly Tag: EntityName<Tag>;
}

/** One way to write the model down. Their types differ, what they describe doesn't. */
export type Source = Readonly<Record<keyof Model, object>>;
