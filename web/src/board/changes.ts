// What one should be told about changes of others: those that came while one was away, and those to a shape
// that one is at work on oneself. Pure: changes go in, what to show comes out.
import { isEqual, type TLShape } from 'tldraw'
import { actorName, lastActor } from './authorship'
import type { RemoteChange } from './binding'

/** A shape to be pointed out. */
export interface Mark {
  readonly id: TLShape['id']
  /** In words. */
  readonly who: string
}

/** What happened while one was away. */
export interface Away {
  readonly marks: readonly Mark[]
  /** Shapes that are gone. */
  readonly deleted: number
}

/** A shape moved by two. */
export interface Conflict extends Mark {
  readonly text: string
}

/** For how long after one's own change another one to the same shape is a conflict. */
export const CONFLICT_MS = 2000

/** What others did while one was away; null for nothing. `self` is how one's own changes are signed. */
export function awayFrom (changes: readonly RemoteChange[], self: string): Away | null {
  const marks: Mark[] = []
  let deleted = 0
  for (const { id, record, before } of changes) {
    if (record === null) {
      if (before?.typeName === 'shape') deleted++
      continue
    }
    if (record.typeName !== 'shape' || (before !== null && isEqual(before, record))) continue
    const actor = lastActor(record.meta)
    if (actor === self && actor !== 'anonymous') continue
    marks.push({ id: id as TLShape['id'], who: actorName(actor) })
  }
  return marks.length + deleted === 0 ? null : { marks, deleted }
}

/** Remembers what one did last, and sees what of it others overwrite. */
export class Conflicts {
  readonly #mine = new Map<string, number>()

  /** Notes one's own changes. */
  did (ids: readonly string[], now: number): void {
    for (const id of ids) this.#mine.set(id, now)
    if (this.#mine.size < 1000) return
    for (const [id, at] of this.#mine) if (now - at > CONFLICT_MS) this.#mine.delete(id)
  }

  /** The first shape of these changes that one had just changed oneself, or holds right now. */
  seen (
    changes: readonly RemoteChange[], held: ReadonlySet<string>, now: number,
    nameOf: (client: number | null, actor: string | null) => string
  ): Conflict | null {
    for (const { id, record, before, client } of changes) {
      if (before?.typeName !== 'shape') continue
      const at = this.#mine.get(id)
      if (!held.has(id) && (at === undefined || now - at > CONFLICT_MS)) continue
      if (record === null) {
        return { id: before.id, who: nameOf(client, null), text: 'Somebody else deleted what you were changing.' }
      }
      if (record.typeName !== 'shape' || isSameButForMeta(before, record)) continue
      const who = nameOf(client, lastActor(record.meta))
      return { id: record.id, who, text: `${who} ${isMoved(before, record) ? 'moved' : 'changed'} this too` }
    }
    return null
  }
}

function isMoved (before: TLShape, after: TLShape): boolean {
  return before.x !== after.x || before.y !== after.y || before.rotation !== after.rotation ||
    before.parentId !== after.parentId
}

function isSameButForMeta (before: TLShape, after: TLShape): boolean {
  return isEqual({ ...before, meta: {} }, { ...after, meta: {} })
}
