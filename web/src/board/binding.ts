// Two-way binding between tldraw's store and the Y.Map `tldraw`: key = record id, value = plain JSON record.
//
// What one does here goes into the map in one transaction, whose origin is this binding; what comes with any
// other origin goes into the store as a remote change. So nothing echoes in either direction. In the map only
// what somebody did is written: opening a board writes nothing, and what cannot be read is neither shown nor
// touched.
import { isEqual, type TLRecord, type TLStore } from 'tldraw'
import * as Y from 'yjs'
import { AT_ONCE_MAX, byNearness, company, isUnder, type Sight } from './arrival'
import { dated, sharing } from './authorship'
import { DEFAULT_PAGE, Placement } from './placement'
import { RecordReader } from './records'
import { tamed } from './tame'

/** The name of the Y.Map that holds the records. */
export const MAP_NAME = 'tldraw'

/** What somebody else did to one record. */
export interface RemoteChange {
  readonly id: string
  /** As it is now, where it can be shown; null where it is gone. */
  readonly record: TLRecord | null
  readonly before: TLRecord | null
  /** The Yjs client that wrote it, where known. */
  readonly client: number | null
}

/** How a binding asks and tells. */
export interface BindingOptions {
  readonly store: TLStore
  readonly doc: Y.Doc
  /** Whether one's own changes go into the map. */
  readonly writable: () => boolean
  /** A record of one's own as it is written. */
  readonly signed?: (record: TLRecord) => TLRecord
  /** Runs a change of the store so that undo does not know of it. */
  readonly quietly?: (change: () => void) => void
  /** Which of these shapes cannot be drawn: asked once they are in the store. */
  readonly undrawable?: (ids: readonly string[]) => readonly string[]
  /** Where one looks, or will once the board is there: of many new shapes these come first. Without it all come at once. */
  readonly sight?: () => Sight
  /** Told how many values of the map this page cannot show, whenever that changes. */
  readonly onHidden?: (count: number) => void
  /** Told after changes of others were shown. */
  readonly onRemote?: (changes: readonly RemoteChange[], transaction: Y.Transaction) => void
  /** Told which records one has changed, once they are in the document. */
  readonly onLocal?: (ids: readonly string[]) => void
}

// Large changes are written less often, since each writes whole records: [records, milliseconds from one
// write to the next].
const PACE: ReadonlyArray<readonly [number, number]> = [[500, 120], [64, 40]]

// Of many new shapes so many come in one piece, depending on how long pieces take: long enough to be worth
// what every piece costs, short enough for who draws meanwhile.
const PIECE_MIN = 100
const PIECE_MAX = 1_000
const PIECE_MS = 40

/** Nobody is kept waiting longer for the next piece, however busy the page is. */
const PIECE_WAIT_MS = 100

/** Binds from construction until `destroy`. */
export class Binding {
  readonly #options: BindingOptions
  readonly #map: Y.Map<unknown>
  readonly #reader: RecordReader
  readonly #placement: Placement
  readonly #records = new Map<string, TLRecord>()
  readonly #values = new Map<string, unknown>()
  readonly #unreadable = new Set<string>()
  readonly #undrawable = new Map<string, unknown>()
  readonly #pending = new Set<string>()
  // Not on the canvas yet, in the order in which they come.
  readonly #waiting = new Set<string>()
  readonly #stops: Array<() => void> = []
  #toldHidden = 0
  #merging = false
  #timer: ReturnType<typeof setTimeout> | null = null
  #scheduled = false
  #nextAt = 0
  #piece = PIECE_MIN
  #stopPieces: (() => void) | null = null

  constructor (options: BindingOptions) {
    this.#options = options
    this.#map = options.doc.getMap(MAP_NAME)
    this.#reader = new RecordReader(options.store.schema)
    this.#placement = new Placement(id => this.#records.get(id) ?? null)
    this.#show(this.#note(this.#map.keys()))
    this.#tellHidden()
    this.#listen()
  }

  /** Whether what happens to the store right now follows from what others did. */
  get merging (): boolean {
    return this.#merging
  }

  /** How many records are still to come onto the canvas. */
  get arriving (): number {
    return this.#waiting.size
  }

