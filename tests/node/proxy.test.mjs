// Promise: behind a proxy that is named as trusted, limits and refusals count for the address that it
// forwards, and for nobody else's; a header that anybody could have written counts for nothing.
import { test, describe } from 'node:test'
import assert from 'node:assert/strict'
import { Api } from './support/api.mjs'
import { freshAddress } from './support/clients.mjs'
import { Raw } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { pause, until } from './support/wait.mjs'

/** Of the server: refusals held at a time. */
const HELD_MAX = 1_000

/** Clients of a test dial from 127.0.0.1 unless they say otherwise: that is the proxy. */
const PROXY = { 'trusted-proxy': ['127.0.0.1', '10.0.0.0/8'] }

const from = forwarded => ({ headers: { 'X-Forwarded-For': forwarded } })

// The codes that a client is refused for want of a place with: of the close, or of plain HTTP.
const isFull = raw => raw.close?.code === 1013 || raw.status === 429

// Whether a connection gets a place.
async function gets (t, server, forwarded, options = {}) {
  const raw = Raw.dial(t, server, 'board', { ...from(forwarded), ...options })
  await until(() => raw.all('step1').length > 0 || raw.close, 'the upgrade')
  if (raw.close !== null) assert.ok(isFull(raw), JSON.stringify(raw.close))
  return { raw, place: raw.close === null }
}

// How many seconds each of `count` refused clients, dialled one after another, was held.
async function holds (t, server, count, options) {
  const raws = []
  for (let i = 0; i < count; i++) {
    const raw = Raw.dial(t, server, 'board', { token: null, ...(typeof options === 'function' ? options(i) : options) })
    raws.push(raw)
    // Its turn is when it is told; what comes after is the hold.
    await raw.next('auth')
  }
  await Promise.all(raws.map(raw => raw.closed(20_000)))
  for (const raw of raws) assert.equal(raw.close.code, 4001)
  return raws.map(raw => (raw.close.at - raw.all('auth')[0].at) / 1_000)
}

// Holds may be longer by what a busy machine takes, and never shorter.
function assertHeld (held, expected) {
  const fits = held.length === expected.length && expected.every((least, i) => held[i] >= least - 0.05 && held[i] < least + 0.9)
  assert.ok(fits, `held for ${held.map(seconds => seconds.toFixed(2))} s, not ${expected}`)
}

describe('connections of one address', { concurrency: true }, () => {
  test('are counted for the address that the proxy forwards', async t => {
    const server = await Server.start({ ...PROXY, 'max-connections-per-address': 2 }, t)
    const [first, second] = [await gets(t, server, '203.0.113.7'), await gets(t, server, '203.0.113.7')]
    assert.deepEqual([first.place, second.place], [true, true])
    const third = await gets(t, server, '203.0.113.7')
    assert.equal(third.place, false)
    assert.ok(third.raw.all('auth')[0].reason.length > 0)
    assert.ok(third.raw.close.reason.length > 0)
    for (const other of ['203.0.113.8', '2001:db8::7']) assert.equal((await gets(t, server, other)).place, true, other)
    // A place that is given back is there for the next.
    first.raw.socket.close()
    await until(async () => (await gets(t, server, '203.0.113.7')).place, 'the place')
  })

  for (const [what, forwarded, place] of [
    ['what the client wrote before it', '198.51.100.1, 203.0.113.7', false],
    ['the address behind other trusted proxies', '198.51.100.1, 203.0.113.7, 10.1.2.3, 127.0.0.1', false],
    ['the address with a port', '203.0.113.7:4711', false],
    ['the address mapped into IPv6', '::ffff:203.0.113.7', false],
    ['a list without spaces', '1.1.1.1,203.0.113.7', false],
    ['an address whose client wrote the full one', '203.0.113.7, 198.51.100.1', true],
    ['no address, so that it is the proxy', '203.0.113.7, unknown', true],
    ['nothing', '', true]
  ]) {
    test(`of "${forwarded}", which is ${what}: ${place ? 'another' : 'the same'}`, async t => {
      const server = await Server.start({ ...PROXY, 'max-connections-per-address': 1 }, t)
      assert.equal((await gets(t, server, '203.0.113.7')).place, true)
      assert.equal((await gets(t, server, forwarded)).place, place)
    })
  }

  test('are counted for the peer where the header is not the proxy\'s: not named, or another', async t => {
    const named = await Server.start({ ...PROXY, 'max-connections-per-address': 1 }, t)
    const unnamed = await Server.start({ 'max-connections-per-address': 1 }, t)
    for (const [server, options] of [[named, { localAddress: freshAddress() }], [unnamed, {}]]) {
      // The peer is on this machine, and exempt; the address it writes is not counted.
      for (let i = 0; i < 3; i++) assert.equal((await gets(t, server, '203.0.113.7', options)).place, true)
    }
  })

  test('are counted in all, and /health answers however many there are', async t => {
    const server = await Server.start({ ...PROXY, 'max-connections': 2 }, t)
    const kept = [await gets(t, server, '203.0.113.1'), await gets(t, server, '203.0.113.2')]
    assert.deepEqual(kept.map(({ place }) => place), [true, true])
    for (let i = 3; i < 40; i++) assert.equal((await gets(t, server, `203.0.113.${i}`)).place, false)
    for (const forwarded of ['203.0.113.1', '203.0.113.99']) {
      const answer = await new Api(server, from(forwarded)).call('GET', '/health')
      assert.equal(answer.status, 200)
      assert.deepEqual([answer.body.status, answer.body.connections], ['ok', 2])
    }
    assert.equal(kept.every(({ raw }) => raw.close === null), true)
  })
})

