// Promise: connections that are alive stay, whoever is silent, and presence that is not renewed goes. The
// subject is time, so these tests take a minute and a half, all in the same one.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import { ALL, Client } from './support/clients.mjs'
import { Raw, Wire, messages } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { pause, until } from './support/wait.mjs'

describe('liveness', { concurrency: true }, () => {
  let server
  before(async () => { server = await Server.start() })
  after(() => server.dispose())

  test('who has received nothing for 20 s gets an empty awareness message', async t => {
    const raw = await Raw.open(t, server, 'keepalive')
    const last = raw.messages.at(-1).at
    const message = await raw.next('awareness', { deadlineMs: 30_000 })
    assert.deepEqual([...message.bytes], [1, 1, 0])
    const silence = message.at - last
    assert.ok(silence > 18_500 && silence < 25_000, `after ${silence} ms`)
  })

  test('who has received something meanwhile gets it later', async t => {
    const raw = await Raw.open(t, server, 'keepalive-later')
    await pause(8_000)
    await raw.settled()
    const last = raw.messages.at(-1).at
    const message = await raw.next('awareness', { deadlineMs: 35_000 })
    assert.deepEqual([...message.bytes], [1, 1, 0])
    assert.ok(message.at - last > 18_500, `after ${message.at - last} ms`)
  })

  test('the server pings every 30 s', async t => {
    const raw = await Raw.open(t, server, 'ping')
    await until(() => raw.pings.length > 0, 'a ping', 40_000)
    const after = raw.pings[0] - raw.begun
    assert.ok(after > 25_000 && after < 36_000, `after ${after} ms`)
    await raw.settled()
  })

  test('who answers no ping for 75 s is dropped, and who only answers pings stays', async t => {
    const dead = await Wire.open(t, server, 'silent')
    const begun = performance.now()
    const alive = await Raw.open(t, server, 'silent')
    await until(() => dead.ended, 'the end of the silent connection', 100_000)
    const after = performance.now() - begun
    assert.ok(after > 70_000 && after < 95_000, `after ${after} ms`)
    assert.equal(alive.close, null)
    await alive.settled()
  })

  test('a state that is not renewed for 30 s is removed', async t => {
    const ben = await Raw.open(t, server, 'expiry', { sub: 'ben' })
    const ann = await Raw.open(t, server, 'expiry', { sub: 'ann' })
    ann.send(messages.awareness([{ id: 1, clock: 1, state: { n: 'ann' } }]))
    const shown = await ben.sawState(1, { n: 'ann' })
    const removed = await ben.sawState(1, null, { deadlineMs: 45_000 })
    const after = removed.at - shown.at
    assert.ok(after > 28_000 && after < 40_000, `after ${after} ms`)
    assert.equal(ann.close, null)
  })

  for (const provider of ALL) {
    test(`${provider}: stays connected and in sync over 35 quiet seconds`, async t => {
      const board = 'quiet-' + ALL.indexOf(provider)
      const [ann, ben] = ['ann', 'ben'].map(sub => Client.open(t, server, board, { provider, sub }))
      await ann.synced()
      await ben.synced()
      // Without a state of its own a client has no heartbeat, and the server is all that it hears.
      ann.awareness.setLocalState(null)
      ben.awareness.setLocalStateField('user', { name: 'ben' })
      await pause(35_000)
      assert.deepEqual([ann.closes, ben.closes], [[], []])
      assert.ok(ann.provider.wsconnected && ben.provider.wsconnected)
      assert.equal(ann.userSeen(ben.clientID), 'ben')
      ann.set('still', 'here')
      await ben.sees('still', 'here', 1_000)
    })
  }

  test('a lone client without presence stays connected over 35 quiet seconds', async t => {
    const client = await Client.open(t, server, 'alone', { provider: 'y-websocket 3.0' }).synced()
    client.awareness.setLocalState(null)
    await pause(35_000)
    assert.deepEqual(client.closes, [])
    assert.ok(client.provider.wsconnected)
  })
})
