// Rows 1, 2 and 4 of the issue: few bytes that cost much to walk, to integrate or to read.
import { ATTACKER } from '../support/attack.mjs'
import { gapped, KIND, large, message, times, update } from '../support/bytes.mjs'
import { call } from '../support/peer.mjs'
import { mint } from '../../node/support/token.mjs'

const GAPS = 30_000
const COPIES = 20_000

/** `00 01 c n (00 2G) x n`: each copy of the range makes a naive reader emit every gap again. */
const copies = () => update([], [{ client: 1, count: COPIES, build: times(COPIES, bytes => bytes.number(0).number(2 * GAPS)) }])

/** Sends the copies by somebody with `level`, again and again on new connections. */
const copier = level => async (on, bytes) => on.loop(1, async () => {
  const peer = await on.join('gaps', level)
  peer.send(bytes)
  on.note(await peer.settled())
  peer.destroy()
})

async function prepareGaps (on) {
  await on.board('gaps', gapped(1, 2 * GAPS, GAPS))
  return message.update(copies())
}

/** In a type of reference `type`: `marks` marks that are never closed, each under a key of its own, each followed by what `put(bytes, clock)` writes. */
const marked = (type, marks, put) => ({
  client: 1,
  count: 1 + 2 * marks,
  build: bytes => {
    bytes.first(KIND.type, 'x').number(type)
    for (let i = 0; i < marks; i++) {
      const before = 2 * i
      const head = i === 0 ? bytes.inside(KIND.format, 1, 0) : bytes.after(KIND.format, 1, before)
      head.blob(`m${i}`).blob('1')
      put(bytes, before + 1)
    }
  }
})

/** `count` structs of `client`, the first at the start of a text, each behind the one before. */
const chain = (client, count, kind, put) => ({
  client,
  count,
  build: times(count, (bytes, i) => put(i === 0 ? bytes.first(kind, 't') : bytes.after(kind, client, i - 1)))
})

/**
 * Structs of `client` after one that stands behind the last of `other`. Clients are integrated from the highest down; so
 * this one is integrated after `other`, although it is higher, and has to pass what is there.
 */
const late = (client, other, count, put) => ({
  client,
  count: 1 + count,
  build: bytes => {
    bytes.after(KIND.string, other.client, other.count - 1).blob('a')
    for (let i = 0; i < count; i++) put(bytes)
  }
})

const letters = chain(1, 1, KIND.string, bytes => bytes.blob('a'))
/** A letter behind the first of client 1, where all others stand too. */
const rival = bytes => bytes.after(KIND.string, 1, 0).blob('a')
const rivals = { client: 2, count: 5_000, build: times(5_000, rival) }
const links = chain(1, 8_000, KIND.embed, bytes => bytes.blob('1'))

const one = bytes => bytes.number(1).byte(120)

/** An update that is posted once; where it is taken, the board is read as items and as JSON again and again. */
const costly = (name, about, content, expected) => ({
  row: 4,
  name,
  about,
  prepare: async on => {
    await on.board('costly')
    return content()
  },
  run: async (on, bytes) => {
    const status = await on.upload('costly', bytes)
    on.note(`upload ${status}`)
    if (status === 204) await on.loop(2, async i => on.note(i === 0 ? `items ${await on.read('costly', 'items')}` : `json ${await on.read('costly', 'document?format=json')}`))
  },
  ...expected
})

const REFUSED = { must: ['upload 413'] }

/** Reads the board as JSON, by two callers. */
const readJson = on => on.loop(2, async () => on.note(`json ${await on.read('costly', 'document?format=json')}`))

