/** Values of a key in the database's own representation, in the order of the key's columns. */
export type KeyValues = readonly unknown[];

/** One touched row. `born` is true when the transaction itself created it. */
export interface TouchedKey {
  readonly values: KeyValues;
  readonly born: boolean;
}

/** The transaction or savepoint in which a row was touched. What a savepoint touched does not count once it is rolled back. */
export type Frame = object;

interface Touch {
  readonly frame: Frame;
  readonly born: boolean;
}

/** The rows of one history table that a transaction may have changed. */
export class TouchedRows {
  readonly #keys = new Map<string, { readonly values: KeyValues; readonly touches: Touch[] }>();
  /** Links only: every open span of these owners is looked at. */
  readonly owners = new Map<string, KeyValues>();
  /** Links only: every open span of these targets is looked at. */
  readonly targets = new Map<string, KeyValues>();

  /** The first touch says whether the row is new: one that existed stays so, whatever the transaction does to it later. */
  addKey(values: KeyValues, born: boolean, frame: Frame): void {
    const serialized = serializeKey(values);
    const known = this.#keys.get(serialized);
    if (!known) {
      this.#keys.set(serialized, { values, touches: [{ frame, born }] });
    } else if (known.touches.at(-1)!.frame !== frame) {
      known.touches.push({ frame, born });
    }
  }

  /** The keys that were touched outside of rolled-back savepoints. */
  keys(isAlive: (frame: Frame) => boolean): TouchedKey[] {
    const keys: TouchedKey[] = [];
    for (const { values, touches } of this.#keys.values()) {
      const first = touches.find(({ frame }) => isAlive(frame));
      if (first) {
        keys.push({ values, born: first.born });
      }
    }
    return keys;
  }

  /** Whether the transaction itself created the row, as far as is known. */
  isBorn(values: KeyValues): boolean {
    return this.#keys.get(serializeKey(values))?.touches[0]!.born ?? false;
  }
}

/** What one root database transaction may have changed, by `HistoryTable.name`. A superset: the database decides. */
export class Touched {
  readonly tables = new Map<string, TouchedRows>();
  /** Whether images of rows without history were taken. */
  images = false;

  rowsOf(table: string): TouchedRows {
    let rows = this.tables.get(table);
    if (!rows) {
      rows = new TouchedRows();
      this.tables.set(table, rows);
    }
    return rows;
  }

  /** What counts when the transaction commits; tables of which nothing does are left out. */
  counting(isAlive: (frame: Frame) => boolean): TouchedTables {
    const tables = new Map<string, TouchedTable>();
    for (const [name, rows] of this.tables) {
      const table = {
        keys: rows.keys(isAlive),
        owners: [...rows.owners.values()],
        targets: [...rows.targets.values()],
      };
      if (table.keys.length + table.owners.length + table.targets.length > 0) {
        tables.set(name, table);
      }
    }
    return { tables, images: this.images };
  }
}

/** What the store compares of one history table. */
export interface TouchedTable {
  readonly keys: readonly TouchedKey[];
  readonly owners: readonly KeyValues[];
  readonly targets: readonly KeyValues[];
}

/** What the store compares, by `HistoryTable.name`. */
export interface TouchedTables {
  readonly tables: ReadonlyMap<string, TouchedTable>;
  readonly images: boolean;
}

/** One text per key, whether a driver gave the number 1 or the text '1'. */
export function serializeKey(values: KeyValues): string {
  return values.length === 1 ? String(values[0]) : JSON.stringify(values.map(String));
}
