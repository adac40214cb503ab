// Promise: a change of who may do what reaches every open connection within a second, and no connection
// outlives what let it in.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import { Api } from './support/api.mjs'
import { ALL, Client, freshAddress } from './support/clients.mjs'
import { Raw, Wire } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { mint, seconds, tokenFor } from './support/token.mjs'
import { pause, until } from './support/wait.mjs'

/** What "at once" means, from the call (or the instant of expiry) to the effect. */
const AT_ONCE_MS = 1_000

/** Of the server: how long a token is good after its `exp`. */
const LEEWAY_MS = 30_000

const plain = sub => mint({ sub })

// What lets a client in, how that is taken away, and with which status: of the close, and of the refusal when
// it returns. `enter` gives the client's credentials and `revoke`, which resolves to the instant (of
// Date.now) from which it counts.
const now = act => async () => {
  const begun = Date.now()
  await act()
  return begun
}
const at = instant => async () => instant
const ENDS = [
  ['the user\'s grant is removed', 4003, 4003, async (owner, board) => {
    await owner.grant(board, 'users/guest', 'edit')
    return { token: plain('guest'), revoke: now(() => owner.ungrant(board, 'users/guest')) }
  }],
  ['the team\'s grant is removed', 4003, 4003, async (owner, board) => {
    await owner.grant(board, 'teams/design', 'comment')
    return { token: mint({ sub: 'guest', teams: ['design'] }), revoke: now(() => owner.ungrant(board, 'teams/design')) }
  }],
  ['the public grant is removed under somebody with a token', 4003, 4003, async (owner, board) => {
    await owner.grant(board, 'public', 'edit')
    return { token: plain('guest'), revoke: now(() => owner.ungrant(board, 'public')) }
  }],
  ['the public grant is removed under an anonymous viewer', 4003, 4001, async (owner, board) => {
    await owner.grant(board, 'public', 'view')
    return { token: null, subject: 'anonymous', revoke: now(() => owner.ungrant(board, 'public')) }
  }],
  ['the share link is revoked', 4001, 4001, async (owner, board) => {
    const link = await owner.link(board, 'edit')
    return { token: null, params: { share: link.token }, subject: `link:${link.id}`, revoke: now(() => owner.unlink(board, link.id)) }
  }],
  ['the share link expires', 4001, 4001, async (owner, board) => {
    const link = await owner.link(board, 'view', 2)
    return { token: null, params: { share: link.token }, subject: `link:${link.id}`, revoke: at(Date.parse(link.expires_at)) }
  }],
  ['the API key is revoked', 4001, 4001, async (owner, board) => {
    const key = await owner.key(board, 'edit')
    return { token: null, params: { apiKey: key.key }, subject: `key:${key.id}`, revoke: now(() => owner.unkey(board, key.id)) }
  }],
  ['the token expires', 4001, 4001, async (owner, board) => {
    const exp = seconds(-28)
    return { token: tokenFor(board, { sub: 'guest', exp }), revoke: at(exp * 1000 + LEEWAY_MS) }
  }],
  ['the link of somebody whose token gives nothing is revoked', 4001, 4001, async (owner, board) => {
    const link = await owner.link(board, 'view')
    return { token: plain('guest'), params: { share: link.token }, revoke: now(() => owner.unlink(board, link.id)) }
  }],
  ['the board is given away under its owner', 4003, 4003, async (owner, board) =>
    ({ token: plain('owner'), subject: 'user:owner', revoke: now(() => owner.update(board, { owner: 'heir' })) })],
  ['the board is deleted', 4004, 4004, async (owner, board) => {
    await owner.grant(board, 'users/guest', 'view')
    return { token: plain('guest'), revoke: now(() => owner.remove(board)) }
  }]
]

