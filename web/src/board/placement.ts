// Where records stand when those they lean on are missing. Pure: the same map gives the same picture on every
// page.
//
// A page or frame may be deleted by one person while another draws in it. What was drawn then stands on a
// page that is left, and returns to its place if that comes back. A shape is never hidden for want of a
// parent.
import type { TLPageId, TLParentId, TLRecord, TLShape, TLShapeId } from 'tldraw'

/** The page of a board that has none yet. The items API draws on it, and tldraw makes it. */
export const DEFAULT_PAGE = 'page:page' as TLPageId

/** How many parents are followed. tldraw recurses over them, so longer chains, and circles, are cut. */
const ANCESTORS_MAX = 64

type Lookup = (id: string) => TLRecord | null

/** Keeps who leans on whom. Tell it of every readable record; it says what is to be shown. */
export class Placement {
  readonly #lookup: Lookup
  readonly #pages = new Set<TLPageId>()
  readonly #leaning = new Map<string, Set<string>>()
  readonly #stances = new Map<string, Stance>()
  readonly #astray = new Set<string>()

  /** `lookup` gives the readable record of an id, and must agree with what `note` is told. */
  constructor (lookup: Lookup) {
    this.#lookup = lookup
  }

  /** Takes note of records that are new, changed or gone (null). Returns all ids that may now be shown differently. */
  note (changes: Iterable<readonly [id: string, record: TLRecord | null]>): Set<string> {
    const touched = new Set<string>()
    const moved: string[] = []
    let pagesChanged = false
    for (const [id, record] of changes) {
      touched.add(id)
      if (this.#noteOne(id, record)) moved.push(id)
      if (id.startsWith('page:')) pagesChanged = true
    }
    this.#spread(moved, touched)
    if (pagesChanged) {
      touched.add(DEFAULT_PAGE)
      for (const id of this.#astray) touched.add(id)
    }
    return touched
  }

  // Whether it matters to those who lean on it.
  #noteOne (id: string, record: TLRecord | null): boolean {
    const before = this.#stances.get(id)
    const after = record === null ? undefined : stanceOf(record)
    if (record?.typeName === 'page') this.#pages.add(record.id)
    else this.#pages.delete(id as TLPageId)
    if (record === null) this.#astray.delete(id)
    if (before === undefined && after === undefined) return false
    if (before !== undefined && after !== undefined && isSameStance(before, after)) return false
    for (const end of before?.ends ?? []) this.#leaning.get(end)?.delete(id)
    for (const end of after?.ends ?? []) this.#leanOn(end, id)
    if (after === undefined) this.#stances.delete(id)
    else this.#stances.set(id, after)
    return true
  }

  /** Whether the board has a page of its own. */
  get hasPages (): boolean {
    return this.#pages.size > 0
  }

  /** Who leans on one: children, and the bindings of arrows. */
  leaningOn (id: string): Iterable<string> {
    return this.#leaning.get(id) ?? []
  }

  /** What is to be shown for an id; null for nothing. */
  shown (id: string): TLRecord | null {
    const record = this.#lookup(id)
    if (record?.typeName === 'shape') return this.#shapeShown(record)
    if (record?.typeName === 'binding') return this.#isBound(record.fromId, record.toId) ? record : null
    return record
  }

  #shapeShown (shape: TLShape): TLShape {
    if (this.#stands(shape)) {
      this.#astray.delete(shape.id)
      return shape
    }
    this.#astray.add(shape.id)
    return { ...shape, parentId: this.#fallback() }
  }

  // A shape stands where it says if its parent exists, and no circle and no endless chain is above it.
  #stands (shape: TLShape): boolean {
    let parentId: TLParentId = shape.parentId
    for (let n = 0; n < ANCESTORS_MAX; n++) {
      if (parentId.startsWith('page:')) return n > 0 || this.#isPage(parentId)
      const parent = this.#lookup(parentId)
      // Only the topmost of a family is moved; the others stay with it.
      if (parent?.typeName !== 'shape') return n > 0
      parentId = parent.parentId
    }
    return false
  }

  #isPage (id: string): boolean {
    return this.#pages.has(id as TLPageId) || (!this.hasPages && id === DEFAULT_PAGE)
  }

  #fallback (): TLPageId {
    let first: { id: TLPageId, index: string } | null = null
    for (const id of this.#pages) {
      const page = this.#lookup(id)
      if (page?.typeName !== 'page') continue
      if (first === null || page.index < first.index || (page.index === first.index && id < first.id)) first = page
    }
    return first?.id ?? DEFAULT_PAGE
  }

  // Only arrows are bound, and never to each other: tldraw would follow them round in circles.
  #isBound (fromId: TLShapeId, toId: TLShapeId): boolean {
    const from = this.#lookup(fromId)
    const to = this.#lookup(toId)
    return from?.typeName === 'shape' && from.type === 'arrow' && to?.typeName === 'shape' && to.type !== 'arrow'
  }

  #leanOn (end: string, id: string): void {
    const leaning = this.#leaning.get(end)
    if (leaning === undefined) this.#leaning.set(end, new Set([id]))
    else leaning.add(id)
  }

  #spread (moved: string[], touched: Set<string>): void {
    const visited = new Set(moved)
    // A set that grows while it is walked: whoever leans on one that leans on a moved one is visited once.
    for (const id of visited) {
      touched.add(id)
      for (const leaning of this.#leaning.get(id) ?? []) visited.add(leaning)
    }
  }
}

/** What decides whether a record, and what leans on it, can be shown where it says. */
interface Stance {
  readonly ends: readonly string[]
  readonly type: string
}

function stanceOf (record: TLRecord): Stance {
  if (record.typeName === 'shape') return { ends: [record.parentId], type: record.type }
  if (record.typeName === 'binding') return { ends: [record.fromId, record.toId], type: record.type }
  return { ends: [], type: record.typeName }
}

function isSameStance (one: Stance, other: Stance): boolean {
  return one.type === other.type && one.ends.length === other.ends.length &&
    one.ends.every((end, n) => end === other.ends[n])
}