describe('repeated refusals', { concurrency: true }, () => {
  test('are held for 0, 1, 2, 4, 8 and again 8 s for the address that is forwarded, and for no other', async t => {
    const server = await Server.start(PROXY, t)
    const repeated = holds(t, server, 6, from('203.0.113.7'))
    const others = holds(t, server, 8, i => from(`198.51.100.${i}`))
    assertHeld(await others, Array(8).fill(0))
    // Who has a right is not held, whatever else comes from the address.
    assert.equal((await gets(t, server, '203.0.113.7')).place, true)
    assertHeld(await repeated, [0, 1, 2, 4, 8, 8])
  })

  test('are held for the peer where its header is not believed', async t => {
    const server = await Server.start(PROXY, t)
    const localAddress = freshAddress()
    assertHeld(await holds(t, server, 4, i => ({ ...from(`203.0.113.${i}`), localAddress })), [0, 1, 2, 4])
    const unnamed = await Server.start({}, t)
    assertHeld(await holds(t, unnamed, 3, i => from(`203.0.113.${i}`)), [0, 1, 2])
  })

  test('of want of a place are held too', async t => {
    const server = await Server.start({ ...PROXY, 'max-connections-per-address': 1 }, t)
    await gets(t, server, '203.0.113.7')
    const begun = performance.now()
    const raws = [0, 1].map(() => Raw.dial(t, server, 'board', from('203.0.113.7')))
    await Promise.all(raws.map(raw => raw.closed()))
    assert.deepEqual(raws.map(raw => raw.close.code), [1013, 1013])
    assert.ok(Math.max(...raws.map(raw => raw.close.at)) - begun >= 950)
  })

  test(`are held for ${HELD_MAX} at a time, and beyond that get the plain status`, async t => {
    const server = await Server.start(PROXY, t)
    const inside = await gets(t, server, '198.51.100.1')
    // The first few are held less long than all this takes.
    const raws = []
    for (let i = 0; i < HELD_MAX + 60; i++) {
      raws.push(Raw.dial(t, server, 'board', { token: null, ...from('203.0.113.7') }))
      if (i % 50 === 49) await until(() => raws.every(raw => raw.opened || raw.status !== null), 'the answers')
    }
    await until(() => raws.every(raw => raw.opened || raw.status !== null), 'the answers')
    const turned = raws.filter(raw => raw.status !== null)
    const held = raws.filter(raw => raw.opened && raw.close === null)
    t.diagnostic(`${held.length} held, ${turned.length} turned away`)
    assert.ok(held.length <= HELD_MAX, `${held.length} are held`)
    assert.ok(turned.length >= 50 && turned.length <= 60, `${turned.length} are turned away`)
    assert.deepEqual([...new Set(turned.map(raw => raw.status))], [401])
    // Nobody else suffers.
    assert.equal((await server.health()).status, 'ok')
    assert.equal((await gets(t, server, '198.51.100.2')).place, true)
    await inside.raw.settled()
    for (const raw of raws) raw.socket.terminate()
    // Their places are free again, at the latest when their time is over.
    await until(async () => {
      const raw = Raw.dial(t, server, 'board', { token: null, ...from('198.51.100.3') })
      await until(() => raw.opened || raw.close, 'the upgrade')
      const wasHeld = raw.opened
      raw.socket.terminate()
      if (!wasHeld) await pause(200)
      return wasHeld
    }, 'a place among the held', 20_000)
  })
})

describe('the audit log', () => {
  test('has the address that is forwarded, and the proxy\'s where none is', async t => {
    const server = await Server.start(PROXY, t)
    const owner = Api.user(server, 'owner', {}, from('198.51.100.1, 203.0.113.7'))
    await owner.create('audited')
    await Api.user(server, 'owner').update('audited', { title: 'x' })
    await Api.user(server, 'owner', {}, { ...from('203.0.113.7'), localAddress: '127.9.8.7' }).update('audited', { title: 'y' })
    const seen = (await owner.audit('audited')).filter(({ action }) => /create|update/.test(action)).map(({ action, address }) => [action, address])
    assert.deepEqual(seen, [['board.update', '127.9.8.7'], ['board.update', '127.0.0.1'], ['board.create', '203.0.113.7']])
  })
})
