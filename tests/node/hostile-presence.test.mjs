// Promise: whatever bytes a client sends as presence, the server lives, stock clients of others do not throw,
// and honest presence goes on.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import { Client } from './support/clients.mjs'
import { PlainRandom, mutate, survived, watchThrows } from './support/hostile.mjs'
import { Raw, messages } from './support/raw.mjs'
import { SEED } from './support/random.mjs'
import { Server } from './support/server.mjs'
import { until } from './support/wait.mjs'

describe(`hostile presence (BOARDWIRE_SEED=${SEED})`, () => {
  let server
  before(async () => { server = await Server.start() })
  after(() => server.dispose())

  test('states that are no JSON, ids and clocks out of range, and mutants', async t => {
    const random = new PlainRandom(SEED + 10)
    const observers = ['y-websocket 2.1', 'y-websocket 3.1', '@y/websocket 4 rc'].map((provider, i) => Client.open(t, server, 'awareness', { provider, sub: 'honest-' + i }))
    for (const [i, observer] of observers.entries()) {
      await observer.synced()
      observer.awareness.setLocalStateField('user', { name: 'honest-' + i })
    }
    const thrown = watchThrows(t)
    const states = ['', 'undefined', '{', '{"a":1}x', 'NaN', '"text"', '5', 'true', '[]', '{"__proto__":{"x":1}}', '{"user":null}', '\u0000', '{"a":"\ud800"}']
    const entries = [
      ...states.map((state, i) => ({ id: 1_000 + i, clock: 1, state })),
      ...[0, 2 ** 31, 2 ** 32, 2 ** 52, 2 ** 53 - 1].map(id => ({ id, clock: 1, state: { n: id } })),
      ...[0, 2 ** 31, 2 ** 53 - 1].map(clock => ({ id: 2_000, clock, state: { n: clock } }))
    ]
    for (const entry of entries) {
      const raw = await Raw.open(t, server, 'awareness', { sub: 'hostile' })
      await survived(raw, [messages.awareness([entry])])
      raw.socket.terminate()
    }
    let raw = await Raw.open(t, server, 'awareness', { sub: 'hostile' })
    for (let mutant = 0; mutant < 300; mutant++) {
      if (raw.close !== null || random.chance(0.1)) raw = await Raw.open(t, server, 'awareness', { sub: 'hostile' })
      const message = messages.awareness([{ id: 3_000 + random.below(5), clock: mutant, state: { user: { name: random.word() } } }])
      await survived(raw, [mutate(message, message, random)])
      assert.deepEqual(thrown, [])
    }
    const late = Client.open(t, server, 'awareness', { sub: 'late' })
    for (const [i, observer] of observers.entries()) {
      observer.awareness.setLocalStateField('user', { name: 'still-' + i })
      for (const other of [...observers, late]) await until(() => other.userSeen(observer.clientID) === 'still-' + i, () => `${other.name} to see ${observer.name}`)
    }
    assert.deepEqual(thrown, [])
  })

  test('a state nested so deep that browsers overflow their stacks over it is not shown', async t => {
    const observers = ['y-websocket 2.1', '@y/websocket 4 rc'].map(provider => Client.open(t, server, 'nested', { provider, sub: 'honest' }))
    for (const observer of observers) await observer.synced()
    const thrown = watchThrows(t)
    for (const [i, state] of ['['.repeat(8_000) + ']'.repeat(8_000), '{"a":'.repeat(2_500) + '1' + '}'.repeat(2_500)].entries()) {
      const raw = await Raw.open(t, server, 'nested', { sub: 'hostile' })
      await survived(raw, [messages.awareness([{ id: 1 + i, clock: 1, state }])])
      const mark = await Raw.open(t, server, 'nested', { sub: 'mark-' + i })
      mark.send(messages.awareness([{ id: 10 + i, clock: 1, state: { user: { name: 'mark' } } }]))
      for (const observer of observers) await until(() => observer.userSeen(10 + i) === 'mark', () => `the mark; thrown: ${thrown.map(stack => stack.slice(0, 60))}`)
    }
    assert.deepEqual(thrown.map(stack => stack.slice(0, 60)), [])
  })
})