// What lets a client edit, and how that is lowered to a level that something else still gives.
const LOWERINGS = [
  ['its grant is lowered to view', 'view', async (owner, board) => {
    await owner.grant(board, 'users/guest', 'edit')
    return { token: plain('guest'), revoke: now(() => owner.grant(board, 'users/guest', 'view')) }
  }],
  ['its grant is lowered to comment', 'comment', async (owner, board) => {
    await owner.grant(board, 'users/guest', 'edit')
    return { token: plain('guest'), revoke: now(() => owner.grant(board, 'users/guest', 'comment')) }
  }],
  ['its grant is removed where the public may view', 'view', async (owner, board) => {
    await owner.grant(board, 'users/guest', 'edit')
    await owner.grant(board, 'public', 'view')
    return { token: plain('guest'), revoke: now(() => owner.ungrant(board, 'users/guest')) }
  }],
  ['its link is revoked where the public may comment', 'comment', async (owner, board) => {
    await owner.grant(board, 'public', 'comment')
    const link = await owner.link(board, 'edit')
    return { token: null, params: { share: link.token }, revoke: now(() => owner.unlink(board, link.id)) }
  }],
  ['its link is revoked where its user has a grant', 'view', async (owner, board) => {
    await owner.grant(board, 'users/guest', 'view')
    const link = await owner.link(board, 'edit')
    return { token: plain('guest'), params: { share: link.token }, revoke: now(() => owner.unlink(board, link.id)) }
  }],
  ['its key is revoked where it has a link too', 'view', async (owner, board) => {
    const [key, link] = [await owner.key(board, 'edit'), await owner.link(board, 'view')]
    return { token: null, params: { apiKey: key.key, share: link.token }, revoke: now(() => owner.unkey(board, key.id)) }
  }],
  ['its token expires where it has a link too', 'view', async (owner, board) => {
    const [exp, link] = [seconds(-28), await owner.link(board, 'view')]
    return { token: tokenFor(board, { sub: 'guest', exp }), params: { share: link.token }, revoke: at(exp * 1000 + LEEWAY_MS) }
  }],
  ['the board is given away, and its team may view', 'view', async (owner, board) => {
    await owner.grant(board, 'teams/design', 'view')
    return { token: mint({ sub: 'owner', teams: ['design'] }), revoke: now(() => owner.update(board, { owner: 'heir' })) }
  }]
]

const CONVENTIONS = { plain: code => code, mirror: code => code + 400 }
let boards = 0

// A board of `owner` with somebody on it who stays: `witness` owns nothing, and edits by the claim of a
// token.
async function board (t, server) {
  const id = `live-${boards++}`
  const owner = Api.user(server, 'owner')
  await owner.create(id)
  const witness = await Client.open(t, server, id, { sub: 'witness' }).synced()
  return { id, owner, witness }
}

async function enter (t, server, id, provider, { token, params }) {
  const client = Client.open(t, server, id, { provider, token, params, localAddress: freshAddress() })
  return client.synced()
}

// Checks that something happened at once, and prints how fast.
function atOnce (t, what, since, happened = Date.now()) {
  t.diagnostic(`${what} after ${happened - since} ms`)
  assert.ok(happened >= since, `${what} ${since - happened} ms too early`)
  assert.ok(happened - since < AT_ONCE_MS, `${what} after ${happened - since} ms`)
}

// The instant of Date.now at which a client was closed.
const closedAt = close => Date.now() - (performance.now() - close.at)

for (const convention of Object.keys(CONVENTIONS)) {
  const code = CONVENTIONS[convention]
  describe(`with --close-codes=${convention}, who has no level left is closed`, { concurrency: 6 }, () => {
    let server
    before(async () => { server = await Server.start({ 'close-codes': convention }) })
    after(() => server.dispose())

    // In the other convention one provider that obeys it, and one that does not.
    for (const provider of convention === 'plain' ? ALL : ['y-websocket 2.1', 'y-websocket 3.1']) {
      for (const [what, closed, refused, prepare] of ENDS) {
        test(`${provider}, when ${what}: ${code(closed)}, then ${code(refused)}`, async t => {
          const { id, owner, witness } = await board(t, server)
          const { revoke, subject = 'user:guest', ...credentials } = await prepare(owner, id)
          const client = await enter(t, server, id, provider, credentials)
          const since = await revoke()
          await until(() => client.closes.length > 0, () => `the close; the level is ${client.denials}`)
          atOnce(t, 'closed', since, closedAt(client.closes[0]))
          assert.equal(client.closes[0].code, code(closed))
          assert.ok(client.closes[0].reason.length > 0)
          if (convention === 'mirror' && provider === 'y-websocket 3.1') {
            assert.equal(client.ended?.code, code(closed))
            assert.equal(client.provider.shouldConnect, false)
            await pause(400)
            assert.equal(client.provider.ws, null)
            assert.equal(client.closes.length, 1)
          } else {
            // It returns by itself, is told why it may not, and is not in.
            await until(() => client.closes.length > 1, 'the refusal')
            assert.equal(client.closes[1].code, code(refused))
            assert.deepEqual(client.denials.slice(0, 1), [client.closes[1].reason])
            assert.equal(client.ended, null)
          }
          assert.equal(client.provider.synced, false)
          client.set('late', 1)
          if (closed === 4004) return
          assert.deepEqual(witness.closes, [])
          witness.set('after', 1)
          const present = await Api.admin(server).presence(id)
          assert.deepEqual(present.filter(one => one.subject === subject), [])
          assert.equal(witness.get('late'), undefined)
          assert.equal(client.get('after'), undefined)
        })
      }
    }
  })
}

