// Promise: of two acts at the same moment one comes first: a board has one maker, a deleted one stays
// deleted, and what was taken away while somebody connects is taken away from them too.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import * as Y from 'yjs'
import { Api } from './support/api.mjs'
import { freshAddress } from './support/clients.mjs'
import { Raw, messages } from './support/raw.mjs'
import { Random, SEED } from './support/random.mjs'
import { Server } from './support/server.mjs'
import { adminToken, mint, tokenFor } from './support/token.mjs'
import { pause, until } from './support/wait.mjs'

/** Within this time every open connection knows of a change. */
const AT_ONCE_MS = 1_000

const random = new Random()
const jitter = (ms = 8) => pause(random.next() * ms)
const plain = (sub, claims = {}) => mint({ sub, ...claims })

// An update that sets `key`, as one session of a browser makes it.
function updateOf (key) {
  const doc = new Y.Doc()
  doc.getMap('map').set(key, true)
  const update = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return update
}

// The keys of the board's map.
function keysOf (state) {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, state)
  const keys = [...doc.getMap('map').keys()].sort()
  doc.destroy()
  return keys
}

// A connection that edits as soon as it is open, and what became of that in `raw.wrote`: the keys sent.
function writing (t, server, board, options) {
  const raw = Raw.dial(t, server, board, { localAddress: freshAddress(), ...options })
  raw.wrote = []
  raw.write = key => {
    if (raw.socket.readyState !== 1) return
    raw.wrote.push(key)
    raw.send(messages.update(updateOf(key)))
  }
  raw.socket.on('open', () => raw.write(`first of ${options.sub}`))
  return raw
}

// Waits until all that the connection sent was handled, or it was closed. The answer to a step 1 shows the
// first.
async function handled (raw) {
  await until(() => raw.opened || raw.close, 'the upgrade')
  if (raw.close === null) {
    const before = raw.all('step2').length
    raw.send(messages.step1())
    await until(() => raw.close || raw.all('step2').length > before, 'an answer')
  }
}

const times = (n, one) => Promise.all(Array.from({ length: n }, (_, i) => one(i)))

