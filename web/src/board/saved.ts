// Which of one's own changes are not known to be on the server's disk yet.
//
// The server sends an accepted update back to its author once it is durable (docs/protocol.md). Until then a
// change is pending. Nothing else confirms: what is merely on the server, or was relayed by others, does not
// count.
import * as Y from 'yjs'
import { IdSet } from './ranges'

/** Updates that take more than this together are not kept for comparison with their echoes. */
const SENT_BYTES_MAX = 4 * 1024 * 1024

/** An update as it was sent, and what is pending until it comes back. */
interface Sent {
  readonly update: Uint8Array
  readonly inserts: ReadonlyArray<readonly [client: number, end: number]>
  readonly deletes: ReadonlyArray<readonly [client: number, start: number, end: number]>
}

/** Follows one document over one page's life. */
export class Unsaved {
  readonly #doc: Y.Doc
  readonly #isOwn: (transaction: Y.Transaction) => boolean
  readonly #changed: () => void
  readonly #inserts = new IdSet()
  readonly #deletes = new IdSet()
  // All that was ever pending: an echo holds nothing else, a relay mostly does.
  readonly #sentInserts = new IdSet()
  readonly #sentDeletes = new IdSet()
  readonly #names = new Set<string>()
  // The last updates of one's own, oldest first.
  #updates: Sent[] = []

