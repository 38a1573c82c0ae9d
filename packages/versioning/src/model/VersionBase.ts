/**
 * Base of all version classes. The reading room gives it its accessors; MikroORM hydrates the rest. It holds nothing
 * itself, so that the metadata room can derive classes from it without knowing how versions are read.
 */
export abstract class VersionBase {}
