import type { EntityMetadata, Platform } from '@mikro-orm/core';
import type { AbstractSqlPlatform } from '@mikro-orm/sql';

/** MikroORM's name for "the schema of the manager". */
const WILDCARD = '*';

/** Stands in SQL for a schema that is known only when the SQL is used. */
const PLACEHOLDER = '__versioning_schema__';

/** Whether an entity's tables are in the schema of its manager, or of the entity itself. */
export function isWildcard(meta: EntityMetadata, platform: Platform): boolean {
  return meta.root.schema === WILDCARD && hasSchemas(platform);
}

/** The quoted name of an entity's table, with its schema unless that is the default one; for a wildcard, with a placeholder. */
export function qualified(meta: EntityMetadata, platform: Platform): string {
  if (meta.schema === WILDCARD) {
    return hasSchemas(platform)
      ? platform.quoteIdentifier(`${PLACEHOLDER}.${meta.tableName}`)
      : platform.quoteIdentifier(meta.tableName);
  }
  const schema = knownSchema(meta.schema, platform);
  return platform.quoteIdentifier(schema ? `${schema}.${meta.tableName}` : meta.tableName);
}

/** Whether SQL waits for a schema. */
export function isOpen(sql: string): boolean {
  return sql.includes(PLACEHOLDER);
}

/** SQL for one schema: the configured one where it is `undefined`. */
export function inSchema(sql: string, schema: string | undefined, platform: Platform): string {
  if (!isOpen(sql)) {
    return sql;
  }
  const known = knownSchema(schema, platform);
  const quoted = known ? `${platform.quoteIdentifier(known)}.` : '';
  return sql.replaceAll(`${platform.quoteIdentifier(PLACEHOLDER)}.`, quoted);
}

/** The schema that a wildcard stands for; `undefined` where that is the configured or the default one. */
export function otherSchema(schema: string | undefined, platform: Platform): string | undefined {
  return schema === undefined ||
    schema === WILDCARD ||
    knownSchema(schema, platform) === knownSchema(undefined, platform)
    ? undefined
    : schema;
}

/** `undefined` for the database's default schema. */
function knownSchema(schema: string | undefined, platform: Platform): string | undefined {
  const named = schema ?? platform.getConfig().get('schema');
  return named === platform.getDefaultSchemaName() ? undefined : named;
}

function hasSchemas(platform: Platform): boolean {
  return (platform as AbstractSqlPlatform).supportsSchemas();
}