  /** `isOwn` tells the transactions made here from what came over the wire or from the browser's storage. */
  constructor (doc: Y.Doc, isOwn: (transaction: Y.Transaction) => boolean, changed: () => void) {
    this.#doc = doc
    this.#isOwn = isOwn
    this.#changed = changed
    doc.on('afterTransaction', this.#afterTransaction)
    doc.on('update', this.#onUpdate)
  }

  destroy (): void {
    this.#doc.off('afterTransaction', this.#afterTransaction)
    this.#doc.off('update', this.#onUpdate)
  }

  /** Whether everything is durable, as far as was heard. */
  get isEmpty (): boolean {
    return this.#inserts.isEmpty && this.#deletes.isEmpty
  }

  /** How many records were changed since everything was durable. */
  get count (): number {
    return this.#names.size
  }

  /** Notes which records the pending changes are about. */
  name (ids: readonly string[]): void {
    if (this.isEmpty) return
    for (const id of ids) this.#names.add(id)
    this.#changed()
  }

  /** What the server lacks, by its sync step 1: it is being sent now. Edits of earlier visits come in this way. */
  serverHas (stateVector: Uint8Array): void {
    const known = Y.decodeStateVector(stateVector)
    for (const [client, end] of Y.decodeStateVector(Y.encodeStateVector(this.#doc))) {
      const start = known.get(client) ?? 0
      if (start < end) this.#expect(this.#inserts, this.#sentInserts, client, start, end)
    }
    this.#changed()
  }

  /** What was deleted here and not there, by its sync step 2: it is being sent now. Call before it is applied. */
  serverDeleted (update: Uint8Array): void {
    const lacking = new IdSet()
    for (const [client, start, end] of deletions(Y.createDeleteSetFromStructStore(this.#doc.store))) {
      lacking.add(client, start, end)
    }
    if (lacking.isEmpty) return
    for (const [client, start, end] of deletions(Y.decodeUpdate(update).ds)) lacking.remove(client, start, end)
    for (const [client, start, end] of lacking.ranges()) {
      this.#expect(this.#deletes, this.#sentDeletes, client, start, end)
    }
    this.#changed()
  }

  /** An update that the server sent: an echo, or a change of others. Says whether it was an echo, and whether all of it is known to be in the document. */
  received (update: Uint8Array): { readonly isEcho: boolean, readonly isKnown: boolean } {
    if (this.isEmpty) return { isEcho: false, isKnown: false }
    const sent = this.#takeSent(update)
    if (sent !== null) {
      this.#confirmed(sent.inserts, sent.deletes)
      return { isEcho: true, isKnown: true }
    }
    const { structs, ds } = Y.decodeUpdate(update)
    const inserts = structs.filter(struct => !(struct instanceof Y.Skip))
    const hasInserts = inserts.every(({ id, length }) => this.#sentInserts.covers(id.client, id.clock, id.clock + length))
    const hasDeletes = deletions(ds).every(([client, start, end]) => this.#sentDeletes.covers(client, start, end))
    // Somebody else may bring one's own structs along with what they deleted.
    if (!(inserts.length > 0 ? hasInserts : hasDeletes)) return { isEcho: false, isKnown: false }
    this.#confirmed(inserts.map(({ id, length }) => [id.client, id.clock + length] as const), deletions(ds))
    return { isEcho: true, isKnown: hasInserts && hasDeletes }
  }

  /** What to show the server again, so that it says once more what is durable; and what to do when it did. */
  again (): { update: Uint8Array, confirmed: () => void } {
    const stateVector = Y.decodeStateVector(Y.encodeStateVector(this.#doc))
    const inserts = [...this.#inserts.ranges()]
    const deletes = [...this.#deletes.ranges()]
    for (const [client, start] of inserts) stateVector.set(client, Math.min(start, stateVector.get(client) ?? start))
    const update = Y.encodeStateAsUpdate(this.#doc, Y.encodeStateVector(stateVector))
    return {
      update,
      confirmed: () => {
        for (const [client, start, end] of inserts) this.#inserts.remove(client, start, end)
        for (const [client, start, end] of deletes) this.#deletes.remove(client, start, end)
        this.#settle()
      }
    }
  }

  // Most echoes are an update just as it was sent, which is seen without reading it.
  #takeSent (update: Uint8Array): Sent | null {
    const at = this.#updates.findIndex(one => isSame(one.update, update))
    if (at < 0) return null
    const sent = this.#updates[at] ?? null
    this.#updates = this.#updates.slice(at + 1)
    return sent
  }

  // A client's structs are accepted, and made durable, in order: what stands before a durable one is durable
  // too.
  #confirmed (inserts: Sent['inserts'], deletes: Sent['deletes']): void {
    for (const [client, end] of inserts) this.#inserts.remove(client, 0, end)
    for (const [client, start, end] of deletes) this.#deletes.remove(client, start, end)
    this.#settle()
  }

  readonly #onUpdate = (update: Uint8Array, _origin: unknown, _doc: Y.Doc, transaction: Y.Transaction): void => {
    if (!this.#isOwn(transaction)) return
    const inserts = [...transaction.afterState].filter(([client, end]) => (transaction.beforeState.get(client) ?? 0) < end)
    this.#updates.push({ update, inserts, deletes: deletions(transaction.deleteSet) })
    let bytes = 0
    const from = this.#updates.findLastIndex(one => (bytes += one.update.length) > SENT_BYTES_MAX)
    this.#updates = this.#updates.slice(from + 1)
  }

  readonly #afterTransaction = (transaction: Y.Transaction): void => {
    if (!this.#isOwn(transaction)) return
    for (const [client, end] of transaction.afterState) {
      const start = transaction.beforeState.get(client) ?? 0
      if (start < end) this.#expect(this.#inserts, this.#sentInserts, client, start, end)
    }
    for (const [client, start, end] of deletions(transaction.deleteSet)) {
      this.#expect(this.#deletes, this.#sentDeletes, client, start, end)
    }
    this.#changed()
  }

  #expect (pending: IdSet, sent: IdSet, client: number, start: number, end: number): void {
    pending.add(client, start, end)
    sent.add(client, start, end)
  }

  #settle (): void {
    if (this.isEmpty) this.#names.clear()
    this.#changed()
  }
}

function isSame (one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false
  return true
}

function deletions (set: ReturnType<typeof Y.createDeleteSet>): Array<readonly [client: number, start: number, end: number]> {
  return [...set.clients].flatMap(([client, items]) =>
    items.map(({ clock, len }) => [client, clock, clock + len] as const))
}
