import { median } from '../measure.ts';
import { aligned } from '../report.ts';
import { MOMENTS } from './database.ts';
import type { PastResult } from './measure.ts';
import type { PastWorkload } from './workloads.ts';

const HEADINGS = ['work', 'rows', 'live ms', ...MOMENTS, 'of minima', 'budget', ''];

/** One aligned table: a line for each workload, with the ratios of the past to the present. */
export function pastTable(results: ReadonlyMap<PastWorkload, PastResult>): string {
  return aligned([HEADINGS, ...[...results].map(([workload, result]) => cells(workload, result))]);
}

function cells({ name, budget }: PastWorkload, { times, rows }: PastResult): string[] {
  const ratios = MOMENTS.map(moment => median(times[moment]) / median(times.live));
  const ofMinima = MOMENTS.map(moment => Math.min(...times[moment]) / Math.min(...times.live));

  return [
    name,
    String(rows),
    median(times.live).toFixed(3),
    ...ratios.map(ratio => ratio.toFixed(2)),
    Math.max(...ofMinima).toFixed(2),
    budget === null ? '' : `<= ${budget.toFixed(2)}`,
    budget !== null && Math.max(...ratios) > budget ? 'OVER' : '',
  ];
}
