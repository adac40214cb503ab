// Two-way binding between tldraw's store and the Y.Map `tldraw`: key = record id, value = plain JSON record.
//
// What one does here goes into the map in one transaction, whose origin is this binding; what comes with any
// other origin goes into the store as a remote change. So nothing echoes in either direction. In the map only
// what somebody did is written: opening a board writes nothing, and what cannot be read is neither shown nor
// touched.
import { isEqual, type TLRecord, type TLStore } from 'tldraw'
import * as Y from 'yjs'
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
  /** Runs a change of the store so that undo does not know of it. */
  readonly quietly?: (change: () => void) => void
  /** Which of these shapes cannot be drawn: asked once they are in the store. */
  readonly undrawable?: (ids: readonly string[]) => readonly string[]
  /** Told how many values of the map this page cannot show, whenever that changes. */
  readonly onHidden?: (count: number) => void
  /** Told after changes of others were shown. */
  readonly onRemote?: (changes: readonly RemoteChange[], transaction: Y.Transaction) => void
  /** Told which records one has changed, once they are in the document. */
  readonly onLocal?: (ids: readonly string[]) => void
}

// Large changes are written less often, since each writes whole records: [records, milliseconds to the next
// write].
const PACE: ReadonlyArray<readonly [number, number]> = [[500, 120], [64, 40]]

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
  readonly #stops: Array<() => void> = []
  #toldHidden = 0
  #merging = false
  #timer: ReturnType<typeof setTimeout> | null = null
  #scheduled = false
  #pause = 0

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
    this.#pause = PACE.find(([records]) => ids.length > records)?.[1] ?? 0
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
    if (this.#pause > 0) this.#timer = setTimeout(() => this.flush(), this.#pause)
    else queueMicrotask(() => this.flush())
  }

  #write (id: string): boolean {
    const record = this.#options.store.unsafeGetWithoutCapture(id as TLRecord['id'])
    if (record === undefined) {
      if (!this.#map.has(id)) return false
      this.#map.delete(id)
      return true
    }
    if (isEqual(this.#map.get(id), record)) return false
    this.#map.set(id, hasUndefined(record) ? JSON.parse(JSON.stringify(record)) : record)
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
      const record = value === undefined ? null : this.#reader.read(id, value)
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

  #show (ids: ReadonlySet<string>): void {
    const { store } = this.#options
    const puts: TLRecord[] = []
    const removals: Array<TLRecord['id']> = []
    for (const id of ids as ReadonlySet<TLRecord['id']>) {
      // What was done here since goes into the map next, and wins.
      if (this.#pending.has(id)) continue
      const shown = this.#undrawable.has(id) ? null : this.#placement.shown(id)
      const current = store.unsafeGetWithoutCapture(id)
      if (shown !== null) {
        if (current !== shown && !isEqual(current, shown)) puts.push(sharing(shown, current))
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
    this.#merging = true
    try {
      quietly(() => {
        if (!this.#tryMerge(puts, removals)) this.#mergeOneByOne(puts, removals)
        this.#removeUndrawable(puts)
      })
    } finally {
      this.#merging = false
    }
  }

  #tryMerge (puts: TLRecord[], removals: Array<TLRecord['id']>): boolean {
    const { store } = this.#options
    try {
      store.mergeRemoteChanges(() => {
        if (puts.length > 0) store.put(puts)
        if (removals.length > 0) store.remove(removals)
      })
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

// tldraw keeps what it measured of a shape by the identity of its props: those that are equal stay the same
// object, so that a shape which only moves is not measured anew.
function sharing (record: TLRecord, current: TLRecord | undefined): TLRecord {
  if (current === undefined || !('props' in record) || !('props' in current)) return record
  return isEqual(record.props, current.props) ? { ...record, props: current.props } as TLRecord : record
}

// Yjs would keep such members, JSON has no word for them.
function hasUndefined (value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === undefined
  return Object.values(value).some(hasUndefined)
}

function jsonOf (value: unknown): unknown {
  return value instanceof Y.AbstractType ? value.toJSON() : value
}