  /** Puts all that is still to come onto the canvas, at once. */
  whole (): void {
    this.#stopPieces?.()
    this.#stopPieces = null
    const ids = new Set(this.#waiting)
    this.#waiting.clear()
    this.#put(ids)
    this.#tellHidden()
  }

  /** The values of the map that this page cannot show, as JSON has them. */
  hidden (): Record<string, unknown> {
    const ids = new Set([...this.#unreadable, ...this.#undrawable.keys()])
    return Object.fromEntries([...ids].sort().map(id => [id, jsonOf(this.#map.get(id))]))
  }

  /** Writes what waits. */
  flush (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#scheduled = false
    const ids = [...this.#pending]
    this.#pending.clear()
    if (ids.length === 0 || !this.#options.writable()) return
    this.#nextAt = performance.now() + (PACE.find(([records]) => ids.length > records)?.[1] ?? 0)
    this.#takeAlong(ids)
    const written: string[] = []
    this.#options.doc.transact(() => {
      this.#writeFoundation()
      for (const id of ids) if (this.#write(id)) written.push(id)
    }, this)
    if (written.length > 0) this.#options.onLocal?.(written)
  }

  /** Takes back what was done here and not written, so that the store shows the map again. */
  revert (): void {
    const ids = [...this.#pending]
    this.#pending.clear()
    this.#show(new Set(ids))
    this.#tellHidden()
  }

  /** Writes what waits, and lets go of both sides. */
  destroy (): void {
    this.flush()
    this.#stopPieces?.()
    for (const stop of this.#stops) stop()
  }

  #listen (): void {
    const { store } = this.#options
    const onChange = (event: Y.YMapEvent<unknown>, transaction: Y.Transaction): void => this.#changed(event, transaction)
    this.#map.observe(onChange)
    this.#stops.push(() => this.#map.unobserve(onChange))
    for (const [name, type] of Object.entries(store.schema.types)) {
      if (type.scope !== 'document') continue
      const typeName = name as TLRecord['typeName']
      this.#stops.push(
        store.sideEffects.registerBeforeCreateHandler(typeName, (record, source) => source === 'user' ? tamed(record) : record),
        store.sideEffects.registerBeforeChangeHandler(typeName, (_, record, source) => source === 'user' ? tamed(record) : record),
        store.sideEffects.registerAfterCreateHandler(typeName, (record, source) => this.#did(record, source)),
        store.sideEffects.registerAfterChangeHandler(typeName, (_, record, source) => this.#did(record, source)),
        store.sideEffects.registerAfterDeleteHandler(typeName, (record, source) => this.#did(record, source))
      )
    }
  }

  // From the store to the map.

  #did (record: TLRecord, source: 'remote' | 'user'): void {
    if (source !== 'user') return
    this.#pending.add(record.id)
    if (this.#scheduled) return
    this.#scheduled = true
    // On a page that is so busy that this is over a timer would come only after it has drawn.
    const pause = this.#nextAt - performance.now()
    if (pause > 0) this.#timer = setTimeout(() => this.flush(), pause)
    else queueMicrotask(() => this.flush())
  }

  // Pages and frames that one deletes take along what was still to come onto them.
  #takeAlong (ids: string[]): void {
    if (this.#waiting.size === 0) return
    const gone = new Set(ids.filter(id => !this.#options.store.has(id as TLRecord['id'])))
    if (gone.size === 0) return
    for (const id of this.#waiting) {
      if (!isUnder(id, gone, this.#lookup)) continue
      this.#waiting.delete(id)
      ids.push(id)
    }
  }

  #write (id: string): boolean {
    const current = this.#options.store.unsafeGetWithoutCapture(id as TLRecord['id'])
    if (current === undefined) {
      if (!this.#map.has(id)) return false
      this.#map.delete(id)
      return true
    }
    const before = this.#map.get(id)
    const record = dated(this.#options.signed?.(current) ?? current, current, before)
    if (isEqual(before, record)) return false
    const bare = !hasUndefined(record)
    if (bare) this.#reader.know(record)
    this.#map.set(id, bare ? record : JSON.parse(JSON.stringify(record)))
    return true
  }

  // A new board gets its document and page with the first thing that somebody does. All pages write the same
  // ones, so it does not matter who is first, nor if two are.
  #writeFoundation (): void {
    const { store } = this.#options
    const ids = this.#placement.hasPages ? ['document:document'] : ['document:document', DEFAULT_PAGE]
    for (const id of ids) {
      const record = store.unsafeGetWithoutCapture(id as TLRecord['id'])
      if (record !== undefined && !this.#map.has(id)) this.#map.set(id, record)
    }
  }

  // From the map to the store.

  #changed (event: Y.YMapEvent<unknown>, transaction: Y.Transaction): void {
    const before = new Map([...event.keysChanged].map(id => [id, this.#records.get(id) ?? null]))
    const values = new Map([...event.keysChanged].map(id => [id, this.#values.get(id)]))
    this.#show(this.#note(event.keysChanged))
    this.#tellHidden()
    if (transaction.origin === this || this.#options.onRemote === undefined) return
    const changes: RemoteChange[] = []
    for (const [id, record] of before) {
      if (this.#map.get(id) === values.get(id)) continue
      changes.push({
        id,
        before: record,
        record: this.#records.get(id) ?? null,
        // A deletion does not say whose it is.
        client: this.#map.has(id) ? this.#map._map.get(id)?.lastId.client ?? null : null
      })
    }
    if (changes.length > 0) this.#options.onRemote(changes, transaction)
  }

  // Reads values anew. Returns the ids that may now be shown differently.
  #note (ids: Iterable<string>): Set<string> {
    const changes: Array<[string, TLRecord | null]> = []
    for (const id of ids) {
      const value = this.#map.get(id)
      const record = value === undefined ? null : this.#reader.read(id, value, this.#lookup(id))
      if (value === undefined) this.#values.delete(id)
      else this.#values.set(id, value)
      if (record === null) this.#records.delete(id)
      else this.#records.set(id, record)
      if (value !== undefined && record === null) this.#unreadable.add(id)
      else this.#unreadable.delete(id)
      if (this.#undrawable.get(id) !== value) this.#undrawable.delete(id)
      changes.push([id, record])
    }
    return this.#placement.note(changes)
  }

  readonly #lookup = (id: string): TLRecord | null => this.#records.get(id) ?? null

  #show (ids: ReadonlySet<string>): void {
    const { store, sight } = this.#options
    const comes = (id: string): boolean => !store.has(id as TLRecord['id']) && isDrawn(this.#records.get(id))
    const many = sight === undefined ? [] : [...ids].filter(comes)
    const now = new Set(ids)
    if (sight !== undefined && many.length > AT_ONCE_MAX) {
      for (const id of many) now.delete(id)
      for (const id of this.#waiting) if (!ids.has(id)) many.push(id)
      this.#waiting.clear()
      const { order, inView } = byNearness(many, id => this.#placement.shown(id), sight())
      for (const id of order) this.#waiting.add(id)
      for (const id of order.slice(0, Math.min(Math.max(inView, 1), AT_ONCE_MAX))) this.#fetch(id, now)
      this.#schedulePiece()
    } else if (this.#waiting.size > 0) {
      for (const id of ids) this.#fetch(id, now)
    }
    this.#put(now)
  }

  // Takes a record out of those that wait, with all that it needs.
  #fetch (id: string, into: Set<string>): void {
    const found = company(id, one => this.#waiting.has(one), one => this.#placement.shown(one), one => this.#placement.leaningOn(one))
    for (const one of found) {
      this.#waiting.delete(one)
      into.add(one)
    }
  }

  #schedulePiece (): void {
    this.#stopPieces ??= whenIdle(() => {
      this.#stopPieces = null
      const start = performance.now()
      const now = new Set<string>()
      for (const id of this.#waiting) {
        if (now.size >= this.#piece) break
        this.#fetch(id, now)
      }
      this.#put(now)
      this.#tellHidden()
      if (this.#waiting.size === 0) return
      // What is drawn of them is drawn before this.
      const timer = setTimeout(() => {
        const wanted = this.#piece * Math.min(PIECE_MS / Math.max(performance.now() - start, 1), 2)
        this.#piece = Math.round(Math.min(Math.max(wanted, PIECE_MIN), PIECE_MAX))
        this.#stopPieces = null
        this.#schedulePiece()
      })
      this.#stopPieces = () => clearTimeout(timer)
    })
  }

  #put (ids: ReadonlySet<string>): void {
    const { store } = this.#options
    const puts: TLRecord[] = []
    const removals: Array<TLRecord['id']> = []
    for (const id of ids as ReadonlySet<TLRecord['id']>) {
      // What was done here since goes into the map next, and wins.
      if (this.#pending.has(id)) continue
      const shown = this.#undrawable.has(id) ? null : this.#placement.shown(id)
      const current = store.unsafeGetWithoutCapture(id)
      if (shown !== null) {
        const put = sharing(shown, current)
        if (put !== current) puts.push(put)
      } else if (current !== undefined && !this.#isFoundation(id)) {
        removals.push(id)
      }
    }
    if (puts.length === 0 && removals.length === 0) return
    // A page goes last, when nothing stands on it any more.
    removals.sort((one, other) => Number(one.startsWith('page:')) - Number(other.startsWith('page:')))
    this.#merge(puts, removals)
  }

  #tellHidden (): void {
    const count = this.#unreadable.size + this.#undrawable.size
    if (count === this.#toldHidden) return
    this.#toldHidden = count
    this.#options.onHidden?.(count)
  }

  // What tldraw itself keeps in every store.
  #isFoundation (id: string): boolean {
    return id === 'document:document' || (id === DEFAULT_PAGE && !this.#placement.hasPages)
  }

  #merge (puts: TLRecord[], removals: Array<TLRecord['id']>): void {
    const quietly = this.#options.quietly ?? (change => change())
    // What only moved can be drawn as before.
    const { store } = this.#options
    const isKnown = (record: TLRecord): boolean => {
      const current = store.unsafeGetWithoutCapture(record.id)
      return current !== undefined && 'props' in record && 'props' in current && record.props === current.props
    }
    const unknown = puts.filter(record => !isKnown(record))
    this.#merging = true
    try {
      quietly(() => {
        if (!this.#tryMerge(puts, removals)) this.#mergeOneByOne(puts, removals)
        this.#removeUndrawable(unknown)
      })
    } finally {
      this.#merging = false
    }
  }

  #tryMerge (puts: TLRecord[], removals: Array<TLRecord['id']>): boolean {
    const { store } = this.#options
    const isNew = (record: TLRecord): boolean => isDrawn(record) && !store.has(record.id)
    const [added, others] = [puts.filter(isNew), puts.filter(record => !isNew(record))]
    const pages = others.filter(({ typeName }) => typeName === 'page')
    const changed = others.filter(({ typeName }) => typeName !== 'page')
    try {
      if (pages.length > 0) store.mergeRemoteChanges(() => { store.put(pages) })
      if (added.length > 0) {
        // tldraw would look anew for the parent of each arrow that is bound, among all shapes; who drew it
        // has.
        const effects = store.sideEffects as unknown as Effects
        store.mergeRemoteChanges(() => {
          effects.setIsEnabled(false)
          store.put(added)
        })
      }
      if (changed.length + removals.length > 0) {
        store.mergeRemoteChanges(() => {
          if (changed.length > 0) store.put(changed)
          if (removals.length > 0) store.remove(removals)
        })
      }
      return true
    } catch {
      return false
    }
  }

  // One record must not take the others with it.
  #mergeOneByOne (puts: TLRecord[], removals: Array<TLRecord['id']>): void {
    for (const record of puts) {
      if (!this.#tryMerge([record], [])) this.#undrawable.set(record.id, this.#map.get(record.id))
    }
    for (const id of removals) this.#tryMerge([], [id])
  }

  #removeUndrawable (puts: TLRecord[]): void {
    const shapes = puts.filter(record => record.typeName === 'shape').map(record => record.id)
    const ids = this.#options.undrawable?.(shapes) ?? []
    if (ids.length === 0) return
    for (const id of ids) this.#undrawable.set(id, this.#map.get(id))
    this.#tryMerge([], [...ids] as Array<TLRecord['id']>)
  }
}

/** What tldraw's own loading of a file uses, and does not publish; the store turns them on again by itself. */
interface Effects { setIsEnabled: (enabled: boolean) => void }

/** What is drawn, and what bends it: these may come later than the pages and images that they need. */
function isDrawn (record: TLRecord | undefined): boolean {
  return record?.typeName === 'shape' || record?.typeName === 'binding'
}

// Safari has no such callback.
function whenIdle (act: () => void): () => void {
  if (typeof requestIdleCallback !== 'function') {
    const timer = setTimeout(act, 16)
    return () => clearTimeout(timer)
  }
  const handle = requestIdleCallback(act, { timeout: PIECE_WAIT_MS })
  return () => cancelIdleCallback(handle)
}

// Yjs would keep such members, JSON has no word for them.
function hasUndefined (value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === undefined
  return Object.values(value).some(hasUndefined)
}

function jsonOf (value: unknown): unknown {
  return value instanceof Y.AbstractType ? value.toJSON() : value
}
