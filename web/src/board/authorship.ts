// Who made and who changed a shape, and when: in its `meta`, as the items API shows it.
import { isEqual, type Editor, type JsonObject, type TLRecord, type TLShape } from 'tldraw'

/** What is known of who changes shapes here. */
export interface Stamps {
  /** The record as it is written: with the time of the last change since it was written last. */
  readonly signed: (record: TLRecord) => TLRecord
  readonly stop: () => void
}

/**
 * Stamps what the person at this page does. On the canvas a shape says who changed it, and only in what is
 * written when it was last: tldraw measures and draws anew whatever has another `meta`, at each step of a drag.
 */
export function stampChanges (editor: Editor, actor: string, isOwn: () => boolean, isUndo: () => boolean): Stamps {
  const due = new Map<TLRecord['id'], string>()
  const created = editor.sideEffects.registerBeforeCreateHandler('shape', (shape, source) => {
    // What an undo brings back keeps its history.
    return source === 'user' && isOwn() && !isUndo() ? createdBy(shape, actor, now()) : shape
  })
  const changed = editor.sideEffects.registerBeforeChangeHandler('shape', (before, after, source) => {
    if (source !== 'user' || !isOwn() || isEqual(before, after)) return after
    due.set(after.id, now())
    return after.meta['updated_by'] === actor ? after : { ...after, meta: { ...after.meta, updated_by: actor } }
  })
  return {
    signed: record => {
      const at = due.get(record.id)
      due.delete(record.id)
      return at === undefined || record.typeName !== 'shape' ? record : updatedBy(record, actor, at)
    },
    stop: () => {
      created()
      changed()
    }
  }
}

/** Whether one `meta` says the same as another, but for when the last change was. */
function saysTheSame (one: JsonObject, other: JsonObject): boolean {
  return one === other || isEqual({ ...one, updated_at: null }, { ...other, updated_at: null })
}

/**
 * A record as the canvas takes it. tldraw keeps what it measured and drew of a shape by the identity of its props and its
 * `meta`: those that are equal stay the same object, so that a shape which only moves is neither measured nor drawn anew.
 * When it was changed last is nothing to draw.
 */
export function sharing (record: TLRecord, current: TLRecord | undefined): TLRecord {
  if (current === undefined || record === current) return record
  const shared: Record<string, unknown> = { ...record }
  if ('props' in record && 'props' in current && isEqual(record.props, current.props)) shared['props'] = current.props
  if (saysTheSame(record.meta, current.meta)) shared['meta'] = current.meta
  return isEqual(shared, current) ? current : shared as unknown as TLRecord
}

/** A record as it is written: what is not signed anew keeps the time that is written, since the canvas may have an older one. */
export function dated (signed: TLRecord, current: TLRecord, before: unknown): TLRecord {
  const meta = typeof before === 'object' && before !== null ? (before as Partial<TLRecord>).meta : undefined
  const keeps = signed === current && meta !== undefined && meta !== null && saysTheSame(meta, current.meta)
  return keeps ? { ...current, meta } as TLRecord : signed
}

/** A new shape. A copy of an item is an item of its own; the server believes only a history that names its shape. */
export function createdBy (shape: TLShape, actor: string, at: string): TLShape {
  const { request: _request, ...kept } = shape.meta
  const item_id = shape.id.slice('shape:'.length)
  return { ...shape, meta: { ...kept, item_id, created_by: actor, created_at: at, updated_by: actor, updated_at: at } }
}

/** A changed shape. */
export function updatedBy (shape: TLShape, actor: string, at: string): TLShape {
  return { ...shape, meta: { ...shape.meta, updated_by: actor, updated_at: at } }
}

/** Who changed it last, as far as it says. */
export function lastActor (meta: JsonObject): string | null {
  const actor = meta['updated_by'] ?? meta['created_by']
  return typeof actor === 'string' && actor.length <= 300 ? actor : null
}

/** An actor in words: `user:alice` is alice. */
export function actorName (actor: string | null): string {
  if (actor === null || actor === 'anonymous' || actor === 'public') return 'Somebody'
  const [kind, ...rest] = actor.split(':')
  const name = rest.join(':')
  if (kind === 'user' && name !== '') return name
  if (kind === 'key') return 'An agent'
  return kind === 'link' ? 'A guest' : 'Somebody'
}

function now (): string {
  return new Date().toISOString()
}
