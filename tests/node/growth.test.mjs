// Promise: the data file's size follows the live state, not the number of updates that ever came.
import { test, describe } from 'node:test'
import assert from 'node:assert/strict'
import { Client } from './support/clients.mjs'
import { load } from './support/documents.mjs'
import { Unconfirmed } from './support/echo.mjs'
import { Raw } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { pause, until } from './support/wait.mjs'

const RECORDS = 200
const OVERWRITES = 100_000
const BATCH = 100

// Overwrites records in batches, each one transaction; returns the client with everything confirmed.
async function overwrite (t, server, board, { overwrites, from = 0, writer = Client.open(t, server, board, { sub: 'writer' }) }) {
  await writer.synced()
  const book = new Unconfirmed(writer)
  for (let done = from; done < from + overwrites; done += BATCH) {
    writer.doc.transact(() => {
      for (let i = done; i < done + BATCH; i++) writer.set('record-' + i % RECORDS, { x: i, y: -i, text: `version ${i} of the record`.padEnd(120, '.') })
    })
    // The pace of a client that reads what it gets; nothing else.
    await pause(0)
  }
  await book.none(60_000)
  return writer
}

// The bytes that a stranger gets of `board`.
async function pulled (t, server, board) {
  const reader = await Raw.open(t, server, board, { sub: 'reader' })
  const update = await reader.pull()
  reader.socket.terminate()
  return update
}

// Yjs itself collects what is deleted; the server's compaction is to come out about as small.
const compact = (update, writer) => update.length <= 1.1 * writer.update().length

// How often a board was compacted.
async function compactions (server) {
  const text = await (await fetch(server.http + '/metrics')).text()
  return Number(/^boardwire_compaction_seconds_count (\d+)/m.exec(text)?.[1])
}

const LATER = { 'compact-after': '1h', 'compact-every': '2h' }

describe('growth', () => {
  test(`${OVERWRITES} overwrites of ${RECORDS} records leave a file within 10 times the document plus 2 MiB`, async t => {
    const server = await Server.start({}, t)
    const writer = await overwrite(t, server, 'growth', { overwrites: OVERWRITES })
    writer.disconnect()
    assert.deepEqual(await server.stop(), { code: 0, signal: null })
    const limit = 10 * writer.update().length + 2 * 1024 * 1024
    assert.ok(server.dataBytes <= limit, `${server.dataBytes} bytes on disk, ${writer.update().length} in the document, limit ${limit}`)
    await server.up()
    assert.deepEqual(load(await pulled(t, server, 'growth')).getMap('map').toJSON(), writer.map.toJSON())
  })

  for (const overwrites of [10_000, 50_000]) test(`a shutdown compacts ${overwrites} overwrites of a moment ago`, async t => {
    // The larger one also meets the compactions that the log's size asks for.
    const server = await Server.start(LATER, t)
    const writer = await overwrite(t, server, 'shutdown', { overwrites })
    writer.vanish()
    assert.deepEqual(await server.stop(), { code: 0, signal: null })
    await server.up()
    const update = await pulled(t, server, 'shutdown')
    assert.ok(compact(update, writer), `a joiner gets ${update.length} bytes of a document of ${writer.update().length}`)
  })

  test('a board is compacted when its last client leaves', async t => {
    const server = await Server.start(LATER, t)
    const writer = await overwrite(t, server, 'left', { overwrites: 10_000 })
    // Who joins would have it compacted.
    assert.equal(await compactions(server), 0, 'the log is to be there before')
    writer.disconnect()
    await until(async () => await compactions(server) > 0, 'the board to be compacted', 5_000)
    assert.ok(compact(await pulled(t, server, 'left'), writer))
  })

  test('a board is compacted when changes end, and under steady change', async t => {
    const server = await Server.start({ 'compact-after': '300ms', 'compact-every': '600ms', 'commit-window': '20ms' }, t)
    const writer = await overwrite(t, server, 'steady', { overwrites: 5_000 })
    await until(async () => compact(await pulled(t, server, 'steady'), writer), 'the board to be compacted after the last change', 5_000)
    let from = 5_000
    await until(async () => {
      // Never quiet for as long as --compact-after.
      await overwrite(t, server, 'steady', { overwrites: BATCH, from: from += BATCH, writer })
      return from > 10_000 && (await pulled(t, server, 'steady')).length <= 1.5 * writer.update().length
    }, 'the board to be compacted under change', 10_000)
    assert.deepEqual(load(await pulled(t, server, 'steady')).getMap('map').toJSON(), writer.map.toJSON())
  })
})
