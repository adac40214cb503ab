// Promise: every refusal and every close says why, with the code of the contract's table, in words a browser
// can read.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import * as Y from 'yjs'
import { ALL, Client, freshAddress } from './support/clients.mjs'
import { Unconfirmed } from './support/echo.mjs'
import { Raw, Wire, messages } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { SECRET, adminToken, mint, seconds, tokenFor } from './support/token.mjs'
import { pause, until } from './support/wait.mjs'

const MESSAGE_BYTES = 64 * 1024

// What each upgrade is refused for: its token (and board), and the close code in both conventions.
const UPGRADES = [
  ['no token', { token: null }, 4001, 4401],
  ['an empty token, which counts as not sent', { token: '' }, 4001, 4401],
  ['a signature by another secret', { token: mint({ boards: { known: 'edit' } }, { secret: 'x'.repeat(40) }) }, 4001, 4401],
  ['a changed payload', { token: tokenFor('known').replace(/\.[^.]+\./, tokenFor('known', { sub: 'eve' }).match(/\.[^.]+\./)[0]) }, 4001, 4401],
  ['alg none', { token: mint({ boards: { known: 'edit' } }, { alg: 'none' }) }, 4001, 4401],
  ['alg none with a signature', { token: mint({ boards: { known: 'edit' } }, { header: { alg: 'none' } }) }, 4001, 4401],
  ['alg HS512, which is not switched on', { token: mint({ boards: { known: 'edit' } }, { alg: 'HS512' }) }, 4001, 4401],
  ['an unknown kid', { token: mint({ boards: { known: 'edit' } }, { header: { kid: 'nobody' } }) }, 4001, 4401],
  ['no signature', { token: tokenFor('known').split('.').slice(0, 2).join('.') }, 4001, 4401],
  ['a word instead of a token', { token: 'letmein' }, 4001, 4401],
  ['an expired token', { token: tokenFor('known', { exp: seconds(-60) }) }, 4001, 4401],
  ['a token without exp', { token: tokenFor('known', { exp: undefined }) }, 4001, 4401],
  ['a token not yet valid', { token: tokenFor('known', { nbf: seconds(60) }) }, 4001, 4401],
  ['a token without sub', { token: mint({ sub: undefined, boards: { known: 'edit' } }) }, 4001, 4401],
  ['a token over 8 KiB', { token: tokenFor('known', { padding: 'x'.repeat(9_000) }) }, 4001, 4401],
  ['one invalid of two credentials', { token: tokenFor('known'), headers: { Authorization: 'Bearer letmein' } }, 4001, 4401],
  ['no permission on a board that exists', { token: mint({ sub: 'stranger', boards: { other: 'edit' } }) }, 4003, 4403],
  ['a board that does not exist, to a viewer', { board: 'missing', token: tokenFor('missing', { level: 'view' }) }, 4004, 4404],
  ['a board id with a space', { board: 'not%20good', token: adminToken() }, 1007, 4400],
  ['a board id of a slash', { board: 'a%2Fb', token: adminToken() }, 1007, 4400],
  ['a board id of 129 characters', { board: 'x'.repeat(129), token: adminToken() }, 1007, 4400]
]

// What ends an open connection: the bytes sent, and the close code in both conventions.
const update = bytes => messages.update(Uint8Array.from(bytes))
const FRAMES = [
  ['a message cut short', Uint8Array.of(0), 1007, 4400],
  ['a sync message of an unknown kind', Uint8Array.of(0, 9, 0), 1007, 4400],
  ['a length beyond the frame', Uint8Array.of(0, 2, 200, 1, 5), 1007, 4400],
  ['a varint without end', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 1007, 4400],
  ['awareness cut short', Uint8Array.of(1, 3, 1, 5, 1), 1007, 4400],
  ['a state vector cut short', messages.step1(Uint8Array.of(3, 1)), 1007, 4400],
  ['an update of noise', update([0xff, 0xff, 0xff]), 1007, 4400],
  ['an update that counts more structs than it has bytes', update([1, 0xff, 0xff, 0xff, 0x0f, 1, 0]), 1007, 4400],
  ['an update with bytes left over', update([0, 0, 7]), 1007, 4400],
  ['an update of no bytes', update([]), 1007, 4400],
  ['a step 2 of noise', messages.step2(Uint8Array.of(9, 9, 9)), 1007, 4400],
  ['65 messages in one frame', Buffer.concat(Array.from({ length: 65 }, () => messages.queryAwareness())), 1007, 4400],
  ['a message over the size limit', Buffer.concat([Uint8Array.of(100), Buffer.alloc(MESSAGE_BYTES)]), 1009, 4413]
]

