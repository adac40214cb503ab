// Which of one's own changes are not known to be on the server's disk yet.
//
// The server sends an accepted update back to its author once it is durable (docs/protocol.md). Until then a
// change is pending. Nothing else confirms: what is merely on the server, or was relayed by others, does not
// count.
import * as Y from 'yjs'
import { IdSet } from './ranges'

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

  /** `isOwn` tells the transactions made here from what came over the wire or from the browser's storage. */
  constructor (doc: Y.Doc, isOwn: (transaction: Y.Transaction) => boolean, changed: () => void) {
    this.#doc = doc
    this.#isOwn = isOwn
    this.#changed = changed
    doc.on('afterTransaction', this.#afterTransaction)
  }

  destroy (): void {
    this.#doc.off('afterTransaction', this.#afterTransaction)
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

  /** An update that the server sent: an echo, or a change of others. Returns whether it was an echo. */
  received (update: Uint8Array): boolean {
    if (this.isEmpty) return false
    const { structs, ds } = Y.decodeUpdate(update)
    const inserts = structs.filter(struct => !(struct instanceof Y.Skip))
    const isEcho = inserts.length > 0
      ? inserts.every(({ id, length }) => this.#sentInserts.covers(id.client, id.clock, id.clock + length))
      : deletions(ds).every(([client, start, end]) => this.#sentDeletes.covers(client, start, end))
    if (!isEcho) return false
    // A client's structs are accepted, and made durable, in order: what stands before a durable one is
    // durable too.
    for (const { id, length } of inserts) this.#inserts.remove(id.client, 0, id.clock + length)
    for (const [client, start, end] of deletions(ds)) this.#deletes.remove(client, start, end)
    this.#settle()
    return true
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

function deletions (set: ReturnType<typeof Y.createDeleteSet>): Array<readonly [client: number, start: number, end: number]> {
  return [...set.clients].flatMap(([client, items]) =>
    items.map(({ clock, len }) => [client, clock, clock + len] as const))
}
