/**
 * One spelling for each value of a key, which may come from the program, from a loaded row, or from the database's own
 * text: the decimals `1.50` and `1.5` are one, and so are UUIDs of upper and lower case where they are no text.
 *
 *     spell('1.50', 'numeric(10,2)')                       1.5
 *     spell('2024-02-29T12:00:00.120Z', 'timestamptz(3)')  2024-02-29T12:00:00.12Z
 */
export function spell(value: unknown, columnType: string): unknown {
  if (/^(numeric|decimal)\b/i.test(columnType)) {
    return withoutZeros(String(value).replace(/^\+/, ''));
  }
  if (typeof value !== 'string') {
    return value;
  }
  if (columnType === 'uuid') {
    return value.toLowerCase();
  }
  return columnType.startsWith('timestamp') && value.endsWith('Z') ? `${withoutZeros(value.slice(0, -1))}Z` : value;
}

/** Zeros at the end of a fraction say nothing. */
function withoutZeros(text: string): string {
  return text.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
}
