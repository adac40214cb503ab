// Promise: kill -9 at any moment under write load loses nothing that was echoed to its author.
import { test, describe } from 'node:test'
import assert from 'node:assert/strict'
import * as Y14 from '@y/y'
import { ALL, Client, converged } from './support/clients.mjs'
import { edit, load } from './support/documents.mjs'
import { Unconfirmed, count, isEmpty, missing } from './support/echo.mjs'
import { Random, SEED } from './support/random.mjs'
import { Raw } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { pause } from './support/wait.mjs'

const CRASHES = 50
const FLAGS = { 'compact-after': '100ms', 'compact-every': '300ms', 'commit-window': '10ms' }

// A writer of each kind on a board, with its bookkeeping.
const writersOf = (t, server, board, providers) => providers.map((provider, i) => {
  const client = Client.open(t, server, board, { provider, sub: 'writer-' + i })
  return { board, client, book: new Unconfirmed(client) }
})

// What the server has of `board`, by the eyes of a stranger.
async function stored (t, server, board) {
  const reader = await Raw.open(t, server, board, { sub: 'reader' })
  const doc = load(await reader.pull(), Y14)
  reader.socket.terminate()
  assert.equal(doc.store.pendingStructs, null, 'the stored document has a hole')
  const ids = Y14.createContentIdsFromDoc(doc)
  doc.destroy()
  return ids
}

describe(`crashes (BOARDWIRE_SEED=${SEED})`, () => {
  test(`nothing that was echoed is missing after ${CRASHES} kills under load`, async t => {
    const random = new Random()
    const server = await Server.start(FLAGS, t)
    // Alone on its board, a writer gets echoes and nothing else. Together, relays of others' deletions look
    // like echoes.
    const alone = ALL.flatMap(provider => writersOf(t, server, 'alone-' + ALL.indexOf(provider), [provider]))
    const together = writersOf(t, server, 'together', ALL)
    const writers = [...alone, ...together]
    for (const { client } of writers) await client.synced()
    for (let crash = 0; crash < CRASHES; crash++) {
      const end = performance.now() + 20 + random.below(250)
      while (performance.now() < end) {
        for (const { client } of writers) if (random.chance(0.7)) edit(client.doc, random)
        if (random.chance(0.05)) random.of(writers).client.set('large', 'x'.repeat(random.below(25_000)))
        await pause(random.below(6))
      }
      const killed = server.kill()
      // They must not bring back what the server lost before we looked.
      for (const { client } of writers) client.provider.shouldConnect = false
      await killed
      for (const { client } of writers) client.cut()
      await server.up()
      for (const board of new Set(writers.map(writer => writer.board))) {
        const has = await stored(t, server, board)
        for (const { client, book } of writers.filter(writer => writer.board === board)) {
          const lost = missing(book.confirmed, has)
          const what = `crash ${crash}, seed ${SEED}: ${client.name} on ${board} lost inserts and deletes ${count(lost)}`
          assert.ok(board === 'together' ? lost.inserts.isEmpty() : isEmpty(lost), what)
        }
      }
      // An echo missed by the crash is made good up to 64 KiB, which is more than was on its way.
      for (const { client } of alone) client.connect()
      // One after another: a writer's own structs, brought back by another, would look like an echo.
      for (const { client, book } of together) {
        client.connect()
        await book.noInsertions()
      }
      await Promise.all(writers.map(({ client }) => client.synced()))
    }
    const confirmed = writers.map(({ book }) => count(book.confirmed))
    for (const [inserts, deletes] of confirmed) {
      assert.ok(inserts > CRASHES && deletes > CRASHES, `too little was confirmed to prove anything: ${JSON.stringify(confirmed)}`)
    }
    for (const { book } of alone) await book.none()
    await converged(together.map(({ client }) => client))
  })
})
