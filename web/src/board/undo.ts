// Undo that takes back one's own changes only. tldraw's history holds whole records, so taking back a move
// would also take back the colour that somebody else gave the shape since, and bring back what others
// deleted.
import { isEqual, type RecordsDiff, type TLRecord, type TLStore } from 'tldraw'

/** What is known of undo. */
export interface OwnUndo {
  /** Whether the store is undoing or redoing at this moment. */
  readonly active: boolean
  /** Gives the store its own undo back. */
  readonly stop: () => void
}

/** Makes every diff that is applied to the store leave alone what it does not change itself. */
export function undoOwnOnly (store: TLStore): OwnUndo {
  const apply = store.applyDiff
  const state = { active: false, stop: () => { store.applyDiff = apply } }
  store.applyDiff = (diff, options) => {
    const before = state.active
    state.active = true
    try {
      apply.call(store, ownPart(diff, id => store.unsafeGetWithoutCapture(id)), options)
    } finally {
      state.active = before
    }
  }
  return state
}

/** The diff as it applies to records that others have changed or deleted meanwhile. */
export function ownPart (
  diff: RecordsDiff<TLRecord>,
  current: (id: TLRecord['id']) => TLRecord | undefined
): RecordsDiff<TLRecord> {
  const updated: RecordsDiff<TLRecord>['updated'] = {}
  for (const [from, to] of Object.values(diff.updated)) {
    const now = current(to.id)
    if (now !== undefined) updated[to.id] = [now, merged(now, from, to) as TLRecord]
  }
  return { added: diff.added, updated, removed: diff.removed }
}

// What a change from `from` to `to` makes of `now`. `props` and `meta` are looked into, other members are one
// value.
function merged (now: object, from: object, to: object, inside = false): object {
  const [nowMembers, fromMembers, toMembers] = [now, from, to] as [Members, Members, Members]
  const result: Members = { ...nowMembers }
  for (const name of new Set([...Object.keys(fromMembers), ...Object.keys(toMembers)])) {
    if (isEqual(fromMembers[name], toMembers[name])) continue
    const parts = [nowMembers[name], fromMembers[name], toMembers[name]]
    if (!inside && (name === 'props' || name === 'meta') && parts.every(isObject)) {
      const [nowPart, fromPart, toPart] = parts as [object, object, object]
      result[name] = merged(nowPart, fromPart, toPart, true)
    } else if (Object.hasOwn(toMembers, name)) {
      result[name] = toMembers[name]
    } else {
      delete result[name]
    }
  }
  return result
}

type Members = Record<string, unknown>

function isObject (value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
