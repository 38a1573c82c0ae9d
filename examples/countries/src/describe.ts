/** A property and what happened to it: `['subregion', 'Southern Europe → Southeast Europe']`. */
export type Line = readonly [property: string, text: string];

const MOST_KEYS = 3;

/** The lines of one entry of a changeset: one for each element or key that differs, of an object at most three. */
export function describeChange(property: string, old: unknown, now: unknown): Line[] {
  if (Array.isArray(old) && Array.isArray(now)) {
    return describeSets(property, old.map(String), now.map(String));
  }

  if (isObject(old) && isObject(now)) {
    const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])].filter(key => old[key] !== now[key]);
    const lines = keys.slice(0, MOST_KEYS).map((key): Line => [`${property}.${key}`, arrow(old[key], now[key])]);

    return keys.length > MOST_KEYS ? [...lines, ['', `and ${keys.length - MOST_KEYS} more`]] : lines;
  }

  return [[property, arrow(old, now)]];
}

/** `HRK → EUR` where one took the place of another, else a line `− ZAR` or `+ ZAR` for each. */
export function describeSets(property: string, old: readonly string[], now: readonly string[]): Line[] {
  const removed = old.filter(each => !now.includes(each));
  const added = now.filter(each => !old.includes(each));

  if (removed.length === 1 && added.length === 1) {
    return [[property, arrow(removed[0], added[0])]];
  }

  const texts = [...removed.map(each => `− ${each}`), ...added.map(each => `+ ${each}`)];
  return (texts.length > 0 ? texts : ['in another order']).map((text, i) => [i === 0 ? property : '', text]);
}

export function arrow(old: unknown, now: unknown): string {
  return `${shown(old)} → ${shown(now)}`;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? 'nothing');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