describe('who still has a level is demoted and promoted where it is', { concurrency: 6 }, () => {
  let server
  before(async () => { server = await Server.start() })
  after(() => server.dispose())

  for (const provider of ALL) {
    for (const [what, level, prepare] of LOWERINGS) {
      test(`${provider}, when ${what}`, async t => {
        const { id, owner, witness } = await board(t, server)
        const { revoke, ...credentials } = await prepare(owner, id)
        const client = await enter(t, server, id, provider, credentials)
        const others = witness.clientID
        const levels = async () => (await Api.admin(server).presence(id)).filter(one => one.subject !== 'user:witness').map(one => one.level)
        client.set('before', 1)
        await witness.sees('before', 1)
        assert.deepEqual(await levels(), ['edit'])

        const since = await revoke()
        await until(async () => (await levels())[0] === level, 'the lower level')
        atOnce(t, 'demoted', since)
        assert.deepEqual(client.denials, [])
        client.set('forbidden', 1)
        await until(() => client.denials.length > 0, 'the auth message')
        assert.ok(client.denials[0].length > 0)
        // It still receives, and what it wrote reaches nobody.
        witness.set('meanwhile', 1)
        await client.sees('meanwhile', 1)
        assert.equal(witness.get('forbidden'), undefined)
        const late = await Client.open(t, server, id, { sub: 'witness' }).synced()
        assert.equal(late.get('forbidden'), undefined)

        const raised = Date.now()
        await Api.admin(server).grant(id, 'public', 'edit')
        await witness.sees('forbidden', 1)
        atOnce(t, 'promoted, and its edits with the others', raised)
        client.set('again', 1)
        await witness.sees('again', 1)
        assert.deepEqual(client.closes, [], 'the connection has stayed')
        assert.equal(witness.clientID, others)
        assert.deepEqual(witness.closes, [])
      })
    }
  }

  test('a raised connection is sent step 1, a lowered one nothing, and one that stays what it was nothing', async t => {
    const { id, owner } = await board(t, server)
    await owner.grant(id, 'users/guest', 'view')
    const guest = await Raw.open(t, server, id, { token: plain('guest'), level: 'view' })
    const other = await Raw.open(t, server, id, { token: tokenFor(id, { sub: 'other' }) })
    await owner.grant(id, 'users/guest', 'edit')
    await guest.next('step1')
    await owner.grant(id, 'users/guest', 'comment')
    await until(async () => (await owner.presence(id)).some(one => one.subject === 'user:guest' && one.level === 'comment'), 'the lower level')
    await guest.settled()
    await other.settled()
    assert.equal(guest.all('step1').length, 1)
    assert.equal(other.all('step1').length, 1)
    assert.deepEqual([...guest.all('auth'), ...other.all('auth')], [])
  })
})

