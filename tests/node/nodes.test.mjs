// Promise: it makes no difference which of several nodes a client comes to, and none of them can take with it
// what was echoed.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import net from 'node:net'
import * as Y14 from '@y/y'
import { Api } from './support/api.mjs'
import { ALL, Client, converged } from './support/clients.mjs'
import { edit, load } from './support/documents.mjs'
import { Unconfirmed, count, isEmpty, missing } from './support/echo.mjs'
import { Postgres, freePort } from './support/postgres.mjs'
import { Random, SEED } from './support/random.mjs'
import { Server } from './support/server.mjs'
import { mint } from './support/token.mjs'
import { pause, until } from './support/wait.mjs'

/** What "at once" means, from the answer of one node to the effect on another. */
const AT_ONCE_MS = 1_000

/** A stock client that finds nobody waits so long before it tries again, at most. */
const BACKOFF_MS = 2_500

const LEASE_MS = 1_000

// How long after its lease a dead node's boards are served again, at the latest.
const BACK_MS = 2_000

// What is done below about rights, the last first, in the words of the audit log.
const ACTS = ['link.revoke', 'permission.remove', 'permission.set', 'link.create', 'permission.set', 'board.create']

let schemas = 0

/** Three nodes over one schema, and a balancer before them that asks no node how it is. */
class Cluster {
  static async start (t, postgres, lease = LEASE_MS) {
    const cluster = new Cluster()
    cluster.postgres = postgres
    cluster.schema = `s${schemas++}`
    cluster.nodes = await Promise.all([0, 1, 2].map(async () => Server.start({
      store: postgres.url(cluster.schema),
      'node-address': `127.0.0.1:${await freePort()}`,
      'node-secret': 'the-secret-of-the-nodes-0123456789',
      lease: `${lease}ms`,
      'commit-window': '5ms'
    }, t)))
    await cluster.#balance(t)
    return cluster
  }

  // The next node that accepts takes it, and both ways end together.
  async #balance (t) {
    let turn = 0
    const sockets = new Set()
    const balancer = net.createServer(client => {
      const forward = tries => {
        const node = net.connect(this.nodes[turn++ % 3].port, '127.0.0.1')
        sockets.add(node.once('close', () => sockets.delete(node)))
        const refused = () => tries > 0 && !client.destroyed ? forward(tries - 1) : client.destroy()
        node.once('error', refused).once('connect', () => {
          node.off('error', refused).on('error', () => {}).on('close', () => client.destroy())
          client.on('close', () => node.destroy()).pipe(node).pipe(client)
        })
      }
      sockets.add(client.on('error', () => {}).once('close', () => sockets.delete(client)))
      forward(2)
    })
    await new Promise(resolve => balancer.listen(0, '127.0.0.1', resolve))
    t.after(() => {
      sockets.forEach(socket => socket.destroy())
      balancer.close()
    })
    this.balancer = { ws: `ws://127.0.0.1:${balancer.address().port}/ws/canvas` }
  }

  /** Which node has the board; -1 where none has. */
  async owner (board) {
    const rows = await this.postgres.ask(`SELECT address FROM ${this.schema}.boards JOIN ${this.schema}.nodes USING (node) WHERE id = '${board}'`)
    return this.nodes.findIndex(node => node.flags['node-address'] === rows[0]?.[0])
  }

  /** All ids of a board that lie in the database, past all nodes. */
  async stored (board) {
    const doc = new Y14.Doc()
    const rows = await this.postgres.ask(`
      SELECT 'state', 0 AS first, encode(state, 'hex') FROM ${this.schema}.states WHERE board = '${board}'
      UNION ALL SELECT 'log', first, encode(updates, 'hex') FROM ${this.schema}.updates WHERE board = '${board}' ORDER BY first`)
    for (const [kind, , hex] of rows) {
      const bytes = Buffer.from(hex, 'hex')
      if (kind === 'state') Y14.applyUpdate(doc, bytes)
      // Each with its length before it.
      for (let at = 0; kind === 'log' && at < bytes.length;) {
        const end = at + 4 + bytes.readUInt32LE(at)
        Y14.applyUpdate(doc, bytes.subarray(at + 4, end))
        at = end
      }
    }
    assert.equal(doc.store.pendingStructs, null, 'the stored document has a hole')
    const ids = Y14.createContentIdsFromDoc(doc)
    doc.destroy()
    return ids
  }
}

// Edits at random, for as long as the test runs or until it is stopped.
function writing (t, writers, random) {
  const timer = setInterval(() => {
    for (const { client } of writers) if (random.chance(0.5)) edit(client.doc, random)
  }, 5)
  const stop = () => clearInterval(timer)
  t.after(stop)
  return stop
}

const withBook = client => ({ client, book: new Unconfirmed(client) })

