/** Values of a key in the database's own representation, in the order of the key's columns. */
export type KeyValues = readonly unknown[];

/** One touched row. `born` is true when the transaction itself created it, as far as a row without history tells. */
export interface TouchedKey {
  readonly values: KeyValues;
  readonly born: boolean;
}

/**
 * What a flush does to a row. Only a row that it changes is sure to have existed: a deletion may find nothing to delete,
 * and one that existed without a version leaves an image. Of what a failed flush was to create, nothing is sure.
 */
export type Touch = 'created' | 'changed' | 'left' | 'unsure';

/** The transaction or savepoint in which a row was touched. What a savepoint touched does not count once it is rolled back. */
export type Frame = object;

/** Which columns of a link are known: those of one end, or of both where the order is part of the key. */
export type LinkPart = 'owner' | 'target' | 'both';

/** Links that have these values in a part of their key. */
export interface TouchedLinks {
  readonly part: LinkPart;
  /** Whether live links count as well, besides the open spans: where the transaction gave them this key. */
  readonly live: boolean;
  readonly values: readonly KeyValues[];
}

/** The rows of one history table that a transaction may have changed. */
export class TouchedRows {
  readonly #keys = new Map<
    string,
    { readonly values: KeyValues; readonly touches: { frame: Frame; touch: Touch }[] }
  >();
  readonly #links = new Map<
    string,
    { readonly part: LinkPart; readonly live: boolean; readonly values: Map<string, KeyValues> }
  >();

  addKey(values: KeyValues, touch: Touch, frame: Frame): void {
    const serialized = serializeKey(values);
    const known = this.#keys.get(serialized);
    if (!known) {
      this.#keys.set(serialized, { values, touches: [{ frame, touch }] });
    } else if (known.touches.at(-1)!.frame !== frame || known.touches.at(-1)!.touch === 'unsure') {
      known.touches.push({ frame, touch });
    }
  }

  addLinks(part: LinkPart, values: KeyValues, live: boolean): void {
    const id = `${part} ${live}`;
    const links = this.#links.get(id) ?? { part, live, values: new Map<string, KeyValues>() };
    this.#links.set(id, links);
    links.values.set(serializeKey(values), values);
  }

  /** The keys that were touched outside of rolled-back savepoints. The first touch says whether the row is new. */
  keys(isAlive: (frame: Frame) => boolean): TouchedKey[] {
    const keys: TouchedKey[] = [];
    for (const { values, touches } of this.#keys.values()) {
      const alive = touches.filter(({ frame }) => isAlive(frame));
      const first = alive.find(({ touch }) => touch !== 'unsure') ?? alive[0];
      if (first) {
        keys.push({ values, born: first.touch !== 'changed' });
      }
    }
    return keys;
  }

  links(): TouchedLinks[] {
    return [...this.#links.values()].map(({ part, live, values }) => ({ part, live, values: [...values.values()] }));
  }

  /** Whether the transaction itself created the row. */
  isCreated(values: KeyValues, isAlive: (frame: Frame) => boolean): boolean {
    const touches = this.#keys.get(serializeKey(values))?.touches ?? [];
    return touches.find(({ frame, touch }) => touch !== 'unsure' && isAlive(frame))?.touch === 'created';
  }
}

/** What one root database transaction may have changed. A superset: the database decides. */
export class Touched {
  readonly #tables = new Map<
    string,
    { readonly name: string; readonly schema: string | undefined; readonly rows: TouchedRows }
  >();
  /** Whether images of rows without history were taken. */
  images = false;

  get isEmpty(): boolean {
    return this.#tables.size === 0;
  }

  /** Rows of a history table; `schema` says in which schema, for an entity that has its tables in several. */
  rowsOf(name: string, schema?: string): TouchedRows {
    const id = schema === undefined ? name : `${schema}.${name}`;
    let table = this.#tables.get(id);
    if (!table) {
      table = { name, schema, rows: new TouchedRows() };
      this.#tables.set(id, table);
    }
    return table.rows;
  }

  /** What counts when the transaction commits; tables of which nothing does are left out. */
  counting(isAlive: (frame: Frame) => boolean): TouchedTables {
    const tables = [...this.#tables.values()].map(({ name, schema, rows }) => ({
      name,
      schema,
      keys: rows.keys(isAlive),
      links: rows.links(),
    }));
    return { tables: tables.filter(({ keys, links }) => keys.length + links.length > 0), images: this.images };
  }
}

/** What the store compares of one history table. */
export interface TouchedTable {
  /** `HistoryTable.name`. */
  readonly name: string;
  /** Of an entity that has its tables in several schemas; `undefined` for the configured one. */
  readonly schema: string | undefined;
  readonly keys: readonly TouchedKey[];
  readonly links: readonly TouchedLinks[];
}

/** What the store compares: each table once. */
export interface TouchedTables {
  readonly tables: readonly TouchedTable[];
  readonly images: boolean;
}

/** One text per key, whether a driver gave the number 1 or the text '1'. */
export function serializeKey(values: KeyValues): string {
  return values.length === 1 ? String(values[0]) : JSON.stringify(values.map(String));
}
