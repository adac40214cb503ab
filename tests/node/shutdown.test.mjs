// Promise: SIGTERM and SIGINT end the server in order, and lose nothing that it accepted; a second signal
// ends it at once.
import { test, describe } from 'node:test'
import assert from 'node:assert/strict'
import { ALL, Client, converged } from './support/clients.mjs'
import { Raw, Wire } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { until, within } from './support/wait.mjs'

describe('shutdown', () => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    test(`${signal} closes with 1001, exits 0, and keeps what was accepted`, async t => {
      const server = await Server.start({ 'commit-window': '2s' }, t)
      const clients = ALL.map((provider, i) => Client.open(t, server, 'board', { provider, sub: 'user-' + i }))
      for (const client of clients) await client.synced()
      for (const [i, client] of clients.entries()) for (let n = 0; n < 20; n++) client.set(`key-${i}-${n}`, n)
      await converged(clients)
      clients.forEach(client => { client.provider.shouldConnect = false })
      const begun = performance.now()
      server.signal(signal)
      assert.deepEqual(await within(server.exit, 12_000, 'the exit'), { code: 0, signal: null })
      assert.ok(performance.now() - begun < 10_000)
      await until(() => clients.every(client => client.closes.length === 1), 'the closes')
      for (const client of clients) {
        assert.equal(client.closes[0].code, 1001)
        assert.ok(client.closes[0].reason.length > 0)
      }
      await server.up()
      const late = await Client.open(t, server, 'board', { sub: 'late' }).synced()
      await converged([...clients, late])
    })
  }

  test('clients that do not answer the close do not hold the exit', async t => {
    const server = await Server.start({ drain: '1s' }, t)
    const stuck = await Wire.open(t, server, 'stuck')
    stuck.socket.pause()
    const begun = performance.now()
    assert.deepEqual(await server.stop(), { code: 0, signal: null })
    assert.ok(performance.now() - begun < 5_000)
  })

  test('a second signal exits at once', async t => {
    const server = await Server.start({ drain: '60s' }, t)
    const stuck = await Wire.open(t, server, 'stuck')
    stuck.socket.pause()
    server.signal('SIGTERM')
    // The close frame shows that the first signal was handled.
    stuck.socket.resume()
    await until(() => stuck.frames.some(({ opcode }) => opcode === 8), 'the close frame')
    server.signal('SIGTERM')
    await within(server.exit, 2_000, 'the exit')
  })

  test('providers come back by themselves after a restart', async t => {
    const server = await Server.start({}, t)
    const clients = ALL.map((provider, i) => Client.open(t, server, 'back', { provider, sub: 'user-' + i }))
    for (const client of clients) await client.synced()
    await server.stop()
    for (const [i, client] of clients.entries()) client.set('offline-' + i, i)
    await server.up()
    await converged(clients)
    for (const i of clients.keys()) assert.equal(clients[0].get('offline-' + i), i)
  })

  test('nobody is let in while the server stops', async t => {
    const server = await Server.start({ drain: '2s' }, t)
    const stuck = await Wire.open(t, server, 'stuck')
    server.signal('SIGTERM')
    await until(() => stuck.frames.some(({ opcode }) => opcode === 8), 'the close frame')
    const raw = Raw.dial(t, server, 'late')
    const close = await raw.closed()
    assert.equal(raw.all('step1').length, 0, JSON.stringify(close))
    await within(server.exit, 10_000, 'the exit')
  })

  test('a data file that is in use by another server is refused with words', async t => {
    const server = await Server.start({}, t)
    const second = new Server()
    t.after(() => second.dispose())
    second.data = server.data
    await assert.rejects(second.up(), /did not start/)
    assert.notEqual((await second.exit).code, 0)
    await server.health()
  })
})
