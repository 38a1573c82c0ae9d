import type { Column, HistoryTable } from './HistoryTable.ts';
import type { KeyValues, LinkPart } from './Touched.ts';
import type { LinkHistory } from './VersioningModel.ts';

/** The values of one end's columns of a link: the key of its row, and before it the class where the end is polymorphic. */
export function endValues(link: LinkHistory, end: 'owner' | 'target', key: KeyValues): KeyValues {
  const type = link[`${end}Type`];
  return type === undefined ? key : [type, ...key];
}

/** The columns of a part of a link. */
export function linkColumns({ ends }: HistoryTable, part: LinkPart): readonly Column[] {
  return part === 'both' ? [...ends!.owner, ...ends!.target] : ends![part];
}
