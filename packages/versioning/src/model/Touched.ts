/** Values of a key in the database's own representation, in the order of the key's columns. */
export type KeyValues = readonly unknown[];

/** One touched row. `born` is true when the transaction itself created it. */
export interface TouchedKey {
  readonly values: KeyValues;
  readonly born: boolean;
}

/** The rows of one history table that a transaction may have changed. */
export class TouchedRows {
  /** By serialized key. */
  readonly keys = new Map<string, TouchedKey>();
  /** Links only: every open span of these owners is looked at. */
  readonly owners = new Map<string, KeyValues>();
  /** Links only: every open span of these targets is looked at. */
  readonly targets = new Map<string, KeyValues>();

  /** A row that existed once stays "not born", whatever the transaction does to it later. */
  addKey(values: KeyValues, born: boolean): void {
    const serialized = serializeKey(values);
    if (!this.keys.has(serialized)) {
      this.keys.set(serialized, { values, born });
    }
  }

  get isEmpty(): boolean {
    return this.keys.size + this.owners.size + this.targets.size === 0;
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
}

/** One text per key, whether a driver gave the number 1 or the text '1'. */
export function serializeKey(values: KeyValues): string {
  return values.length === 1 ? String(values[0]) : JSON.stringify(values.map(String));
}
