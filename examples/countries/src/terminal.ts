const isStyled = process.stdout.isTTY && !process.env['NO_COLOR'];

function style(code: number): (text: string) => string {
  return text => (isStyled ? `\u001B[${code}m${text}\u001B[0m` : text);
}

/** Plain text where the output is not a terminal, or where `NO_COLOR` is set. */
export const bold = style(1);
export const dim = style(2);
export const red = style(31);
export const green = style(32);

export function print(...lines: readonly string[]): void {
  process.stdout.write(lines.map(line => `${line}\n`).join(''));
}

export function printTitle(title: string): void {
  print('', bold(title), '');
}

/** Prints rows in columns, two spaces apart. The last column is not padded, so it may hold text of any width. */
export function printTable(rows: readonly (readonly string[])[], indent = '  '): void {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map(row => row[i]!.length)));

  for (const row of rows) {
    print(indent + row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!))).join('  '));
  }
}
