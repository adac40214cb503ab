// Promise: whoever connects late, or comes back, ends with the full state, and what was edited offline is
// merged.
import { test, describe } from 'node:test'
import assert from 'node:assert/strict'
import { ALL, Client, PROVIDERS, converged } from './support/clients.mjs'
import { Raw, messages } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { pause, until } from './support/wait.mjs'
import { Unconfirmed } from './support/echo.mjs'
import { edit } from './support/documents.mjs'
import { Random, SEED } from './support/random.mjs'

const fill = async (t, server, board, provider) => {
  const writer = Client.open(t, server, board, { provider, sub: 'writer' })
  const unconfirmed = new Unconfirmed(writer)
  await writer.synced()
  const random = new Random(SEED)
  for (let i = 0; i < 60; i++) edit(writer.doc, random)
  writer.set('mark', 'filled')
  await unconfirmed.none()
  return writer
}

describe(`late joiners and returns (BOARDWIRE_SEED=${SEED})`, () => {
  for (const [i, provider] of ALL.entries()) {
    test(`${provider}: joins a room in memory`, async t => {
      const server = await Server.start({}, t)
      const writer = await fill(t, server, 'warm', ALL[(i + 1) % 4])
      const late = await Client.open(t, server, 'warm', { provider, sub: 'late' }).synced()
      await converged([writer, late])
    })

    test(`${provider}: joins after the room was unloaded, and merges what it edited offline`, async t => {
      const server = await Server.start({ 'room-idle': '1s', 'room-sweep': '1s' }, t)
      const writer = await fill(t, server, 'cold', provider)
      writer.disconnect()
      await until(async () => (await server.health()).rooms === 0, 'the room to be unloaded')
      writer.set('offline', 'kept')
      writer.delete('mark')
      const late = await Client.open(t, server, 'cold', { provider: ALL[(i + 1) % 4], sub: 'late' }).synced()
      await late.sees('mark', 'filled')
      writer.connect()
      await late.sees('offline', 'kept')
      await late.sees('mark', undefined)
      await converged([writer, late])
    })

    test(`${provider}: comes back by itself after a restart, and merges what it edited meanwhile`, async t => {
      const server = await Server.start({}, t)
      const writer = await fill(t, server, 'restart', provider)
      assert.deepEqual(await server.stop(), { code: 0, signal: null })
      writer.set('offline', 'kept')
      writer.delete('mark')
      await server.up()
      const late = Client.open(t, server, 'restart', { provider: ALL[(i + 2) % 4], sub: 'late' })
      await late.sees('offline', 'kept')
      await late.sees('mark', undefined)
      await converged([writer, late])
    })

    test(`${provider}: finds its document after a restart, alone`, async t => {
      const server = await Server.start({}, t)
      const writer = await fill(t, server, 'stored', ALL[(i + 1) % 4])
      writer.vanish()
      await server.stop()
      await server.up()
      const late = await Client.open(t, server, 'stored', { provider, sub: 'late' }).synced()
      await converged([writer, late])
    })

    test(`${provider}: kill -9 loses nothing that was echoed`, async t => {
      const server = await Server.start({}, t)
      const writer = await fill(t, server, 'killed', provider)
      writer.provider.shouldConnect = false
      await server.kill()
      await server.up()
      const late = await Client.open(t, server, 'killed', { provider: ALL[(i + 3) % 4], sub: 'late' }).synced()
      await converged([writer, late])
    })
  }

  test('many clients that join a cold board at once get the one board', async t => {
    const server = await Server.start({ 'room-idle': '1s', 'room-sweep': '1s' }, t)
    const writer = await fill(t, server, 'storm', ALL[0])
    for (let round = 0; round < 3; round++) {
      writer.disconnect()
      await until(async () => (await server.health()).rooms === 0, 'the room to be unloaded')
      const joiners = Array.from({ length: 30 }, (_, i) => Client.open(t, server, 'storm', { provider: ALL[i % 4], sub: 'joiner-' + i }))
      await Promise.all(joiners.map(joiner => joiner.synced()))
      for (const joiner of joiners) assert.equal(joiner.get('mark'), 'filled')
      assert.equal((await server.health()).rooms, 1)
      joiners[0].set('round', round)
      await converged(joiners)
      for (const joiner of joiners) joiner.disconnect()
      writer.connect()
      await writer.sees('round', round)
    }
  })

  test('joins that race the unload of their rooms find everything', async t => {
    const server = await Server.start({ 'room-idle': '1s', 'room-sweep': '1s' }, t)
    // Forty boards, each left alone for about the time after which its room is unloaded, four times.
    await Promise.all(Array.from({ length: 40 }, async (_, n) => {
      const random = new Random(SEED + n)
      const board = 'race-' + n
      const client = Client.open(t, server, board, { provider: ALL[n % 4], sub: 'racer' })
      for (let i = 0; i < 4; i++) {
        await client.synced()
        client.set('round', i)
        client.disconnect()
        await pause(900 + random.below(1_300))
        const reader = await Raw.open(t, server, board, { sub: 'reader' })
        const document = await reader.document()
        assert.equal(document.getMap('map').get('round'), i, `${board} of seed ${SEED}`)
        reader.socket.close()
        client.connect()
      }
    }))
  })

  test('a browser that kept everything fills a server that lost everything, under old client ids', async t => {
    const [old, empty] = [await Server.start({}, t), await Server.start({}, t)]
    const writers = ALL.map((provider, i) => Client.open(t, old, 'moved', { provider, sub: 'writer-' + i }))
    const random = new Random(SEED)
    for (let i = 0; i < 200; i++) edit(random.of(writers).doc, random)
    await converged(writers)
    // As y-indexeddb does it: a new document, a new client id, all the old updates.
    for (const provider of ALL) {
      const doc = new PROVIDERS[provider].Y.Doc()
      PROVIDERS[provider].Y.applyUpdate(doc, writers[0].update())
      const back = Client.open(t, empty, 'moved-' + ALL.indexOf(provider), { provider, doc })
      back.set('mark', 'moved')
      const late = Client.open(t, empty, 'moved-' + ALL.indexOf(provider), { provider: random.of(ALL), sub: 'late' })
      await late.sees('mark', 'moved')
      await converged([back, late])
    }
  })

  test('a state vector is answered with exactly what it lacks', async t => {
    const server = await Server.start({}, t)
    const writer = await fill(t, server, 'exact', ALL[2])
    const vector = writer.Y.encodeStateVector(writer.doc)
    writer.set('after', 1)
    const reader = await Raw.open(t, server, 'exact', { sub: 'reader' })
    await until(async () => (await reader.document()).getMap('map').get('after') === 1, 'the last edit')
    const from = reader.messages.length
    reader.send(messages.step1(vector))
    const answer = (await reader.next('step2', { from })).payload
    const { structs, ds } = writer.Y.decodeUpdate(answer)
    assert.deepEqual(structs.map(struct => ({ ...struct.id, length: struct.length })),
      [{ client: writer.clientID, clock: writer.Y.getState(writer.doc.store, writer.clientID) - 1, length: 1 }])
    assert.deepEqual([...ds.clients.keys()].sort(), [...writer.Y.snapshot(writer.doc).ds.clients.keys()].sort())
  })
})
