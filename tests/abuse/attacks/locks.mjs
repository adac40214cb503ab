// Row 6 of the issue: what keeps a room's lock or a thread busy for long, by bytes of full size.
import { everySecond, frame, KIND, large, message, times, update, write } from '../support/bytes.mjs'

const MESSAGE_BYTES = 30_000_000
const DEPTH = 62

/**
 * 30 MB of structs of `client`, each with one neighbour in a type 62 levels deep and one that is collected: right only
 * where a type above is deleted, which the one at the top is.
 */
const deep = client => update([
  { client, count: MESSAGE_BYTES / 6, build: times(MESSAGE_BYTES / 6, bytes => bytes.between(KIND.deleted, 1, DEPTH, DEPTH + 1).number(1)) },
  {
    client: 1,
    count: DEPTH + 2,
    build: bytes => {
      bytes.first(KIND.type, 'x').number(0)
      for (let i = 1; i < DEPTH; i++) bytes.inside(KIND.type, 1, i - 1).number(0)
      bytes.inside(KIND.deleted, 1, DEPTH - 1).number(1).byte(KIND.gc).number(1)
    }
  }], [{ client: 1, count: 1, build: bytes => bytes.number(0).number(1) }])

/** The bytes of `number` as they stand in an update, for one of three bytes. */
const encoded = number => write(bytes => bytes.number(number))
const FIRST_CLIENT = 20_000

/** The same update again and again by a client that is new each time. */
async function sendDeep (on, bytes) {
  const at = bytes.indexOf(encoded(FIRST_CLIENT))
  for (let client = FIRST_CLIENT; on.running; client++) {
    encoded(client).copy(bytes, at)
    const peer = await on.join('locked', 'edit')
    peer.send(bytes)
    on.note(await peer.settled())
    peer.destroy()
  }
}

/** 30 MB of collected structs: two bytes each. */
const collected = client => update([{ client, count: MESSAGE_BYTES / 2, build: times(MESSAGE_BYTES / 2, bytes => bytes.byte(KIND.gc).number(1)) }])

const REFUSALS = ['close 1007', 'close 4013']

export const locks = [
  {
    row: 6,
    name: 'deep-neighbours',
    about: 'updates of 30 MB whose structs have neighbours 62 types deep',
    prepare: async on => {
      await on.board('locked')
      return message.update(deep(FIRST_CLIENT))
    },
    run: sendDeep,
    must: [['open', ...REFUSALS]]
  },
  {
    row: 6,
    name: 'collected-by-viewers',
    about: 'two viewers who send 30 MB of collected structs, again and again',
    prepare: async on => {
      await on.board('locked')
      return message.update(collected(7))
    },
    run: async (on, bytes) => {
      const framed = frame(bytes)
      const peers = await on.crowd(2, 'locked', 'view')
      await Promise.all(peers.map(({ socket }) => on.flood(socket, () => framed)))
      for (const peer of peers) on.note(await peer.settled())
    },
    must: [['open', ...REFUSALS]]
  },
  {
    row: 6,
    name: 'single-deletions',
    about: 'deletions of one letter each by 32 editors, on a board with 300,000 ranges',
    prepare: async on => {
      const gaps = 300_000
      await on.board('locked', update(
        [{ client: 1, count: 1, build: bytes => bytes.first(KIND.string, 't').blob(Buffer.alloc(4 * gaps, 0x61)) }],
        [{ client: 1, ...everySecond(gaps, 2 * gaps) }]))
    },
    run: async on => {
      const peers = await on.crowd(32, 'locked', 'edit')
      // Before all ranges that are there, so that a list of them moves; and over again once all are deleted.
      let at = 0
      const deletion = () => frame(message.update(update([], [{ client: 1, count: 1, build: bytes => bytes.number(at = (at + 2) % 600_000).number(1) }])))
      await Promise.all(peers.map(({ socket }) => on.flood(socket, () => Buffer.concat(Array.from({ length: 64 }, deletion)))))
      on.noteAll(peers)
    },
    must: [['open', 'close 4013', 'close 1013']]
  },
  {
    row: 6,
    name: 'large-presence',
    about: '32 viewers who each change 8 states of 16 KiB without a pause',
    prepare: on => on.board('locked'),
    run: async on => {
      const peers = await on.crowd(32, 'locked', 'view')
      const state = JSON.stringify('x'.repeat(16 * 1024 - 2))
      let clock = 0
      await Promise.all(peers.map(({ socket }, i) => on.flood(socket, () => {
        clock++
        return frame(message.awareness(Array.from({ length: 8 }, (_, id) => ({ id: 1 + 8 * i + id, clock, state }))))
      })))
      on.noteAll(peers)
    },
    must: [['open', 'close 1013']]
  },
  {
    row: 6,
    name: 'uploads',
    about: 'four uploads of 31 MiB each, again and again',
    prepare: async on => {
      for (let i = 0; i < 4; i++) await on.board(`locked-${i}`)
      return large(1, 31)
    },
    run: (on, bytes) => on.loop(4, async i => on.note(`upload ${await on.upload(`locked-${i}`, bytes)}`)),
    must: ['upload 204'],
    may: ['upload 429', 'upload 503']
  },
  {
    row: 6,
    name: 'exports',
    about: 'four readers of a board of 31 MiB, again and again',
    prepare: on => on.board('locked', large(1, 31)),
    run: on => on.loop(4, async () => on.note(`export ${await on.read('locked', 'document')}`)),
    must: ['export 200'],
    may: ['export 429', 'export 503']
  }
]
