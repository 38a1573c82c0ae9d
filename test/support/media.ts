import type { Collection } from '@mikro-orm/core';
import { Entity, Enum, ManyToMany, ManyToOne, OneToMany, PrimaryKey, Property } from '@mikro-orm/decorators/es';
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
export class Album {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  title!: string;

  @ManyToOne(() => Media, { nullable: true })
  cover?: Media | null;

  @OneToMany(() => Media, media => media.album)
  media!: Collection<Media>;

  declare readonly versions: Versions<Album>;
}

@Entity({ discriminatorColumn: 'kind', abstract: true })
@Versioned({ exclude: ['plays'] })
export abstract class Media {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Enum({ items: ['photo', 'video', 'clip'], type: 'string' })
  kind!: 'photo' | 'video' | 'clip';

  @Property({ type: 'string' })
  title!: string;

  @ManyToOne(() => Album, { nullable: true })
  album?: Album | null;

  @ManyToMany(() => Label)
  labels!: Collection<Label>;

  declare readonly versions: Versions<Media>;
}

@Entity({ discriminatorValue: 'photo' })
export class Photo extends Media {
  @Property({ type: 'integer' })
  width!: number;

  @ManyToOne(() => Photo, { nullable: true })
  original?: Photo | null;

  declare readonly versions: Versions<Photo>;
}

@Entity({ discriminatorValue: 'video' })
export class Video extends Media {
  @Property({ type: 'integer' })
  seconds!: number;

  @Property({ type: 'integer', default: 0 })
  plays?: number;

  // in one hierarchy, MikroORM would call both ends media_id
  @ManyToMany(() => Photo, undefined, {
    pivotTable: 'video_stills',
    joinColumn: 'video_id',
    inverseJoinColumn: 'photo_id',
  })
  stills!: Collection<Photo>;

  declare readonly versions: Versions<Video>;
}

@Entity({ discriminatorValue: 'clip' })
export class Clip extends Video {
  @Property({ type: 'string' })
  song!: string;

  declare readonly versions: Versions<Clip>;
}
