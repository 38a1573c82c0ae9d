import { median, type Times } from './measure.ts';
import type { Counts } from './statements.ts';
import type { Workload } from './workloads.ts';

const HEADINGS = ['work', 'plain ms', 'versioned ms', 'ratio', 'of minima', 'budget', '', 'statements', 'extra'];

/** One aligned table: a line for each workload, in the order given. */
export function table(times: ReadonlyMap<Workload, Times>, counts: ReadonlyMap<Workload, Counts>): string {
  return aligned([HEADINGS, ...[...times].map(([workload, each]) => cells(workload, each, counts.get(workload)!))]);
}

/** The first column to the left, the others to the right. */
export function aligned(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map(line => line[column]!.length)));

  return lines
    .map(line => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n');
}

function cells(workload: Workload, { plain, versioned }: Times, counts: Counts): string[] {
  const ratio = median(versioned) / median(plain);
  const { budget, noise = 0 } = workload;

  return [
    workload.name,
    median(plain).toFixed(3),
    median(versioned).toFixed(3),
    ratio.toFixed(2),
    (Math.min(...versioned) / Math.min(...plain)).toFixed(2),
    budget === null ? '' : `<= ${budget.toFixed(2)}`,
    budget !== null && ratio > budget + noise ? 'OVER' : '',
    `${counts.plain} -> ${counts.versioned}`,
    String(counts.versioned - counts.plain),
  ];
}
