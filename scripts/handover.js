// How long boards are without a node: one that has many of them ends, and another is asked for each until it
// answers.
'use strict'
const http = require('node:http')
const { change, each } = require('./boards.js')
const { median, sleep } = require('./measure.js')

/** How many requests are on their way at a time. */
const WIDTH = 50
const AGAIN_MS = 10

const bearer = token => ({ authorization: `Bearer ${token}` })

/** A client that is on a board and says nothing. */
function visit(port, board, token) {
  return new Promise((done, failed) => {
    const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': 13, 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' }
    const request = http.get({ host: '127.0.0.1', port, path: `/ws/canvas/${board}`, headers: { ...headers, ...bearer(token) } })
    request.on('upgrade', (_, socket) => {
      socket.on('error', () => {}).resume()
      done(socket)
    })
    request.on('response', answer => failed(new Error(`${board}: ${answer.statusCode}`)))
    request.on('error', failed)
  })
}

/** Asks a node for a board, once: the status, or 0 where there was no answer. */
function ask(agent, port, board, token) {
  return new Promise(done => {
    const request = http.get({ agent, host: '127.0.0.1', port, path: `/v1/boards/${board}/document`, headers: bearer(token) })
    request.on('response', answer => answer.resume().on('end', () => done(answer.statusCode)).on('error', () => done(0)))
    request.on('error', () => done(0))
  })
}

/** Boards with somebody on each, all of the first node; it ends by `signal`, and the second is asked for all. */
async function handOver({ nodes: [owner, other], schema }, { signal, count, token, store }) {
  const boards = Array.from({ length: count }, (_, at) => `board-${at}`)
  const sockets = []
  await each(boards, 8, async board => {
    await owner.boards.make(board)
    await owner.boards.edit(board, change(7))
    sockets.push(await visit(owner.port, board, token))
  })
  await sleep(1000)
  const mine = `FROM ${schema}.nodes WHERE address = '${owner.address}'`
  const had = Number(await store.ask(`SELECT count(*) FROM ${schema}.boards WHERE node = (SELECT node ${mine})`))
  if (had !== count) throw new Error(`the node has ${had} of ${count} boards`)
  const agent = new http.Agent({ keepAlive: true, maxSockets: WIDTH })
  const begun = performance.now()
  const since = () => performance.now() - begun
  process.kill(owner.pid, signal)
  const ended = owner.child.ended.then(since)
  const lease = signal === 'SIGKILL'
    ? 1000 * Number(await store.ask(`SELECT extract(epoch FROM lease_end - clock_timestamp()) ${mine}`)) + since() : undefined
  const answered = []
  await each(boards, WIDTH, async board => {
    while (await ask(agent, other.port, board, token) !== 200) {
      if (since() > 120_000) throw new Error(`${board} had no answer in two minutes`)
      await sleep(AGAIN_MS)
    }
    answered.push(since())
  })
  agent.destroy()
  sockets.forEach(socket => socket.destroy())
  const all_ms = Math.max(...answered)
  return {
    boards: count, ended_ms: await ended, first_ms: Math.min(...answered), p50_ms: median(answered), all_ms,
    lease_left_ms: lease, after_lease_ms: lease === undefined ? undefined : all_ms - lease,
  }
}

module.exports = { handOver }
