// Promise: an edit that came back to its author is on disk; and each edit comes back.
import { test, describe } from 'node:test'
import assert from 'node:assert/strict'
import * as Y from 'yjs'
import { ALL, Client, converged } from './support/clients.mjs'
import { edit } from './support/documents.mjs'
import { Unconfirmed, idsOf, isEmpty, missing, noIds, union } from './support/echo.mjs'
import { Random, SEED } from './support/random.mjs'
import { Raw, messages } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { pause, until } from './support/wait.mjs'

// An update that sets `key`, by a client of its own.
const setting = (key, value = key) => {
  const doc = new Y.Doc()
  doc.getMap('map').set(key, value)
  return Y.encodeStateAsUpdate(doc)
}

// Waits until all of `update` came back to `raw`.
const echoed = (raw, update, deadlineMs) => until(
  () => isEmpty(missing(idsOf(update), union(noIds(), ...raw.all('update').map(({ payload }) => idsOf(payload))))), 'the saved echo', deadlineMs)

describe(`the saved echo (BOARDWIRE_SEED=${SEED})`, () => {
  for (const [i, provider] of ALL.entries()) {
    test(`${provider}: every edit is confirmed, insertions and deletions`, async t => {
      const server = await Server.start({}, t)
      const clients = ['ann', 'ben'].map(sub => Client.open(t, server, 'confirmed', { provider, sub }))
      const books = clients.map(client => new Unconfirmed(client))
      for (const client of clients) await client.synced()
      const random = new Random(SEED + i)
      for (let step = 0; step < 200; step++) {
        edit(random.of(clients).doc, random)
        if (step % 10 === 0) await pause(1)
      }
      for (const book of books) await book.none()
      await converged(clients)
    })
  }

  test('what was written before the connection is confirmed too', async t => {
    const server = await Server.start({}, t)
    const client = new Client(server, 'before', { connect: false })
    t.after(() => client.destroy())
    const book = new Unconfirmed(client)
    client.set('offline', 1)
    client.connect()
    await book.none()
  })

  test('a lone edit on an idle server is confirmed within the window and one sync, not later', async t => {
    const server = await Server.start({ 'commit-window': '5s' }, t)
    const raw = await Raw.open(t, server, 'idle')
    const update = setting('key')
    raw.send(messages.update(update))
    await echoed(raw, update, 7_000)
  })

  test('the moment of the echo is after the disk: kill -9 right then loses nothing', async t => {
    const server = await Server.start({}, t)
    const keys = []
    for (let round = 0; round < 12; round++) {
      const raw = await Raw.open(t, server, 'moment')
      const key = 'round-' + round
      const update = setting(key)
      let killed
      raw.socket.on('message', data => {
        if (data[0] === 0 && data[1] === 2) killed ??= server.kill()
      })
      raw.send(messages.update(update))
      await until(() => killed, 'the echo')
      await killed
      await server.up()
      keys.push(key)
      const reader = await Raw.open(t, server, 'moment', { sub: 'reader' })
      const map = (await reader.document()).getMap('map')
      for (const each of keys) assert.equal(map.get(each), each)
      reader.socket.terminate()
    }
  })

  test('goes to the author alone; others get each update once', async t => {
    const server = await Server.start({}, t)
    const author = await Raw.open(t, server, 'alone', { sub: 'author' })
    const other = await Raw.open(t, server, 'alone', { sub: 'other' })
    const updates = Array.from({ length: 20 }, (_, n) => setting('key-' + n))
    for (const update of updates) author.send(messages.update(update))
    for (const update of updates) await echoed(author, update)
    const mark = setting('mark')
    other.send(messages.update(mark))
    await echoed(other, mark)
    const clients = other.all('update').flatMap(({ payload }) => Y.decodeUpdate(payload).structs.map(struct => struct.id.client))
    assert.equal(clients.length, new Set(clients).size)
    assert.equal(clients.length, 21)
    assert.ok(author.all('update').length <= 21)
  })

  test('what brought nothing new needs no echo, and is not missed by it', async t => {
    const server = await Server.start({}, t)
    const author = await Raw.open(t, server, 'again')
    const update = setting('key')
    author.send(messages.update(update))
    await echoed(author, update)
    author.send(messages.update(update))
    author.send(messages.step2(Uint8Array.of(0, 0)))
    await author.settled()
    assert.equal(author.close, null)
  })

  for (const provider of ALL) {
    test(`${provider}: an echo lost with the connection is made good after the return`, async t => {
      const server = await Server.start({}, t)
      const witness = await Raw.open(t, server, 'lost', { sub: 'witness' })
      const client = await Client.open(t, server, 'lost', { provider }).synced()
      const book = new Unconfirmed(client)
      client.set('first', 1)
      await book.none()
      // From here on nothing reaches the client, as if the connection were half dead.
      client.provider.ws.onmessage = () => {}
      client.set('second', 2)
      client.set('third', 3)
      await until(() => witness.all('update').length >= 3, 'the updates at another client')
      const mark = setting('mark')
      witness.send(messages.update(mark))
      await echoed(witness, mark)
      assert.equal(isEmpty(book.pending), false)
      client.cut()
      await book.none()
    })
  }

  for (const provider of ALL) {
    test(`${provider}: an echo that comes due while its author reconnects reaches the new connection`, async t => {
      // Steady writes by others keep the window open, so that the author is back before its edit is on disk.
      const server = await Server.start({ 'commit-window': '1s' }, t)
      const witness = await Raw.open(t, server, 'due', { sub: 'witness' })
      const client = await Client.open(t, server, 'due', { provider }).synced()
      const book = new Unconfirmed(client)
      for (let round = 0; round < 3; round++) {
        for (let n = 0; n < 3; n++) {
          witness.send(messages.update(setting(`busy-${round}-${n}`)))
          await pause(2)
        }
        client.set('round', round)
        await witness.next('update', { accepts: ({ payload }) => isEmpty(missing(book.pending, idsOf(payload))) })
        client.cut()
        await until(() => !client.provider.wsconnected, 'the cut')
        await client.synced()
        await book.none(5_000)
      }
    })
  }

  test('--saved-echo=off sends nothing back', async t => {
    const server = await Server.start({ 'saved-echo': 'off', 'commit-window': '10ms' }, t)
    const author = await Raw.open(t, server, 'off', { sub: 'author' })
    const other = await Raw.open(t, server, 'off', { sub: 'other' })
    for (let n = 0; n < 10; n++) author.send(messages.update(setting('key-' + n)))
    await until(() => other.all('update').length === 10, 'the updates at the other')
    await pause(500)
    other.send(messages.update(setting('mark')))
    await author.next('update')
    await author.settled()
    assert.equal(author.all('update').length, 1)
    assert.equal(other.all('update').length, 10)
  })
})
