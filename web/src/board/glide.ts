// How an agent's cursor goes from place to place: pure, and only for agents, whose states come seconds apart.
// What people's hands do is shown as it comes.

/** A place on a page. */
export interface Point {
  readonly x: number
  readonly y: number
}

/** One leg of a way takes this long, and a way of many legs no longer than this. */
const LEG_MS = 450
const WAY_MS_MAX = 2_400

/** Through how many of the things that it changed the cursor goes at most. */
export const STOPS_MAX = 8

/** How long a way takes: its first place is where the cursor is. */
export function lengthOf (way: readonly Point[]): number {
  return Math.min((way.length - 1) * LEG_MS, WAY_MS_MAX)
}

/** Where the cursor is `ms` after it set out; at the last place once it is there. */
export function along (way: readonly Point[], ms: number): Point {
  const legs = way.length - 1
  const part = Math.min(Math.max(ms / lengthOf(way), 0), 1) * legs
  const leg = Math.min(Math.floor(part), legs - 1)
  const [from, to] = [way[leg], way[leg + 1]]
  const end = way.at(-1) ?? { x: 0, y: 0 }
  if (from === undefined || to === undefined || part >= legs) return end
  const gone = eased(part - leg)
  return { x: from.x + (to.x - from.x) * gone, y: from.y + (to.y - from.y) * gone }
}

/** Some of many, evenly chosen, in their order. */
export function someOf<T> (all: readonly T[], most: number): T[] {
  if (all.length <= most) return [...all]
  return Array.from({ length: most }, (_, n) => all[Math.floor(n * all.length / most)] as T)
}

// Fast at first: a cursor that is sent on before it has arrived still gets on.
function eased (part: number): number {
  return 1 - (1 - part) ** 3
}