async function refused (t, server, { board = 'known', ...options }, code, deadlineMs) {
  const raw = Raw.dial(t, server, board, { localAddress: freshAddress(), ...options })
  const close = await raw.closed(deadlineMs)
  assert.equal(raw.opened, true, `the upgrade is to be completed, got ${JSON.stringify(close)}`)
  assert.deepEqual(raw.messages.map(message => [message.kind, message.denied]), [['auth', true]])
  assert.ok(raw.messages[0].reason.length > 0)
  assert.equal(close.code, code)
  assert.ok(close.reason.length > 0 && close.reason.length <= 123)
  return raw
}

for (const [convention, column] of [['plain', 2], ['mirror', 3]]) {
  describe(`refusals with --close-codes=${convention}`, () => {
    let server
    before(async () => {
      server = await Server.start({ 'close-codes': convention, 'max-message-bytes': MESSAGE_BYTES })
      const owner = new Client(server, 'known')
      await owner.synced()
      owner.destroy()
    })
    after(() => server.dispose())

    for (const row of UPGRADES) {
      test(`upgrade with ${row[0]}: ${row[column]}`, async t => {
        const raw = await refused(t, server, row[1], row[column])
        assert.ok(raw.close.at - raw.begun < 1_000, 'the first refusal of an address is immediate')
        assert.equal(server.log.includes(row[1].token || SECRET), false, 'no credential in the log')
      })
    }

    for (const row of FRAMES) {
      test(`a frame with ${row[0]}: ${row[column]}`, async t => {
        const raw = await Raw.open(t, server, 'known')
        raw.send(row[1])
        const close = await raw.closed()
        assert.equal(close.code, row[column])
        assert.ok(close.reason.length > 0)
      })
    }

    test('a text frame: 1003', async t => {
      const raw = await Raw.open(t, server, 'known')
      raw.socket.send('hello')
      assert.equal((await raw.closed()).code, 1003)
    })

    test('a board that is refused is not created', async t => {
      for (let i = 0; i < 2; i++) {
        await refused(t, server, { board: 'never', token: tokenFor('never', { level: 'comment' }) }, convention === 'plain' ? 4004 : 4404)
        await refused(t, server, { board: 'never', token: tokenFor('never', { exp: seconds(-60) }) }, convention === 'plain' ? 4001 : 4401)
      }
    })

    test('shutdown', async t => {
      const own = await Server.start({ 'close-codes': convention }, t)
      const raw = await Raw.open(t, own, 'board')
      const exit = own.stop()
      const close = await raw.closed()
      assert.equal(close.code, convention === 'plain' ? 1001 : 4503)
      assert.ok(close.reason.length > 0)
      assert.deepEqual(await exit, { code: 0, signal: null })
    })
  })
}

