// Promise: names and colours of those connected are seen, go at once when they leave, come back at once when
// they return, and cannot be forged.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import { Api } from './support/api.mjs'
import { ALL, Client } from './support/clients.mjs'
import { Raw, messages } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { pause, until } from './support/wait.mjs'

const user = (name, color = '#ff0000') => ({ name, color })

// Two stock clients that see each other's user.
async function pair (t, server, board, provider) {
  const [ann, ben] = ['ann', 'ben'].map(sub => {
    const client = Client.open(t, server, board, { provider, sub })
    client.awareness.setLocalStateField('user', user(sub))
    return client
  })
  await until(() => ann.userSeen(ben.clientID) === 'ben' && ben.userSeen(ann.clientID) === 'ann', 'both users to be seen')
  return [ann, ben]
}

// How long `client` goes on seeing `id` as `name`, or not seeing it.
const seenWithin = async (client, id, name, deadlineMs) => {
  const begun = performance.now()
  await until(() => client.userSeen(id) === name, () => `${name} to be seen; states: ${JSON.stringify([...client.awareness.getStates()])}`, 10_000)
  const took = performance.now() - begun
  assert.ok(took < deadlineMs, `it took ${took} ms, more than ${deadlineMs}`)
}

// A raw client that has claimed `id` with `state`.
async function claimed (t, server, board, sub, id, state, clock = 1) {
  const raw = await Raw.open(t, server, board, { sub })
  raw.send(messages.awareness([{ id, clock, state }]))
  await raw.settled()
  return raw
}

