import {
  helper,
  type EntityMetadata,
  type EntityProperty,
  type EventArgs,
  type EventSubscriber,
} from '@mikro-orm/core';

/**
 * Internals of MikroORM leaned on: the snapshot of a reference, `helper(entity).__originalEntityData`. In a single-table
 * hierarchy whose discriminator is no property of the user's, MikroORM 7 leaves the discriminator out of the snapshot of a
 * reference that a loaded row leads to, as `version.entity` does; once that is loaded it passes for changed, and each flush
 * writes it. `test/internals.test.ts` fails when MikroORM changes it.
 */
export class ReferenceSnapshots implements EventSubscriber {
  readonly #classes: EntityMetadata['class'][];

  /** Of entities with history. */
  constructor(metas: readonly EntityMetadata[]) {
    this.#classes = metas.filter(meta => isImplicit(meta.root)).map(meta => meta.class);
  }

  get isNeeded(): boolean {
    return this.#classes.length > 0;
  }

  getSubscribedEntities(): EntityMetadata['class'][] {
    return this.#classes;
  }

  onInit({ entity, meta }: EventArgs<object>): void {
    const { __originalEntityData: snapshot, __initialized: isLoaded } = helper(entity);
    const column = meta.root.discriminatorColumn as string;
    if (snapshot && !isLoaded && meta.discriminatorValue !== undefined) {
      (snapshot as Record<string, unknown>)[column] ??= meta.discriminatorValue;
    }
  }
}

function isImplicit(root: EntityMetadata): boolean {
  const prop = root.properties[root.discriminatorColumn as never] as EntityProperty | undefined;
  return root.inheritanceType === 'sti' && prop?.userDefined === false;
}