describe('limits', () => {
  test('a message of exactly the size limit passes, a fragmented one over it does not', async t => {
    const server = await Server.start({ 'max-message-bytes': MESSAGE_BYTES }, t)
    const raw = await Raw.open(t, server, 'size')
    raw.send(Uint8Array.of(100), Buffer.alloc(MESSAGE_BYTES - 1))
    await raw.settled()
    for (let i = 0; i < 4; i++) raw.socket.send(Buffer.alloc(MESSAGE_BYTES / 4 + 1, 100), { fin: i === 3 })
    assert.equal((await raw.closed()).code, 1009)
  })

  test('an update over the board\'s budget: 4013, and the others go on', async t => {
    const server = await Server.start({ 'max-board-bytes': '64KiB' }, t)
    const other = await Client.open(t, server, 'budget', { sub: 'other' }).synced()
    const raw = await Raw.open(t, server, 'budget', { sub: 'greedy' })
    const doc = new Y.Doc()
    doc.getMap('map').set('large', 'x'.repeat(70_000))
    raw.send(messages.update(Y.encodeStateAsUpdate(doc)))
    assert.equal((await raw.closed()).code, 4013)
    other.set('small', 1)
    const late = await Client.open(t, server, 'budget', { sub: 'late' }).synced()
    await late.sees('small', 1)
    assert.equal(late.get('large'), undefined)
    assert.deepEqual(other.closes, [])
  })

  test('connections beyond --max-connections: 1013 with a reason, /health still answers', async t => {
    const server = await Server.start({ 'max-connections': 3 }, t)
    const held = [await Raw.open(t, server, 'many'), await Raw.open(t, server, 'many')]
    const third = Raw.dial(t, server, 'many')
    await until(() => third.all('step1').length > 0 || third.close, 'the third connection')
    const excess = Raw.dial(t, server, 'many')
    const close = await excess.closed()
    assert.ok(close.code === 1013 || excess.status === 429, JSON.stringify(close))
    assert.equal((await server.health()).status, 'ok')
    held[0].socket.close()
    await until(async () => {
      const again = Raw.dial(t, server, 'many')
      await until(() => again.all('step1').length > 0 || again.close, 'an answer')
      return again.close === null
    }, 'a free place to be given')
  })

  test('connections beyond --max-connections-per-board: 1013 with a reason, other boards are open', async t => {
    const server = await Server.start({ 'max-connections-per-board': 2 }, t)
    await Raw.open(t, server, 'full')
    await Raw.open(t, server, 'full')
    await refused(t, server, { board: 'full', token: tokenFor('full') }, 1013)
    await Raw.open(t, server, 'other')
  })

  test('who stops reading is dropped, and delays nobody', async t => {
    const server = await Server.start({ 'max-outbox-bytes': '1MiB', 'max-board-bytes': '512MiB', 'saved-echo': 'off' }, t)
    const writer = await Client.open(t, server, 'slow', { sub: 'writer' }).synced()
    const reader = await Client.open(t, server, 'slow', { sub: 'reader' }).synced()
    const slow = await Wire.open(t, server, 'slow', { sub: 'slow' })
    await until(async () => (await server.health()).connections === 3, 'three connections')
    slow.socket.pause()
    // More than the outbox, and than what the kernel takes on the way.
    const noise = 'x'.repeat(200_000)
    const times = []
    for (let i = 0; i < 60; i++) {
      const begun = performance.now()
      writer.set('noise', i + noise)
      await reader.sees('noise', i + noise)
      times.push(performance.now() - begun)
    }
    assert.ok(times.sort((a, b) => a - b)[54] < 500, `one update in ten takes ${times[54]} ms`)
    await until(async () => (await server.health()).connections === 2, 'the slow reader to be dropped', 20_000)
    slow.socket.resume()
    const code = await slow.closeCode()
    assert.ok(code === 1013 || code === 1006, `code ${code}`)
    assert.deepEqual([...writer.closes, ...reader.closes], [])
  })

  test('who writes more than an outbox within one commit window is not slow for the echo of it', async t => {
    const server = await Server.start({ 'commit-window': '1s', 'max-outbox-bytes': '1MiB' }, t)
    const other = await Client.open(t, server, 'echoes', { sub: 'other' }).synced()
    const writer = await Client.open(t, server, 'echoes', { sub: 'writer' }).synced()
    const book = new Unconfirmed(writer)
    for (let i = 0; i < 5; i++) {
      other.set('busy', i)
      await pause(2)
    }
    for (let i = 0; i < 25; i++) {
      writer.set('image-' + i, 'x'.repeat(100_000))
      await pause(1)
    }
    await book.none()
    assert.deepEqual([...writer.closes, ...other.closes], [])
  })

  test('one update larger than an outbox reaches everybody, and nobody is slow for it', async t => {
    const server = await Server.start({ 'max-outbox-bytes': '1MiB' }, t)
    const clients = ['writer', 'one', 'two'].map(sub => Client.open(t, server, 'one-large', { sub }))
    for (const client of clients) await client.synced()
    clients[0].set('image', 'x'.repeat(3_000_000))
    for (const client of clients) await until(() => client.get('image')?.length === 3_000_000, 'the image')
    clients[1].set('later', 1)
    for (const client of clients) await client.sees('later', 1)
    assert.deepEqual(clients.flatMap(client => client.closes), [])
  })

  test('who sends too many messages is read more slowly, and nothing else', async t => {
    const server = await Server.start({}, t)
    const other = await Client.open(t, server, 'rate', { sub: 'other' }).synced()
    const raw = await Raw.open(t, server, 'rate', { sub: 'eager' })
    const begun = performance.now()
    for (let i = 0; i < 2_000; i++) raw.send(messages.step1())
    const witness = await Client.open(t, server, 'rate', { sub: 'witness' }).synced()
    other.set('meanwhile', 1)
    await witness.sees('meanwhile', 1, 1_000)
    await until(() => raw.all('step2').length === 2_000, () => `2,000 answers, got ${raw.all('step2').length}`)
    const took = performance.now() - begun
    // 1,000 at once, the others at 300 a second.
    assert.ok(took > 2_500, `took ${took} ms`)
    assert.equal(raw.close, null)
  })

  test('an expired token ends the session, leeway included', async t => {
    const server = await Server.start({}, t)
    const raw = await Raw.open(t, server, 'expiry', { token: tokenFor('expiry', { exp: seconds(-27) }) })
    const close = await raw.closed()
    assert.equal(close.code, 4001)
    assert.ok(close.at - raw.begun > 500, 'closed before the leeway ended')
  })
})