describe('presence', () => {
  let server
  before(async () => { server = await Server.start() })
  after(() => server.dispose())

  for (const [i, provider] of ALL.entries()) {
    test(`${provider}: users see each other, their changes, and those who were there before`, async t => {
      const [ann, ben] = await pair(t, server, 'both-' + i, provider)
      ann.awareness.setLocalStateField('cursor', { x: 1, y: 2 })
      await until(() => ben.awareness.getStates().get(ann.clientID).cursor?.y === 2, 'the cursor')
      const late = Client.open(t, server, 'both-' + i, { provider: ALL[(i + 1) % 4], sub: 'late' })
      await until(() => late.userSeen(ann.clientID) === 'ann' && late.userSeen(ben.clientID) === 'ben', 'both at the late joiner')
      assert.equal(late.awareness.getStates().get(ann.clientID).user.color, '#ff0000')
    })

    test(`${provider}: who disconnects is gone at once`, async t => {
      const [ann, ben] = await pair(t, server, 'leave-' + i, provider)
      ann.disconnect()
      await seenWithin(ben, ann.clientID, undefined, 1_000)
    })

    test(`${provider}: who is killed is gone at once`, async t => {
      const [ann, ben] = await pair(t, server, 'killed-' + i, provider)
      ann.vanish()
      await seenWithin(ben, ann.clientID, undefined, 1_000)
    })

    test(`${provider}: who lost the connection is visible again within a second of the return`, async t => {
      const [ann, ben] = await pair(t, server, 'cut-' + i, provider)
      ann.cut()
      await until(() => ben.userSeen(ann.clientID) === undefined, 'the removal')
      await until(() => ann.provider.wsconnected, 'the reconnect')
      await seenWithin(ben, ann.clientID, 'ann', 1_000)
      await seenWithin(ann, ben.clientID, 'ben', 1_000)
    })

    test(`${provider}: who went offline on purpose is visible again within a second of the return`, async t => {
      const [ann, ben] = await pair(t, server, 'return-' + i, provider)
      ann.disconnect()
      await until(() => ben.userSeen(ann.clientID) === undefined, 'the removal')
      ann.connect()
      await until(() => ann.provider.wsconnected, 'the reconnect')
      await seenWithin(ben, ann.clientID, 'ann', 1_000)
      await seenWithin(ann, ben.clientID, 'ben', 1_000)
    })

    test(`${provider}: on a connection that comes and goes, each return is seen, and sees the others soon`, async t => {
      const [ann, ben] = await pair(t, server, 'flapping-' + i, provider)
      for (let round = 0; round < 4; round++) {
        ann.disconnect()
        await until(() => ben.userSeen(ann.clientID) === undefined, 'the removal')
        ann.connect()
        await until(() => ann.provider.wsconnected, 'the reconnect')
        await seenWithin(ben, ann.clientID, 'ann', 1_000)
      }
      await seenWithin(ann, ben.clientID, 'ben', 2_000)
    })
  }

  for (const [i, provider] of ALL.entries()) {
    test(`${provider}: tabs of one browser, joined past the server, come and go one by one`, async t => {
      const ben = Client.open(t, server, 'browser-' + i, { sub: 'ben' })
      const tabs = [1, 2, 3].map(n => {
        const tab = Client.open(t, server, 'browser-' + i, { provider, sub: 'ann', tabs: true })
        tab.awareness.setLocalStateField('user', user('tab ' + n))
        return tab
      })
      await until(() => tabs.every((tab, n) => ben.userSeen(tab.clientID) === `tab ${n + 1}`), 'all tabs to be seen')
      tabs[0].set('from', 'a tab')
      await ben.sees('from', 'a tab')
      tabs[0].disconnect()
      await seenWithin(ben, tabs[0].clientID, undefined, 1_000)
      tabs[1].vanish()
      await seenWithin(ben, tabs[1].clientID, undefined, 1_000)
      assert.equal(ben.userSeen(tabs[2].clientID), 'tab 3')
      tabs[2].awareness.setLocalStateField('user', user('the last tab'))
      await seenWithin(ben, tabs[2].clientID, 'the last tab', 1_000)
    })
  }

  test('a null state hides a user who stays connected, and a new one shows it', async t => {
    const [ann, ben] = await pair(t, server, 'null', ALL[2])
    ann.awareness.setLocalState(null)
    await seenWithin(ben, ann.clientID, undefined, 1_000)
    ann.awareness.setLocalState({ user: user('ann again') })
    await seenWithin(ben, ann.clientID, 'ann again', 1_000)
  })

  test('query awareness is answered with all states', async t => {
    const [ann, ben] = await pair(t, server, 'query', ALL[0])
    const raw = await Raw.open(t, server, 'query', { sub: 'carl' })
    await raw.settled()
    const from = raw.messages.length
    raw.send(messages.queryAwareness())
    const answer = await raw.next('awareness', { from })
    assert.deepEqual(answer.entries.map(({ id, state }) => [id, state.user.name]).sort(), [[ann.clientID, 'ann'], [ben.clientID, 'ben']].sort())
  })

  test('a joiner is told the states of others unasked, and nothing where there are none', async t => {
    const first = await Raw.open(t, server, 'unasked', { sub: 'ann' })
    await first.settled()
    assert.equal(first.all('awareness').length, 0)
    first.send(messages.awareness([{ id: 11, clock: 1, state: { user: user('ann') } }]))
    await first.settled()
    const second = await Raw.open(t, server, 'unasked', { sub: 'ben' })
    const told = await second.sawState(11, { user: user('ann') })
    assert.equal(told.entries.length, 1)
  })

  test('a state of another subject cannot be changed, removed or taken over', async t => {
    const ben = await Raw.open(t, server, 'forged', { sub: 'ben' })
    await claimed(t, server, 'forged', 'ann', 21, { n: 'ann' }, 5)
    await ben.sawState(21, { n: 'ann' })
    // Once after a claim of its own, once as the first message of a connection.
    const carl = await claimed(t, server, 'forged', 'carl', 22, { n: 'carl' })
    for (const state of [{ n: 'forged' }, null]) carl.send(messages.awareness([{ id: 21, clock: 9, state }]))
    const dora = await claimed(t, server, 'forged', 'dora', 21, { n: 'forged' }, 10)
    dora.send(messages.awareness([{ id: 21, clock: 11, state: null }]))
    await dora.settled()
    carl.send(messages.awareness([{ id: 22, clock: 2, state: { n: 'carl, later' } }]))
    await ben.sawState(22, { n: 'carl, later' })
    assert.deepEqual(ben.statesOf(21), ['{"n":"ann"}'])
    const late = await Raw.open(t, server, 'forged', { sub: 'late' })
    await late.sawState(21, { n: 'ann' })
    assert.equal(carl.close, null, 'foreign entries are normal traffic')
  })

  test('an id stays reserved to its subject after it left', async t => {
    const ben = await Raw.open(t, server, 'reserved', { sub: 'ben' })
    const ann = await claimed(t, server, 'reserved', 'ann', 31, { n: 'ann' })
    await ben.sawState(31, { n: 'ann' })
    ann.socket.terminate()
    await ben.sawState(31, null)
    await claimed(t, server, 'reserved', 'carl', 31, { n: 'forged' }, 50)
    await claimed(t, server, 'reserved', 'dora', 32, { n: 'dora' })
    await ben.sawState(32, { n: 'dora' })
    assert.equal(ben.statesOf(31).includes('{"n":"forged"}'), false)
    await claimed(t, server, 'reserved', 'ann', 31, { n: 'ann again' }, 60)
    await ben.sawState(31, { n: 'ann again' }, { deadlineMs: 1_000 })
  })

  test('a quick reconnect takes over the id before the old socket is known dead', async t => {
    const ben = await Raw.open(t, server, 'takeover', { sub: 'ben' })
    const old = await claimed(t, server, 'takeover', 'ann', 41, { n: 'ann' })
    await ben.sawState(41, { n: 'ann' })
    const fresh = await claimed(t, server, 'takeover', 'ann', 41, { n: 'ann' }, 1)
    const { connections } = await server.health()
    old.socket.terminate()
    await until(async () => (await server.health()).connections < connections, 'the old socket to be gone')
    fresh.send(messages.awareness([{ id: 41, clock: 100, state: { n: 'ann, moved' } }]))
    await ben.sawState(41, { n: 'ann, moved' })
    assert.equal(ben.statesOf(41).includes('null'), false, `states: ${ben.statesOf(41)}`)
    fresh.socket.terminate()
    await ben.sawState(41, null, { deadlineMs: 2_000 })
  })

  test('another tab of the same subject may relay a state, but does not own it', async t => {
    const ben = await Raw.open(t, server, 'tabs', { sub: 'ben' })
    const owner = await claimed(t, server, 'tabs', 'ann', 51, { n: 1 })
    const other = await claimed(t, server, 'tabs', 'ann', 52, { n: 2 })
    other.send(messages.awareness([{ id: 51, clock: 2, state: { n: 'relayed' } }]))
    await ben.sawState(51, { n: 'relayed' })
    other.socket.terminate()
    await ben.sawState(52, null)
    assert.equal(ben.statesOf(51).includes('null'), false)
    owner.socket.terminate()
    await ben.sawState(51, null)
  })

  for (const named of [true, false]) {
    test(`who returns after long is not handed what somebody else said under its id; ${named ? 'people with names' : 'people without'}`, async t => {
      const rooms = []
      for (const [i, provider] of ALL.entries()) {
        const board = `handed-${named}-${i}`
        const owner = Client.open(t, server, board, { sub: 'owner' })
        await owner.synced()
        await Api.user(server, 'owner').grant(board, 'public', 'edit')
        const who = named ? { sub: 'alice' } : { token: null }
        const alice = Client.open(t, server, board, { provider, ...who })
        alice.awareness.setLocalStateField('user', user('alice'))
        await until(() => owner.userSeen(alice.clientID) === 'alice', 'alice to be seen')
        alice.vanish()
        await until(() => owner.userSeen(alice.clientID) === undefined, 'alice to be gone')
        const taken = []
        alice.awareness.on('update', () => {
          const name = alice.awareness.getLocalState()?.user?.name
          if (name !== 'alice') taken.push(name)
        })
        rooms.push({ board, owner, alice, taken })
      }
      // There is nothing to wait for: she is away for longer than any reservation was.
      await pause(31_000)
      for (const { board, owner, alice, taken } of rooms) {
        const mallory = await Raw.open(t, server, board, { token: null })
        const shows = n => mallory.send(messages.awareness([{ id: alice.clientID, clock: 1_000 + n, state: { user: user('mallory'), n } }]))
        shows(0)
        await mallory.settled()
        alice.connect()
        for (let n = 1; n < 10; n++) {
          shows(n)
          await pause(20)
        }
        if (named) await seenWithin(owner, alice.clientID, 'alice', 1_000)
        mallory.socket.terminate()
        await seenWithin(owner, alice.clientID, 'alice', 1_000)
        assert.deepEqual(taken, [], `${alice.name} is not itself`)
        assert.equal(alice.awareness.getLocalState().user.name, 'alice')
      }
    })
  }

  test('what changes nothing is not broadcast', async t => {
    const ben = await Raw.open(t, server, 'same', { sub: 'ben' })
    const ann = await claimed(t, server, 'same', 'ann', 61, { n: 1 }, 7)
    await ben.sawState(61, { n: 1 })
    for (const clock of [7, 6, 0]) ann.send(messages.awareness([{ id: 61, clock, state: { n: 'older' } }]))
    await ann.settled()
    ann.send(messages.awareness([{ id: 61, clock: 8, state: { n: 2 } }]))
    await ben.sawState(61, { n: 2 })
    assert.deepEqual(ben.statesOf(61), ['{"n":1}', '{"n":2}'])
  })

  test('a clock far beyond what is known is ignored', async t => {
    const ben = await Raw.open(t, server, 'clocks', { sub: 'ben' })
    const ann = await claimed(t, server, 'clocks', 'ann', 71, { n: 1 }, 7)
    await ben.sawState(71, { n: 1 })
    ann.send(messages.awareness([{ id: 71, clock: 7 + 1_000_001, state: { n: 'beyond' } }]))
    ann.send(messages.awareness([{ id: 71, clock: 7 + 1_000_000, state: { n: 'edge' } }]))
    await ben.sawState(71, { n: 'edge' })
    assert.deepEqual(ben.statesOf(71), ['{"n":1}', '{"n":"edge"}'])
  })

  test('bursts are coalesced, and the last state arrives', async t => {
    const ben = await Raw.open(t, server, 'burst', { sub: 'ben' })
    const ann = await claimed(t, server, 'burst', 'ann', 81, { n: 0 })
    await ben.sawState(81, { n: 0 })
    const from = ben.all('awareness').length
    const begun = performance.now()
    let clock = 1
    while (performance.now() - begun < 1_000) {
      for (let i = 0; i < 8; i++) ann.send(messages.awareness([{ id: 81, clock: ++clock, state: { n: clock } }]))
      await pause(20)
    }
    await ben.sawState(81, { n: clock })
    const received = ben.all('awareness').slice(from)
    // At most one every 33 ms of sending; the clock of this process is not the server's, hence some slack.
    const most = (received.at(-1).at - begun) / 33 + 3
    assert.ok(received.length <= most, `${received.length} broadcasts in ${received.at(-1).at - begun} ms`)
    assert.ok(received.length >= 5, `only ${received.length} broadcasts`)
  })

  test('a state of 16 KiB is shown, a larger one is not', async t => {
    const ben = await Raw.open(t, server, 'size', { sub: 'ben' })
    const json = bytes => JSON.stringify({ n: 'x'.repeat(bytes - 8) })
    assert.equal(json(16_384).length, 16_384)
    const ann = await claimed(t, server, 'size', 'ann', 91, json(16_384))
    await ben.next('awareness', { accepts: message => message.entries.some(entry => entry.id === 91) })
    assert.equal(ben.statesOf(91)[0].length, 16_384)
    ann.send(messages.awareness([{ id: 91, clock: 2, state: json(16_385) }]))
    const carl = await claimed(t, server, 'size', 'carl', 92, { n: 'carl' })
    await carl.settled()
    await ben.sawState(92, { n: 'carl' })
    assert.equal(ben.statesOf(91).some(state => state.length > 16_384), false)
  })

  test('a connection speaks for eight ids at most', async t => {
    const ben = await Raw.open(t, server, 'ids', { sub: 'ben' })
    const ann = await claimed(t, server, 'ids', 'ann', 101, { n: 1 })
    for (let id = 102; id <= 120; id++) ann.send(messages.awareness([{ id, clock: 1, state: { n: id } }]))
    await ann.settled()
    const carl = await claimed(t, server, 'ids', 'carl', 99, { n: 'carl' })
    await carl.settled()
    await ben.sawState(99, { n: 'carl' })
    const shown = Array.from({ length: 20 }, (_, i) => 101 + i).filter(id => ben.statesOf(id).length > 0)
    assert.ok(shown.length >= 1 && shown.length <= 8, `${shown.length} ids shown`)
    ann.socket.terminate()
    for (const id of shown) await ben.sawState(id, null)
  })

  test('states that are sent back by others cost nobody a message', async t => {
    // Stock clients return every state they learn: n clients, n - 1 copies of each change.
    const clients = Array.from({ length: 6 }, (_, i) => Client.open(t, server, 'copies', { provider: ALL[i % 4], sub: 'user-' + i }))
    clients.forEach((client, i) => client.awareness.setLocalStateField('user', user('user-' + i)))
    await until(() => clients.every(client => client.awareness.getStates().size === 6), 'all to see all')
    const watcher = await Raw.open(t, server, 'copies', { sub: 'watcher' })
    await watcher.settled()
    const from = watcher.messages.length
    clients[0].awareness.setLocalStateField('cursor', 1)
    await watcher.next('awareness', { from, accepts: message => message.entries.some(entry => entry.state?.cursor === 1) })
    clients[0].awareness.setLocalStateField('cursor', 2)
    await watcher.next('awareness', { from, accepts: message => message.entries.some(entry => entry.state?.cursor === 2) })
    const entries = watcher.messages.slice(from).flatMap(message => message.entries ?? []).filter(entry => entry.id === clients[0].clientID)
    assert.ok(entries.length <= 2, JSON.stringify(entries))
  })
})
