// What an application that shows "saved" keeps: the ids of its edits that the server has not sent back yet.
// The published candidate of version 4 has no `sync-status` yet, so this is that bookkeeping, for every
// provider, on Yjs 14's id sets.
import * as Y14 from '@y/y'
import * as decoding from 'lib0/decoding'
import { until } from './wait.mjs'

/** No ids at all. */
export const noIds = () => Y14.createContentIds()

/** The inserted and deleted ids of an update. */
export const idsOf = update => Y14.createContentIdsFromUpdate(update)

/** Whether a set of ids is empty. */
export const isEmpty = ids => ids.inserts.isEmpty() && ids.deletes.isEmpty()

/** What of `ids` is not in `known`. */
export const missing = (ids, known) => Y14.excludeContentIds(ids, known)

/** The union. */
export const union = (...ids) => Y14.mergeContentIds(ids)

/** How many ids, for messages. */
export const count = ids => [ids.inserts, ids.deletes].map(set => {
  let sum = 0
  set.clients.forEach(ranges => { for (const range of ranges.getIds()) sum += range.len })
  return sum
})

/**
 * Follows a client's own edits until the server sends them back.
 *
 * Like version 4, it cannot tell an echo from a relay: where another client deletes the same structs, or brings this client's
 * structs back after a crash, that counts too. Tests that must be exact have one writer a board, or look at insertions only
 * and let writers return one after another.
 */
export class Unconfirmed {
  constructor (client) {
    this.client = client
    this.pending = noIds()
    this.confirmed = noIds()
    const { doc, provider } = client
    doc.on('update', (update, origin) => {
      if (origin !== provider) this.pending = union(this.pending, idsOf(update))
    })
    const stock = provider.messageHandlers[0]
    provider.messageHandlers[0] = (encoder, decoder, ...rest) => {
      const peek = decoding.createDecoder(decoder.arr)
      peek.pos = decoder.pos
      if (decoding.readVarUint(peek) === 2) this.#received(idsOf(decoding.readVarUint8Array(peek)))
      stock(encoder, decoder, ...rest)
    }
  }

  #received (ids) {
    const left = missing(this.pending, ids)
    this.confirmed = union(this.confirmed, missing(this.pending, left))
    this.pending = left
  }

  /** Waits until everything is confirmed. */
  async none (deadlineMs) {
    await until(() => isEmpty(this.pending), () => `${this.client.name} to have all edits confirmed; inserts and deletes left: ${count(this.pending)}`, deadlineMs)
  }

  /** Waits until all insertions are confirmed. */
  async noInsertions (deadlineMs) {
    await until(() => this.pending.inserts.isEmpty(), () => `${this.client.name} to have all insertions confirmed; left: ${count(this.pending)[0]}`, deadlineMs)
  }
}