describe('refused clients that come again', () => {
  let server
  before(async () => { server = await Server.start() })
  after(() => server.dispose())

  test('an address that is refused repeatedly is held for 1, 2, then 4 s, and others are not', async t => {
    const localAddress = freshAddress()
    for (const [least, most] of [[0, 900], [900, 2_500], [1_900, 4_500], [3_900, 8_500]]) {
      const raw = await refused(t, server, { token: null, localAddress }, 4001, 12_000)
      const took = raw.close.at - raw.begun
      assert.ok(took >= least && took <= most, `held for ${took} ms, not ${least} to ${most}`)
    }
    const other = await refused(t, server, { token: null }, 4001)
    assert.ok(other.close.at - other.begun < 900)
    await Raw.open(t, server, 'held', { localAddress })
  })
})

describe('stock providers that are refused', { concurrency: true }, () => {
  test('y-websocket 3.1 stops for good where the codes mirror HTTP', async t => {
    const server = await Server.start({ 'close-codes': 'mirror' }, t)
    const client = new Client(server, 'stop', { token: null, connect: false, localAddress: freshAddress() })
    t.after(() => client.destroy())
    let closed = null
    client.provider.on('closed', event => { closed = event })
    client.connect()
    await until(() => closed, 'the event closed')
    assert.equal(closed.code, 4401)
    assert.ok(closed.reason.length > 0)
    assert.equal(client.provider.shouldConnect, false)
    assert.equal(client.denials.length, 1)
  })

  test('y-websocket 3.1 comes back after a restart where the codes mirror HTTP', async t => {
    const server = await Server.start({ 'close-codes': 'mirror' }, t)
    const client = await Client.open(t, server, 'restart').synced()
    await server.stop()
    await until(() => client.closes.length > 0, 'the close')
    assert.equal(client.closes[0].code, 4503)
    await server.up()
    await client.synced()
  })

  for (const provider of ALL) {
    test(`${provider} is told why, and is slowed down where it retries for ever`, async t => {
      const server = await Server.start({}, t)
      const client = Client.open(t, server, 'retry', { provider, token: null, localAddress: freshAddress() })
      await until(() => client.closes.length >= 2, 'the second refusal')
      assert.ok(client.denials.length >= 1)
      assert.deepEqual([...new Set(client.closes.map(close => close.code))], [4001])
      await pause(3_000)
      assert.ok(client.closes.length <= 4, `${client.closes.length} attempts`)
      assert.equal(client.provider.synced, false)
      // With a good token in its place the same provider gets in, without being made anew.
      client.provider.params = { token: tokenFor('retry') }
      await client.synced()
    })
  }
})
