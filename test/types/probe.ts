import type { Version, Changeset } from 'mikro-orm-versioning';
class Money {
  amount!: bigint;
  add(other: Money): Money {
    return other;
  }
}
interface V {
  id: bigint;
  a: object;
  e: {};
  r: Record<string, unknown>;
  u: unknown;
  any: any;
  m: Money;
  f: Function;
  mm: Map<string, number>;
}
type X = Version<V>;
export const a1: { q: 1 } = null! as { a: X['a'] };
export const a2: { q: 1 } = null! as { a: X['e'] };
export const a3: { q: 1 } = null! as { a: X['r'] };
export const a4: { q: 1 } = null! as { a: X['u'] };
export const a5: { q: 1 } = null! as { a: X['any'] };
export const a6: { q: 1 } = null! as { a: X['m'] };
export const a7: { q: 1 } = null! as { a: Changeset<V>['m'] };
export const a8: { q: 1 } = null! as { a: Changeset<V>['u'] };
export const a9: { q: 1 } = null! as { a: Changeset<V>['r'] };
export const a10: { q: 1 } = null! as { a: Changeset<V>['a'] };
export const a11: { q: 1 } = null! as { a: X['mm'] };
