import type { Collection } from '@mikro-orm/core';
import { Entity, ManyToMany, ManyToOne, OneToMany, OneToOne, PrimaryKey, Property } from '@mikro-orm/decorators/es';
import { Versioned, type Versions } from 'mikro-orm-versioning';

@Entity()
@Versioned()
export class Post {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  title!: string;

  @OneToMany(() => Like, like => like.subject)
  likes!: Collection<Like>;

  @ManyToMany(() => Tag, undefined, { pivotTable: 'taggable', discriminator: 'taggable' })
  tags!: Collection<Tag>;

  @OneToOne({ entity: () => Cover, mappedBy: 'of', nullable: true })
  cover?: Cover | null;

  @ManyToMany({ entity: () => [Image, Video] as never, pivotTable: 'attachment', discriminator: 'attachable' })
  attachments!: Collection<Image | Video>;

  declare readonly versions: Versions<Post>;
}

@Entity()
@Versioned()
export class Comment {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  text!: string;

  @OneToMany(() => Like, like => like.subject)
  likes!: Collection<Like>;

  @ManyToMany(() => Tag, undefined, { pivotTable: 'taggable', discriminator: 'taggable' })
  tags!: Collection<Tag>;

  declare readonly versions: Versions<Comment>;
}

@Entity()
@Versioned()
export class Cover {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  colour!: string;

  @OneToOne({ entity: () => [Post, Comment] as never, nullable: true, unique: false })
  of?: Post | Comment | null;

  declare readonly versions: Versions<Cover>;
}

/** Without history. */
@Entity()
export class User {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;
}

@Entity()
@Versioned()
export class Like {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @ManyToOne({ entity: () => [Post, Comment] as never, nullable: true })
  subject?: Post | Comment | null;

  // to versions of some, and to live rows of others
  @ManyToOne({ entity: () => [Post, User] as never, nullable: true })
  seenOn?: Post | User | null;

  declare readonly versions: Versions<Like>;
}

@Entity()
@Versioned()
export class Tag {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @ManyToMany(() => Post, post => post.tags)
  posts!: Collection<Post>;

  declare readonly versions: Versions<Tag>;
}

@Entity()
@Versioned()
export class Image {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  file!: string;

  @ManyToMany(() => Post, post => post.attachments as never)
  posts!: Collection<Post>;

  declare readonly versions: Versions<Image>;
}

@Entity()
export class Video {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  file!: string;
}

export const ENTITIES = [Post, Comment, Cover, User, Like, Tag, Image, Video];
