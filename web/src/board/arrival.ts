// In which order the shapes of a large board come onto the canvas: what is in view first, the rest near by
// near, each with what it cannot be drawn without. Pure: it knows records, not the editor.
import type { TLRecord } from 'tldraw'

/** Where one looks: a part of a page. */
export interface Sight {
  readonly page: string
  readonly x: number
  readonly y: number
  readonly w: number
  readonly h: number
}

/** So many come at once, whatever the board: nobody sees the difference. */
export const AT_ONCE_MAX = 300

/** Longer chains of parents are cut: see placement.ts. */
const ANCESTORS_MAX = 64

/** What is taken for the size of a shape that does not say it. */
const SIZE = 200

type Lookup = (id: string) => TLRecord | null

/** The ids, the nearest first, and how many of them are in view. What has no place of its own comes last. */
export function byNearness (ids: Iterable<string>, lookup: Lookup, sight: Sight): { readonly order: string[], readonly inView: number } {
  const placed = [...ids].map(id => ({ id, away: distance(lookup(id), lookup, sight) }))
  placed.sort((one, other) => one.away === other.away ? 0 : one.away - other.away)
  return { order: placed.map(({ id }) => id), inView: placed.filter(({ away }) => away === 0).length }
}

/** Whether one of these is above a shape. */
export function isUnder (id: string, above: ReadonlySet<string>, lookup: Lookup): boolean {
  let record = lookup(id)
  for (let n = 0; n <= ANCESTORS_MAX && record?.typeName === 'shape'; n++) {
    if (above.has(record.parentId)) return true
    record = lookup(record.parentId)
  }
  return false
}

/** What of those that wait has to come with a record: its parents, and with an arrow what it is bound to. */
export function company (id: string, waits: (id: string) => boolean, lookup: Lookup, leaningOn: (id: string) => Iterable<string>): Set<string> {
  const found = new Set([id])
  // A set that grows while it is walked.
  for (const one of found) {
    for (const other of needs(lookup(one), lookup, leaningOn)) if (waits(other)) found.add(other)
  }
  return found
}

function needs (record: TLRecord | null, lookup: Lookup, leaningOn: (id: string) => Iterable<string>): string[] {
  if (record?.typeName === 'binding') return [record.fromId, record.toId]
  if (record?.typeName !== 'shape') return []
  if (record.type !== 'arrow') return [record.parentId]
  const bindings = [...leaningOn(record.id)].filter(id => {
    const leaning = lookup(id)
    return leaning?.typeName === 'binding' && leaning.fromId === record.id
  })
  return [record.parentId, ...bindings]
}

// Turns are left out: it is an order, not a place.
function distance (record: TLRecord | null, lookup: Lookup, { page, x, y, w, h }: Sight): number {
  if (record?.typeName !== 'shape') return Infinity
  const props = record.props as { w?: unknown, h?: unknown }
  const size = { w: sizeOf(props.w), h: sizeOf(props.h) }
  let [left, top] = [record.x, record.y]
  let parent: string = record.parentId
  for (let n = 0; n < ANCESTORS_MAX && !parent.startsWith('page:'); n++) {
    const above = lookup(parent)
    if (above?.typeName !== 'shape') break
    left += above.x
    top += above.y
    parent = above.parentId
  }
  if (parent !== page) return Number.MAX_VALUE
  return Math.max(0, x - (left + size.w), left - (x + w), y - (top + size.h), top - (y + h))
}

function sizeOf (value: unknown): number {
  return typeof value === 'number' && value > 0 ? value : SIZE
}