describe('everybody on a board', () => {
  test('is closed with 4004 when it is deleted while all of them write', async t => {
    const server = await Server.start({}, t)
    const { id, owner, witness } = await board(t, server)
    const link = await owner.link(id, 'edit')
    const key = await owner.key(id, 'edit')
    await owner.grant(id, 'public', 'view')
    const clients = [witness]
    for (const provider of ALL) {
      for (const credentials of [
        { token: plain('owner') }, { token: tokenFor(id, { sub: 'claimant' }) }, { token: null },
        { token: null, params: { share: link.token } }, { token: null, params: { apiKey: key.key } }
      ]) clients.push(await enter(t, server, id, provider, credentials))
    }
    let n = 0
    const writing = setInterval(() => { for (const client of clients) client.set(`key-${n++ % 50}`, n) }, 5)
    t.after(() => clearInterval(writing))
    await until(() => n > 500, 'some edits')
    const since = Date.now()
    await owner.remove(id)
    await until(() => clients.every(client => client.closes.length > 0), 'all closes')
    atOnce(t, 'the last of them closed', since, Math.max(...clients.map(client => closedAt(client.closes[0]))))
    assert.deepEqual([...new Set(clients.map(client => client.closes[0].code))], [4004])
    assert.equal((await owner.call('GET', `/v1/boards/${id}`)).status, 410)
    assert.equal((await owner.call('GET', `/v1/boards/${id}/document`)).status, 410)
    // They return, and go on writing: it stays deleted.
    await until(() => clients.every(client => client.closes.length > 1), 'all refusals')
    // Without a token nobody learns that there was a board; with a link or key that is no more, neither.
    assert.deepEqual([...new Set(clients.map(client => client.closes[1].code))].sort(), [4001, 4004])
    assert.equal((await owner.call('GET', `/v1/boards/${id}`)).status, 410)
    assert.equal((await server.health()).connections, 0)
  })

  test('stays, but for whom a change concerns', async t => {
    const server = await Server.start({}, t)
    const { id, owner } = await board(t, server)
    const rows = []
    for (let i = 0; i < 20; i++) {
      const link = await owner.link(id, 'edit')
      rows.push({ link, raw: await Raw.open(t, server, id, { token: null, params: { share: link.token } }) })
    }
    const gone = rows.filter((_, i) => i % 3 === 0)
    const since = Date.now()
    await Promise.all(gone.map(({ link }) => owner.unlink(id, link.id)))
    await until(() => gone.every(({ raw }) => raw.close !== null), 'the closes')
    atOnce(t, 'the last of them closed', since)
    for (const { raw } of rows) if (raw.close === null) await raw.settled()
    assert.deepEqual(rows.map(({ raw }) => raw.close?.code), rows.map((row) => gone.includes(row) ? 4001 : undefined))
  })

  test('has what was answered before the server is killed, and nothing that was taken away', async t => {
    const server = await Server.start({}, t)
    const { id, owner } = await board(t, server)
    const links = [await owner.link(id, 'edit'), await owner.link(id, 'edit')]
    const keys = [await owner.key(id, 'edit'), await owner.key(id, 'edit')]
    for (const sub of ['kept', 'gone']) await owner.grant(id, `users/${sub}`, 'edit')
    await Promise.all([owner.unlink(id, links[1].id), owner.unkey(id, keys[1].id), owner.ungrant(id, 'users/gone')])
    await server.kill()
    await server.up()
    for (const [kept, gone, code] of [
      [{ token: plain('kept') }, { token: plain('gone') }, 4003],
      [{ token: null, params: { share: links[0].token } }, { token: null, params: { share: links[1].token } }, 4001],
      [{ token: null, params: { apiKey: keys[0].key } }, { token: null, params: { apiKey: keys[1].key } }, 4001]
    ]) {
      await Raw.open(t, server, id, kept)
      assert.equal((await Raw.dial(t, server, id, { ...gone, localAddress: freshAddress() }).closed()).code, code)
    }
  })

  test('who does not read is as little there as who does', async t => {
    const server = await Server.start({}, t)
    const { id, owner, witness } = await board(t, server)
    await owner.grant(id, 'users/deaf', 'edit')
    const deaf = await Wire.open(t, server, id, { token: plain('deaf') })
    const there = async () => (await owner.presence(id)).some(one => one.subject === 'user:deaf')
    await until(there, 'the connection')
    deaf.socket.pause()
    // More than the kernel takes on the way.
    const noise = 'x'.repeat(200_000)
    for (let i = 0; i < 30; i++) witness.set('noise', i + noise)
    await witness.synced()
    const since = Date.now()
    await owner.ungrant(id, 'users/deaf')
    await until(async () => !await there(), 'its end')
    atOnce(t, 'gone', since)
  })
})
