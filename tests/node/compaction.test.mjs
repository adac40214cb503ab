// Promise: whatever moment the log is replaced by one full state, the stored document is the one that the
// clients have, state vector and delete set included, and later edits still merge.
import { test, describe } from 'node:test'
import { ALL, Client, converged } from './support/clients.mjs'
import * as Y14 from '@y/y'
import { assertSame, edit, load, withUndo } from './support/documents.mjs'
import { Random, SEED } from './support/random.mjs'
import { Raw } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { pause, until } from './support/wait.mjs'

// What a stranger gets from the server, as Yjs 13 and as Yjs 14 read it, and what it gets after a restart.
async function fetched (t, server, board) {
  const reader = await Raw.open(t, server, board, { sub: 'reader' })
  const update = await reader.pull()
  reader.socket.terminate()
  return [load(update), load(update, Y14)]
}

describe(`differential: the stored document against the clients' (BOARDWIRE_SEED=${SEED})`, () => {
  for (let n = 0; n < 4; n++) {
    test(`history ${n}, compacted at random moments`, async t => {
      const random = new Random(SEED + n)
      const server = await Server.start({ 'compact-after': '200ms', 'compact-every': '500ms', 'commit-window': '5ms', 'room-idle': '1s', 'room-sweep': '1s' }, t)
      const clients = ALL.map((provider, i) => Client.open(t, server, 'board', { provider, sub: 'user-' + i }))
      const undos = clients.map(client => withUndo(client.doc))
      for (const client of clients) await client.synced()
      for (let phase = 0; phase < 5; phase++) {
        for (let step = 0; step < 120; step++) {
          const i = random.below(clients.length)
          const what = random.next()
          if (what < 0.02) clients[i].cut()
          else if (what < 0.05) clients[i].disconnect()
          else if (what < 0.10) clients[i].connect()
          else edit(clients[i].doc, random, undos[i])
          if (random.chance(0.1)) await pause(random.below(40))
        }
        // Now and then nobody is there for long enough that the room is unloaded, or the server restarts.
        if (phase === 1) {
          clients.forEach(client => client.disconnect())
          await until(async () => (await server.health()).rooms === 0, 'the room to be unloaded')
        }
        if (phase === 3) {
          await server.stop()
          await server.up()
        }
        clients.forEach(client => client.connect())
        await converged(clients, `phase ${phase} of history ${n}, seed ${SEED}`)
        assertSame([...clients.map(client => client.doc), ...await fetched(t, server, 'board')], `the server's document in phase ${phase}`)
      }
      clients.forEach(client => client.provider.disconnect())
      await server.stop()
      await server.up()
      assertSame([...clients.map(client => client.doc), ...await fetched(t, server, 'board')], 'the stored document')
      for (const [i, client] of clients.entries()) {
        for (let step = 0; step < 20; step++) edit(client.doc, random, undos[i])
        client.connect()
      }
      await converged(clients, 'later edits of all clients')
      assertSame([...clients.map(client => client.doc), ...await fetched(t, server, 'board')], 'the document after later edits')
    })
  }
})
