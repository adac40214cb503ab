// Promise: every stock provider works unchanged, alone and together with all others, and everyone sees every
// change.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import { ALL, Client, converged } from './support/clients.mjs'
import { contentOf } from './support/documents.mjs'
import { Server } from './support/server.mjs'
import { until } from './support/wait.mjs'

describe('stock clients in sync', () => {
  let server
  before(async () => { server = await Server.start() })
  after(() => server.dispose())

  for (const provider of ALL) {
    test(`two clients of ${provider} see each other's changes`, async t => {
      const board = 'pair-' + ALL.indexOf(provider)
      const [ann, ben] = ['ann', 'ben'].map(sub => Client.open(t, server, board, { provider, sub }))
      await ann.synced()
      await ben.synced()
      ann.set('from', 'ann')
      await ben.sees('from', 'ann')
      ben.set('back', { from: 'ben' })
      await ann.sees('back', { from: 'ben' })
      ann.delete('from')
      await ben.sees('from', undefined)
      await converged([ann, ben])
      assert.deepEqual([...ann.closes, ...ann.denials, ...ben.closes, ...ben.denials], [])
    })

    test(`${provider} is told synced on an empty board`, async t => {
      const client = Client.open(t, server, 'empty-' + ALL.indexOf(provider), { provider })
      await client.synced()
      assert.equal(client.doc.store.clients.size, 0)
    })
  }

  test('one client of every provider, on Yjs 13 and 14, share a board', async t => {
    const clients = ALL.map(provider => Client.open(t, server, 'mixture', { provider, sub: 'user-' + ALL.indexOf(provider) }))
    for (const client of clients) await client.synced()
    for (const [i, client] of clients.entries()) client.set('by' + i, i)
    for (const client of clients) {
      for (const i of clients.keys()) await client.sees('by' + i, i)
    }
    await converged(clients)
  })

  test('a change reaches the others within 200 ms', async t => {
    const clients = ALL.map(provider => Client.open(t, server, 'latency', { provider, sub: 'user-' + ALL.indexOf(provider) }))
    for (const client of clients) await client.synced()
    const times = []
    for (let i = 0; i < 20; i++) {
      const begun = performance.now()
      clients[i % 4].set('tick', i)
      await Promise.all(clients.map(client => client.sees('tick', i)))
      times.push(performance.now() - begun)
    }
    const median = times.sort((a, b) => a - b)[10]
    assert.ok(median < 200, `median ${median} ms of ${times}`)
  })

  test('ten clients of four kinds write at once and converge', async t => {
    const clients = Array.from({ length: 10 }, (_, i) => Client.open(t, server, 'ten', { provider: ALL[i % 4], sub: 'user-' + i }))
    for (const client of clients) await client.synced()
    for (let round = 0; round < 30; round++) {
      for (const [i, client] of clients.entries()) {
        client.set('shared', `${i} in ${round}`)
        client.set('own-' + i, round)
      }
      await new Promise(resolve => setImmediate(resolve))
    }
    await converged(clients)
    for (const i of clients.keys()) assert.equal(clients[0].get('own-' + i), 29)
  })

  test('a document of 2 MB arrives whole at every kind of client, and is edited on', async t => {
    const writer = Client.open(t, server, 'large')
    await writer.synced()
    writer.doc.transact(() => {
      for (let i = 0; i < 5_000; i++) writer.set('shape:' + i, { id: i, x: i * 3, y: i * 7, text: 'x'.repeat(360) })
    })
    assert.ok(writer.update().length > 2_000_000)
    const readers = ALL.map(provider => Client.open(t, server, 'large', { provider, sub: 'reader-' + ALL.indexOf(provider) }))
    for (const reader of readers) await reader.synced()
    await converged([writer, ...readers])
    for (const [i, reader] of readers.entries()) reader.set('shape:' + i, { moved: i })
    await converged([writer, ...readers])
  })

  test('a subdocument, binary values and values of every JSON kind pass through', async t => {
    const [ann, ben] = ['ann', 'ben'].map(sub => Client.open(t, server, 'kinds', { sub }))
    await ann.synced()
    await ben.synced()
    ann.doc.transact(() => {
      ann.map.set('binary', Uint8Array.of(0, 1, 255))
      ann.map.set('values', [null, true, false, 0, -1, 1.5, 2 ** 40, -(2 ** 53 - 1), '', '🎨', [], {}, [[{ deep: [1] }]]])
      ann.map.set('undefined', undefined)
      ann.map.set('bigint', 2n ** 62n)
      ann.map.set('subdocument', new ann.Y.Doc({ guid: 'the-sub-document' }))
    })
    await until(() => ben.map.get('subdocument'), 'the last value')
    assert.deepEqual(ben.map.get('binary'), Uint8Array.of(0, 1, 255))
    assert.deepEqual(ben.map.get('values'), ann.map.get('values'))
    assert.equal(ben.map.get('bigint'), 2n ** 62n)
    assert.equal(ben.map.get('subdocument').guid, 'the-sub-document')
    assert.equal(ben.map.has('undefined'), true)
  })

  test('boards are apart', async t => {
    const [one, two] = ['apart-1', 'apart-2'].map(board => Client.open(t, server, board))
    await one.synced()
    await two.synced()
    one.set('left', 1)
    two.set('right', 2)
    const [readerOne, readerTwo] = ['apart-1', 'apart-2'].map(board => Client.open(t, server, board, { sub: 'bob' }))
    await readerOne.sees('left', 1)
    await readerTwo.sees('right', 2)
    assert.equal(contentOf(readerOne.doc).includes('right'), false)
    assert.equal(contentOf(readerTwo.doc).includes('left'), false)
  })
})