describe(`several nodes (BOARDWIRE_SEED=${SEED})`, { concurrency: true }, () => {
  let postgres
  before(async () => { postgres = await Postgres.start() })
  after(() => postgres.dispose())

  test('clients of all kinds on all nodes, on the same boards, converge', async t => {
    const { nodes, balancer } = await Cluster.start(t, postgres)
    const random = new Random()
    const boards = ['one', 'two'].map((board, b) => [0, 1, 2, 3, 4, 5].map(n =>
      Client.open(t, nodes[(n + b) % 3], board, { provider: ALL[(n + b) % 4], sub: `user-${n}` })))
    const clients = boards.flat()
    await Promise.all(clients.map(client => client.synced()))
    for (let step = 0; step < 600; step++) {
      const client = random.of(clients)
      const what = random.next()
      if (what < 0.02) client.cut()
      else if (what < 0.04) client.disconnect()
      else if (what < 0.08) client.connect()
      else edit(client.doc, random)
      if (random.chance(0.3)) await pause(random.below(5))
    }
    clients.forEach(client => client.connect())
    for (const [b, board] of boards.entries()) {
      const late = Client.open(t, balancer, ['one', 'two'][b], { provider: random.of(ALL), sub: 'late' })
      await late.synced()
      await converged([...board, late], `board ${b}, seed ${SEED}`)
      const documents = await Promise.all(nodes.map(node => Api.admin(node).document(['one', 'two'][b])))
      await converged([...board, ...documents.map(update => load(update))], 'what the nodes answer')
    }
  })

  test('people on all nodes see each other come, move and leave at once', async t => {
    const { nodes } = await Cluster.start(t, postgres)
    const people = nodes.flatMap((node, n) => ALL.map((provider, p) => ({ provider, node, name: `user-${n}-${p}` })))
    const clients = people.map(({ provider, node, name }) => {
      const client = Client.open(t, node, 'seen', { provider, sub: name })
      client.awareness.setLocalStateField('user', { name })
      return client
    })
    const seen = (what, of) => until(() => clients.every(of), () => `${what}: ${clients.map(client => client.awareness.getStates().size)}`)
    const atOnce = async (what, of) => {
      const begun = performance.now()
      await seen(what, of)
      const took = performance.now() - begun
      assert.ok(took < AT_ONCE_MS, `${what} took ${took} ms`)
    }
    await seen('all by all', client => client.awareness.getStates().size === clients.length)
    clients.forEach((client, n) => client.awareness.setLocalStateField('cursor', n))
    await atOnce('all cursors', client => clients.every((other, n) => client.awareness.getStates().get(other.clientID)?.cursor === n))
    for (const node of nodes) {
      const shown = await Api.admin(node).presence('seen')
      assert.deepEqual(shown.map(({ subject }) => subject).sort(), people.map(({ name }) => `user:${name}`).sort())
    }
    const gone = clients.splice(0, 1).concat(clients.splice(4, 1), clients.splice(8, 1))
    gone.forEach((client, n) => n === 0 ? client.disconnect() : client.vanish())
    await atOnce('the ends', client => gone.every(({ clientID }) => client.userSeen(clientID) === undefined))
  })

  test('grants, links and the audit log of any node hold on any other at once', async t => {
    const { nodes } = await Cluster.start(t, postgres)
    const pairs = nodes.flatMap((_, from) => nodes.map((_, to) => [from, to]))
    await Promise.all(pairs.map(async ([from, to]) => {
      const board = `rights-${from}-${to}`
      const owner = Api.user(nodes[from], 'owner')
      // The third has it, where there is a third.
      await Api.user(nodes[3 - from - to] ?? nodes[from], 'owner').create(board)
      await owner.grant(board, 'users/bob', 'edit')
      const link = await owner.link(board, 'edit')
      const options = { provider: ALL[(from + to) % 4] }
      const bob = Client.open(t, nodes[to], board, { ...options, token: mint({ sub: 'bob' }) })
      const guest = Client.open(t, nodes[to], board, { ...options, token: null, params: { share: link.token } })
      await Promise.all([bob.synced(), guest.synced()])
      bob.set('from', 'bob')
      await guest.sees('from', 'bob')
      const presence = async () => Object.fromEntries((await Api.admin(nodes[to]).presence(board)).map(({ subject, level }) => [subject, level]))
      const atOnce = async (what, act, holds) => {
        await act()
        const begun = performance.now()
        await until(holds, what)
        const took = performance.now() - begun
        assert.ok(took < AT_ONCE_MS, `${board}: ${what} took ${took} ms`)
      }
      await atOnce('the lower level', () => owner.grant(board, 'users/bob', 'view'), async () => (await presence())['user:bob'] === 'view')
      await atOnce('the end of the grant', () => owner.ungrant(board, 'users/bob'), () => bob.closes.some(({ code }) => code === 4003))
      await atOnce('the end of the link', () => owner.unlink(board, link.id), () => guest.closes.some(({ code }) => code === 4001))
      for (const node of nodes) {
        // Who was sent away knocks again; that is told too, and of no concern here.
        const acts = (await Api.user(node, 'owner').audit(board)).filter(({ action }) => !/access/.test(action))
        assert.deepEqual(acts.map(({ action }) => action), ACTS)
        assert.ok(acts.every(({ actor, address }) => actor === 'user:owner' && address === '127.0.0.1'))
      }
    }))
  })

  test('the owner dies while clients write: they come back by themselves, and nothing that was echoed is missing', async t => {
    const cluster = await Cluster.start(t, postgres)
    const { nodes, balancer } = cluster
    const random = new Random()
    // Alone on its board, a writer gets echoes and nothing else.
    const alone = ALL.map((provider, i) => ({ board: `alone-${i}`, ...withBook(Client.open(t, balancer, `alone-${i}`, { provider })) }))
    const together = [...nodes, balancer].map((server, i) => withBook(Client.open(t, server, 'together', { provider: ALL[i], sub: `user-${i}` })))
    const writers = [...alone, ...together]
    await Promise.all(writers.map(({ client }) => client.synced()))
    const stop = writing(t, writers, random)
    const written = alone.map(() => 0)
    for (let round = 0; round < 4; round++) {
      await pause(200 + random.below(200))
      // Of each board once, and of the one that all write at last.
      const dead = await cluster.owner(round < 3 ? alone[round].board : 'together')
      await nodes[dead].kill()
      const killed = performance.now()
      // Until its lease ends nobody else commits to what it had, nor echoes: what is there now is all that
      // was.
      for (const [i, { board, client, book }] of alone.entries()) {
        const confirmed = book.confirmed
        const lost = missing(confirmed, await cluster.stored(board))
        assert.ok(isEmpty(lost), `round ${round}, seed ${SEED}: ${client.name} on ${board} lost inserts and deletes ${count(lost)}`)
        written[i] = count(confirmed)[0]
      }
      // All but those who know only the dead node go on.
      const others = writers.filter(({ client }) => !client.provider.url.startsWith(nodes[dead].ws))
      const before = others.map(({ book }) => count(book.confirmed)[0])
      const isOn = ({ client, book }, i) => client.provider.synced && count(book.confirmed)[0] > before[i]
      await until(() => others.every(isOn), () => `round ${round}: ${others.filter((other, i) => !isOn(other, i)).map(({ client }) => client.name)}`)
      const took = performance.now() - killed
      assert.ok(took < LEASE_MS + BACK_MS + BACKOFF_MS, `round ${round}: back after ${took} ms`)
      await nodes[dead].up()
    }
    stop()
    assert.ok(written.every(inserts => inserts > 100), `too little was confirmed to prove anything: ${written}`)
    for (const { book } of alone) await book.none()
    await converged(together.map(({ client }) => client), `seed ${SEED}`)
    for (const { board, book } of alone) assert.ok(isEmpty(missing(book.confirmed, await cluster.stored(board))))
  })

  test('a node that is stopped hands its boards over, long before its lease ends, and nobody loses a word', async t => {
    const cluster = await Cluster.start(t, postgres, 60_000)
    const { nodes, balancer } = cluster
    const writers = ALL.map((provider, i) => withBook(Client.open(t, balancer, 'moved', { provider, sub: `user-${i}` })))
    await Promise.all(writers.map(({ client }) => client.synced()))
    const stop = writing(t, writers, new Random())
    for (let round = 0; round < 2; round++) {
      await pause(200)
      const owner = await cluster.owner('moved')
      const before = writers.map(({ client }) => client.closes.length)
      const ended = nodes[owner].stop()
      const begun = performance.now()
      await until(() => writers.every(({ client }, i) => client.closes.length > before[i]), 'all to be sent away')
      const isBack = ({ client }) => client.provider.wsconnected && client.provider.synced
      await until(() => writers.every(isBack), 'all to be back')
      const took = performance.now() - begun
      // A second, and what a stock client waits that came too early.
      assert.ok(took < 1_000 + BACKOFF_MS, `back after ${took} ms`)
      assert.deepEqual(await ended, { code: 0, signal: null })
      assert.notEqual(await cluster.owner('moved'), owner)
      for (const { client } of writers) assert.ok(client.closes.every(({ code }) => code === 1001), JSON.stringify(client.closes))
      await nodes[owner].up()
    }
    stop()
    for (const { book } of writers) await book.noInsertions()
    await converged(writers.map(({ client }) => client), `seed ${SEED}`)
  })
})