// With the default commit window acts wait for others and meet in one transaction; with a short one each has
// its own.
for (const window of ['50ms', '1ms']) describe(`races with --commit-window=${window} (BOARDWIRE_SEED=${SEED})`, () => {
  let server, admin
  before(async () => {
    server = await Server.start({ 'commit-window': window })
    admin = Api.admin(server)
  })
  after(() => server.dispose())

  const creators = async board => (await admin.audit(board)).filter(entry => entry.action === 'board.create').map(entry => entry.actor)

  test('a board that two make at once has one maker, and the other is told', async () => {
    await times(40, async i => {
      const board = `twice-${i}`
      const subs = ['ann', 'ben', 'cem'].slice(0, 2 + i % 2)
      const answers = await Promise.all(subs.map(async sub => {
        await jitter(4)
        return Api.user(server, sub).call('POST', '/v1/boards', { id: board, title: `by ${sub}` })
      }))
      assert.deepEqual(answers.map(answer => answer.status).sort(), [201, 409, 409].slice(0, subs.length))
      const winner = subs[answers.findIndex(answer => answer.status === 201)]
      for (const { status, body } of answers) if (status === 409) assert.equal(body.code, 'board_exists')
      const { owner, title } = await admin.board(board)
      assert.deepEqual([owner, title], [winner, `by ${winner}`])
      assert.deepEqual(await creators(board), [`user:${winner}`])
    })
  })

  test('a board made by POST and by connecting at once has one maker, and what the client wrote is there', async t => {
    const made = await times(40, async i => {
      const board = `mixed-${i}`
      const call = async () => {
        await jitter()
        return Api.user(server, 'poster').call('POST', '/v1/boards', { id: board })
      }
      const connect = async () => {
        await jitter()
        const raw = writing(t, server, board, { sub: 'joiner' })
        await handled(raw)
        return raw
      }
      const [answer, raw, other] = await Promise.all([call(), connect(), connect()])
      assert.ok([201, 409].includes(answer.status), `status ${answer.status}`)
      const maker = answer.status === 201 ? 'poster' : 'joiner'
      assert.equal((await admin.board(board)).owner, maker)
      assert.deepEqual(await creators(board), [`user:${maker}`])
      // Both may edit, by the claim of their token, whoever owns it.
      assert.deepEqual([raw.close, other.close], [null, null])
      assert.deepEqual(keysOf(await admin.document(board)), ['first of joiner'])
      return { board, maker, raw }
    })
    const makers = made.map(({ maker }) => maker)
    t.diagnostic(`made by POST: ${makers.filter(maker => maker === 'poster').length} of ${makers.length}`)
    // Nothing else comes to light once memory is gone.
    await server.stop()
    await server.up()
    await Promise.all(made.map(async ({ board, maker }) => {
      assert.equal((await admin.board(board)).owner, maker)
      assert.deepEqual(keysOf(await admin.document(board)), ['first of joiner'])
      const loser = maker === 'poster' ? 'joiner' : 'poster'
      assert.equal((await Api.user(server, loser).call('GET', `/v1/boards/${board}`)).status, 403)
    }))
  })

  test('a board deleted while some edit it, some connect and some make it stays deleted', async t => {
    const boards = await times(12, async i => {
      const board = `gone-${i}`
      const owner = Api.user(server, 'owner')
      await owner.create(board)
      const editors = [0, 1, 2].map(n => writing(t, server, board, { sub: `editor-${n}` }))
      for (const raw of editors) await handled(raw)
      let going = true
      t.after(() => { going = false })
      const busy = async () => {
        for (let n = 0; going; n++) {
          for (const raw of editors) raw.write(`key-${n % 20}`)
          await pause(2)
        }
      }
      const arriving = []
      const arrive = async () => {
        for (let n = 0; n < 6; n++) {
          arriving.push(writing(t, server, board, { sub: `late-${n}` }))
          await jitter(6)
        }
      }
      // Each of them answers as it does before, or as it does after.
      const meddle = async () => {
        await jitter(30)
        const answers = await Promise.all([
          Api.user(server, 'other').call('POST', '/v1/boards', { id: board }),
          owner.call('POST', `/v1/boards/${board}/document`, updateOf('posted')),
          owner.call('PUT', `/v1/boards/${board}/permissions/public`, { level: 'edit' }),
          owner.call('POST', `/v1/boards/${board}/links`, { level: 'edit' }),
          owner.call('PATCH', `/v1/boards/${board}`, { title: 'new' })
        ])
        const expected = [[409, 410], [204, 410], [200, 410], [201, 410], [200, 410]]
        answers.forEach(({ status, body }, n) => assert.ok(expected[n].includes(status), `${n}: ${status} ${JSON.stringify(body)}`))
      }
      const end = async () => {
        await jitter(30)
        // Two at once: one deletes it, the other finds it deleted.
        const answers = await Promise.all([owner.call('DELETE', `/v1/boards/${board}`), admin.call('DELETE', `/v1/boards/${board}`)])
        assert.deepEqual(answers.map(({ status }) => status).sort(), [204, 410])
        return Date.now()
      }
      const written = busy()
      const [deleted] = await Promise.all([end(), arrive(), meddle()])
      const all = [...editors, ...arriving]
      await until(() => all.every(raw => raw.close !== null), () => `${all.filter(raw => raw.close === null).length} of ${all.length} closes`)
      const took = Date.now() - deleted
      going = false
      await written
      assert.deepEqual([...new Set(all.map(raw => raw.close.code))], [4004])
      return { board, took }
    })
    t.diagnostic(`the last close came ${Math.max(...boards.map(({ took }) => took))} ms after the answer`)
    for (const { took } of boards) assert.ok(took < AT_ONCE_MS, `the last close came ${took} ms after the answer`)

    const stayDeleted = () => Promise.all(boards.map(async ({ board }) => {
      for (const [method, path, body] of [
        ['GET', ''], ['PATCH', '', { title: 'x' }], ['DELETE', ''], ['GET', '/document'], ['GET', '/permissions'], ['GET', '/links'], ['GET', '/keys'],
        ['GET', '/audit'], ['GET', '/presence'], ['PUT', '/permissions/users/x', { level: 'edit' }], ['POST', '/document', updateOf('again')]
      ]) {
        const { status } = await admin.call(method, `/v1/boards/${board}${path}`, body)
        assert.equal(status, 410, `${method} ${path}`)
      }
      const again = await Api.user(server, 'owner').call('POST', '/v1/boards', { id: board })
      assert.deepEqual([again.status, again.body.code], [410, 'board_deleted'])
      // A claim and an admin make a missing board, and not this one.
      for (const token of [tokenFor(board, { sub: 'owner' }), adminToken()]) {
        const raw = Raw.dial(t, server, board, { token, localAddress: freshAddress() })
        assert.equal((await raw.closed()).code, 4004)
      }
    }))
    await stayDeleted()
    const listed = async () => (await admin.all('/v1/boards')).filter(({ id }) => id.startsWith('gone-'))
    assert.deepEqual(await listed(), [])
    assert.equal((await server.health()).connections, 0)
    await server.kill()
    await server.up()
    await stayDeleted()
    assert.deepEqual(await listed(), [])
  })

  test('of grants set and removed at once, what is read back is what the open connection has', async t => {
    await times(25, async i => {
      const board = `grants-${i}`
      const owner = Api.user(server, 'owner')
      await owner.create(board)
      await owner.grant(board, 'public', 'view')
      const guest = await Raw.open(t, server, board, { token: plain('guest', { teams: ['crew'] }), level: 'view' })
      const acts = ['users/guest', 'users/guest', 'users/guest', 'teams/crew', 'teams/crew'].flatMap(whose => [
        async () => { await owner.grant(board, whose, random.of(['view', 'comment', 'edit'])) },
        async () => {
          const { status } = await owner.call('DELETE', `/v1/boards/${board}/permissions/${whose}`)
          assert.ok([204, 404].includes(status), `status ${status}`)
        }
      ])
      await Promise.all(acts.map(async act => {
        await jitter(20)
        await act()
      }))
      const since = Date.now()
      const grants = Object.values(await owner.grants(board))
      const level = ['edit', 'comment', 'view'].find(level => grants.includes(level))
      await until(async () => {
        const present = await owner.presence(board)
        return present.length === 1 && present[0].level === level
      }, () => `the level ${level}`)
      assert.ok(Date.now() - since < AT_ONCE_MS, `${Date.now() - since} ms`)
      // And it has it in fact.
      guest.send(messages.update(updateOf('guest was here')))
      await guest.settled()
      assert.deepEqual(keysOf(await owner.document(board)), level === 'edit' ? ['guest was here'] : [])
      assert.equal(guest.all('auth').length, level === 'edit' ? 0 : 1)
      assert.equal(guest.close, null)
    })
  })

  // What lets somebody in, what takes it away, and the codes with which the connection may end.
  const REVOKED = [
    ['a grant', async (owner, board) => {
      await owner.grant(board, 'users/guest', 'edit')
      return { credentials: { token: plain('guest') }, revoke: () => owner.ungrant(board, 'users/guest') }
    }, [4003]],
    ['a public grant', async (owner, board) => {
      await owner.grant(board, 'public', 'edit')
      return { credentials: { token: null }, revoke: () => owner.ungrant(board, 'public') }
    }, [4001, 4003]],
    ['a link', async (owner, board) => {
      const link = await owner.link(board, 'edit')
      return { credentials: { token: null, params: { share: link.token } }, revoke: () => owner.unlink(board, link.id) }
    }, [4001]],
    ['a key', async (owner, board) => {
      const key = await owner.key(board, 'edit')
      return { credentials: { token: null, params: { apiKey: key.key } }, revoke: () => owner.unkey(board, key.id) }
    }, [4001]],
    ['ownership', async (owner, board) =>
      ({ credentials: { token: plain('owner') }, revoke: () => owner.update(board, { owner: 'heir' }) }), [4003]]
  ]

  // Dials some connections around the moment at which `act` takes effect, which is up to a commit window
  // after the call.
  async function dialAround (t, board, credentials, act) {
    const dial = async () => {
      await jitter(120)
      return Raw.dial(t, server, board, { ...credentials, localAddress: freshAddress() })
    }
    const acting = async () => {
      await jitter(60)
      await act()
      return performance.now()
    }
    const [acted, ...dialled] = await Promise.all([acting(), dial(), dial(), dial(), dial()])
    return { acted, dialled }
  }

  for (const [what, prepare, codes] of REVOKED) {
    test(`who connects while ${what} is taken away does not stay`, async t => {
      const rounds = await times(24, async i => {
        const board = `late-${what.replaceAll(' ', '-')}-${i}`
        const owner = Api.user(server, 'owner')
        await owner.create(board)
        const { credentials, revoke } = await prepare(owner, board)
        return dialAround(t, board, credentials, revoke)
      })
      // Who is still there a second later would be there for ever, with the right that is gone.
      const last = Math.max(performance.now(), ...rounds.map(({ acted }) => acted))
      const all = rounds.flatMap(({ dialled }) => dialled)
      await until(() => all.every(raw => raw.close !== null) || performance.now() - last > 1_500, 'the closes')
      const open = all.filter(raw => raw.close === null)
      assert.equal(open.length, 0, `${open.length} of ${all.length} connections outlive ${what}`)
      for (const { dialled, acted } of rounds) {
        for (const { close, begun } of dialled) {
          assert.ok(codes.includes(close.code), `code ${close.code}`)
          const took = close.at - Math.max(acted, begun)
          assert.ok(took < AT_ONCE_MS, `closed ${took} ms later`)
        }
      }
      const inside = all.filter(raw => raw.all('step1').length > 0).length
      t.diagnostic(`${inside} of ${all.length} were in before`)
    })
  }

  test('who connects to a board that must be loaded while the grant is taken away does not stay', async t => {
    const ids = Array.from({ length: 40 }, (_, i) => `cold-${i}`)
    const owner = Api.user(server, 'owner')
    const large = new Y.Doc()
    large.getMap('map').set('large', 'x'.repeat(400_000))
    const content = Y.encodeStateAsUpdate(large)
    await Promise.all(ids.map(async board => {
      await owner.create(board)
      await owner.grant(board, 'users/guest', 'edit')
      await owner.call('POST', `/v1/boards/${board}/document`, content)
    }))
    await server.stop()
    await server.up()
    const rounds = await Promise.all(ids.map(async board => {
      const dial = async () => {
        await jitter(100)
        return Raw.dial(t, server, board, { token: plain('guest'), localAddress: freshAddress() })
      }
      const take = async () => {
        await jitter(100)
        await owner.ungrant(board, 'users/guest')
      }
      return (await Promise.all([dial(), dial(), take()])).slice(0, 2)
    }))
    const [all, last] = [rounds.flat(), performance.now()]
    await until(() => all.every(raw => raw.close !== null) || performance.now() - last > 1_500, 'the closes')
    const open = all.filter(raw => raw.close === null)
    assert.equal(open.length, 0, `${open.length} of ${all.length} connections outlive the grant`)
    assert.deepEqual([...new Set(all.map(raw => raw.close.code))], [4003])
    t.diagnostic(`${all.filter(raw => raw.all('step1').length > 0).length} of ${all.length} were in before`)
  })

  test('who connects while the grant is lowered does not stay with more', async t => {
    const rounds = await times(24, async i => {
      const board = `lowered-${i}`
      const owner = Api.user(server, 'owner')
      await owner.create(board)
      await owner.grant(board, 'users/guest', 'edit')
      const { dialled } = await dialAround(t, board, { token: plain('guest') },
        () => owner.grant(board, 'users/guest', random.of(['view', 'comment'])))
      const since = Date.now()
      await until(() => dialled.every(raw => raw.opened), 'the upgrades')
      const levels = await until(async () => {
        const present = await owner.presence(board)
        return present.length === 4 && present.every(one => one.level !== 'edit') && present
      }, 'four connections without edit')
      assert.ok(Date.now() - since < AT_ONCE_MS, `${Date.now() - since} ms`)
      assert.equal(new Set(levels.map(one => one.level)).size, 1)
      for (const [n, raw] of dialled.entries()) {
        raw.send(messages.update(updateOf(`by ${n}`)))
        await raw.next('auth')
      }
      return { board, owner, dialled }
    })
    const inside = rounds.flatMap(({ dialled }) => dialled).filter(raw => raw.all('step1').length > 0).length
    t.diagnostic(`${inside} of ${rounds.length * 4} were in before`)
    for (const { board, owner } of rounds) assert.deepEqual(keysOf(await owner.document(board)), [])
  })

  test('who writes over HTTP while the grant is taken away writes nothing after the answer', async t => {
    const counts = await times(12, async i => {
      const board = `posting-${i}`
      const owner = Api.user(server, 'owner')
      await owner.create(board)
      await owner.grant(board, 'users/guest', 'edit')
      const guest = Api.user(server, 'guest')
      let answered = Infinity
      const written = []
      const post = async n => {
        const begun = performance.now()
        const { status } = await guest.call('POST', `/v1/boards/${board}/document`, updateOf(`${n}`))
        assert.ok([204, 403].includes(status), `status ${status}`)
        if (begun > answered) assert.equal(status, 403)
        if (status === 204) written.push(`${n}`)
        return begun
      }
      const posting = async () => { for (let n = 0; await post(n) < answered; n++); }
      const taking = async () => {
        await jitter(60)
        await owner.ungrant(board, 'users/guest')
        answered = performance.now()
      }
      await Promise.all([posting(), taking()])
      // What was answered with 204 is there, and nothing else.
      assert.deepEqual(keysOf(await owner.document(board)), written.sort())
      return written.length
    })
    t.diagnostic(`${counts.reduce((sum, count) => sum + count)} written before`)
  })

  test('a board given away twice at once has one heir, and only that one manages it', async () => {
    await times(20, async i => {
      const board = `given-${i}`
      const owner = Api.user(server, 'owner')
      await owner.create(board)
      const heirs = ['ann', 'ben']
      const answers = await Promise.all(heirs.map(async heir => {
        await jitter(3)
        return owner.call('PATCH', `/v1/boards/${board}`, { owner: heir })
      }))
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 403], JSON.stringify(answers.map(({ body }) => body)))
      const heir = heirs[answers.findIndex(({ status }) => status === 200)]
      assert.equal((await admin.board(board)).owner, heir)
      for (const sub of ['owner', ...heirs]) {
        const { status } = await Api.user(server, sub).call('GET', `/v1/boards/${board}/permissions`)
        assert.equal(status, sub === heir ? 200 : 403, sub)
      }
    })
  })
})
