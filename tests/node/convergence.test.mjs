// Promise: whatever is edited at once, online and offline, with whatever disconnections, all documents end
// equal.
import { test, before, after, describe } from 'node:test'
import { ALL, Client, PROVIDERS, converged } from './support/clients.mjs'
import { edit, withUndo } from './support/documents.mjs'
import { Random, SEED } from './support/random.mjs'
import { Server } from './support/server.mjs'
import { pause } from './support/wait.mjs'

// One random history: edits everywhere, sockets cut, clients away for a while, documents kept.
async function history (t, server, board, providers, { steps, seed, gc = true }) {
  const random = new Random(seed)
  const clients = providers.map((provider, i) => Client.open(t, server, board, { provider, sub: 'user-' + i, doc: new PROVIDERS[provider].Y.Doc({ gc }) }))
  const undos = clients.map(client => withUndo(client.doc))
  await Promise.all(clients.map(client => client.synced()))
  for (let step = 0; step < steps; step++) {
    const i = random.below(clients.length)
    const what = random.next()
    if (what < 0.02) clients[i].cut()
    else if (what < 0.04) clients[i].disconnect()
    else if (what < 0.08) clients[i].connect()
    else edit(clients[i].doc, random, undos[i])
    if (random.chance(0.3)) await new Promise(resolve => setImmediate(resolve))
    if (random.chance(0.02)) await pause(random.below(60))
  }
  clients.forEach(client => client.connect())
  await converged(clients, `history ${board} of seed ${seed}`)
  const late = Client.open(t, server, board, { provider: random.of(ALL), sub: 'late' })
  await late.synced()
  await converged([...clients, late], `a late joiner of ${board}, seed ${seed}`)
}

describe(`random concurrent edits with disconnections (BOARDWIRE_SEED=${SEED})`, () => {
  let server
  before(async () => { server = await Server.start() })
  after(() => server.dispose())

  for (const [i, provider] of ALL.entries()) {
    test(`three clients of ${provider} converge`, t => history(t, server, 'same-' + i, [provider, provider, provider], { steps: 400, seed: SEED + i }))
  }

  for (let i = 0; i < 4; i++) {
    test(`one client of each kind converge, history ${i}`, t => history(t, server, 'mixed-' + i, ALL, { steps: 400, seed: SEED + 10 + i }))
  }

  test('clients that keep deleted content converge with a server that does not', t =>
    history(t, server, 'kept', ALL, { steps: 400, seed: SEED + 30, gc: false }))

  test('ten clients of four kinds converge', t =>
    history(t, server, 'ten', Array.from({ length: 10 }, (_, i) => ALL[i % 4]), { steps: 1_000, seed: SEED + 20 }))
})
