// Rows 3 and 5 of the issue: making the server hold memory, by what never ends and by what is never read.
import { frameHead, KIND, large, message, times, update } from '../support/bytes.mjs'
import { dial, head, pour } from '../support/peer.mjs'

const MIB = 2 ** 20
const READERS = 100

/** Sends all but the end of a message of 31 MiB, then one byte a second. */
async function neverEnd (on, socket) {
  const piece = Buffer.alloc(MIB, 0x61)
  for (let sent = 0; sent < 30 && on.running; sent++) {
    if (!await Promise.race([pour(socket, piece), on.over().then(() => true)])) return
  }
  while (on.running && !socket.destroyed) {
    pour(socket, Buffer.from('a'))
    await new Promise(resolve => setTimeout(resolve, Math.min(1_000, on.left)))
  }
}

/** What became of a bare HTTP connection. */
function followed (socket) {
  const seen = { how: 'open' }
  socket.once('data', chunk => { seen.how = `status ${chunk.toString('latin1', 9, 12)}` })
  socket.once('close', () => { if (seen.how === 'open') seen.how = 'cut' })
  return seen
}

const ENDED = ['close 1001', 'close 1008', 'close 1009', 'close 1013', 'cut']

export const holding = [
  {
    row: 3,
    name: 'endless-messages',
    about: '150 viewers, each with 30 MiB of a message that never ends',
    prepare: on => on.board('held'),
    run: async on => {
      const peers = await on.crowd(150, 'held', 'view')
      await Promise.all(peers.map(async ({ socket }) => {
        await pour(socket, frameHead(31 * MIB))
        await neverEnd(on, socket)
      }))
      on.noteAll(peers)
    },
    must: [['open', ...ENDED]]
  },
  {
    row: 3,
    name: 'endless-bodies',
    about: '150 uploads of 31 MiB that never end',
    prepare: on => on.board('held'),
    run: async on => {
      const seen = await Promise.all(Array.from({ length: 150 }, async () => {
        const socket = dial(on.server)
        const seen = followed(socket)
        await pour(socket, head(on.server, 'POST', '/v1/boards/held/document', { Authorization: `Bearer ${on.owner}`, 'Content-Length': 31 * MIB }))
        await neverEnd(on, socket)
        return seen
      }))
      for (const { how } of seen) on.note(how)
    },
    must: [['open', 'status 408', 'status 413', 'status 429', 'status 503', 'cut']]
  },
  {
    row: 5,
    name: 'unread-documents',
    about: '100 GETs of a board of 31 MiB that are not read',
    prepare: on => on.board('held', large(1, 31)),
    run: async on => {
      const sockets = Array.from({ length: READERS }, () => {
        const socket = dial(on.server).pause()
        socket.write(head(on.server, 'GET', '/v1/boards/held/document', { Authorization: `Bearer ${on.owner}` }))
        return socket
      })
      await on.over()
      for (const socket of sockets) on.note(socket.destroyed ? 'cut' : 'open')
    },
    must: [['open', 'cut']]
  },
  {
    row: 5,
    name: 'unread-steps',
    about: '100 viewers who ask a board of 31 MiB for nearly all it has, each for something else, and do not read',
    prepare: async on => {
      await on.board('held', large(1, 31))
      const letters = times(READERS, (bytes, i) => (i === 0 ? bytes.first(KIND.any, 'a') : bytes.after(KIND.any, 2, i - 1)).number(1).byte(120))
      await on.upload('held', update([{ client: 2, count: READERS, build: letters }]))
    },
    run: async on => {
      const peers = await on.crowd(READERS, 'held', 'view')
      for (const [i, peer] of peers.entries()) {
        peer.stopReading()
        peer.send(message.step1([1, 2, i]))
      }
      await on.over()
      on.noteAll(peers)
    },
    must: [['open', 'close 1013', 'cut']]
  },
  {
    row: 5,
    name: 'unread-presence',
    about: '120 viewers who do not read, where 100 others show 8 states of 16 KiB each',
    prepare: async on => {
      await on.board('held', update([{ client: 1, count: 1, build: bytes => bytes.first(KIND.string, 't').blob('a') }]))
      const state = JSON.stringify('x'.repeat(16 * 1024 - 2))
      const speakers = await on.crowd(100, 'held', 'view')
      for (const [i, speaker] of speakers.entries()) {
        speaker.send(message.awareness(Array.from({ length: 8 }, (_, id) => ({ id: 1 + 8 * i + id, clock: 1, state }))))
        await speaker.settled()
      }
      return speakers
    },
    run: async (on, speakers) => {
      const peers = await on.crowd(120, 'held', 'view')
      for (const peer of peers) peer.stopReading()
      await on.over()
      on.noteAll(peers)
      on.noteAll(speakers, 'speaker: ')
    },
    must: [['open', 'close 1013', 'cut'], 'speaker: open']
  }
]