export const costs = [
  {
    row: 1,
    name: 'copies-by-viewer',
    about: '80 KB of one deleted range, 20,000 times, on a board with 30,000 gaps',
    prepare: prepareGaps,
    run: copier('view'),
    // Told that it may not write, or thrown out: a large update of a viewer is not read that far.
    must: [['open', 'close 1007']]
  },
  { row: 1, name: 'copies-by-editor', about: 'the same by somebody who may edit', prepare: prepareGaps, run: copier('edit'), must: ['close 1007'] },
  {
    row: 2,
    name: 'marks-as-json',
    about: '214 KB: an XML text with 8,000 marks, read as JSON',
    prepare: async on => {
      await on.board('costly')
      return update([marked(6, 8_000, (bytes, before) => bytes.after(KIND.string, 1, before).blob('a'))])
    },
    run: async (on, bytes) => {
      const status = await on.upload('costly', bytes)
      on.note(`upload ${status}`)
      if (status === 204) await readJson(on)
    },
    must: [['upload 413', 'json 409']],
    may: ['upload 204']
  },
  {
    row: 2,
    name: 'buffers-as-json',
    about: '31 MiB of buffers, read as JSON',
    prepare: on => on.board('costly', large(1, 31)),
    run: readJson,
    must: [['json 200', 'json 409']],
    may: ['json 429', 'json 503']
  },
  costly('chain-and-heads', '100 KB: a chain of 8,000, and 8,000 that have to pass it', () => update([late(2, links, 8_000, bytes => bytes.first(KIND.embed, 't').blob('1')), links]), REFUSED),
  costly('values-of-one-key', '40,000 values of one key, none of which knows the others', () => update([
    { client: 1, count: 40_000, build: times(40_000, bytes => one(bytes.first(KIND.any, 'm', 'k'))) }]), REFUSED),
  costly('values-before-a-value', '40,000 values of one key, all before the first', () => update([
    { client: 1, count: 40_000, build: times(40_000, (bytes, i) => one(i === 0 ? bytes.first(KIND.any, 'm', 'k') : bytes.entryBefore(KIND.any, 1, 0))) }]),
  { must: ['upload 400'] }),
  costly('letters-of-one-origin', '60 KB: 5,000 letters of one client and 5,000 of another, all behind one letter', () => update([late(3, rivals, 5_000, rival), rivals, letters]), REFUSED),
  costly('marks-and-embeds', '95 KB: 3,000 marks that are never closed, and 8,000 embeds behind them', () => update([{
    client: 1,
    count: 11_000,
    build: times(11_000, (bytes, i) => {
      const kind = i < 3_000 ? KIND.format : KIND.embed
      const head = i === 0 ? bytes.first(kind, 't') : bytes.after(kind, 1, i - 1)
      if (i < 3_000) head.blob(`m${i}`)
      head.blob('1')
    })
  }]), { must: [['upload 413', 'items 409']], may: ['upload 204', 'json 409'] }),
  costly('every-second-letter', '2.4 MB: a text with 400,000 letters deleted, every second one, read as items', () => gapped(1, 800_000, 400_000),
    { must: ['upload 204', ['items 200', 'items 409'], ['json 200', 'json 409']], may: ['items 429', 'json 429'] }),
  {
    row: 4,
    name: 'items-of-others',
    about: 'two boards with a million gaps, read as items; somebody else reads a third one',
    prepare: async on => {
      for (const board of ['slow-1', 'slow-2']) await on.board(board, gapped(1, 2_000_000, 1_000_000))
      const token = mint({ sub: 'alice' })
      await call(on.server, 'POST', '/v1/boards', { token, body: { id: 'third' }, headers: { 'Content-Type': 'application/json' } })
      return token
    },
    run: async (on, token) => {
      const others = on.loop(1, async () => {
        const begun = performance.now()
        const { status } = await call(on.server, 'GET', '/v1/boards/third/items', { token })
        on.note(`items of ${status === 200 && performance.now() - begun <= 2_000 ? 'others within 2 s' : `others ${status}, later than 2 s`}`)
        await new Promise(resolve => setTimeout(resolve, 100))
      })
      const slow = on.loop(4, async i => on.note(`items of ${ATTACKER} ${await on.read(`slow-${1 + i % 2}`, 'items')}`))
      await Promise.all([others, slow])
    },
    must: ['items of others within 2 s', [`items of ${ATTACKER} 200`, `items of ${ATTACKER} 409`]],
    may: [`items of ${ATTACKER} 429`, `items of ${ATTACKER} 503`]
  }
]
