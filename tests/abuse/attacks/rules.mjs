// Rows 7 to 11 and 13 of the issue: what is to be refused, whatever it costs. Row 12 (a damaged file) is a
// test of the store.
import { large, message } from '../support/bytes.mjs'
import { call, Peer } from '../support/peer.mjs'
import { tokenFor } from '../../node/support/token.mjs'
import { pause, until } from '../../node/support/wait.mjs'

const bytes = hex => Buffer.from(hex, 'hex')

const PROTO = bytes('010101002801016d016b017601095f5f70726f746f5f5f740000')
/** Each leans on the one before; the third is the first with a right origin. */
const ENTRIES = ['010101002801016d016b0177016100', '01010200a801000177016200', '010102016102000100', '01010300a101000100'].map(bytes)
/** An embed and a format whose JSON is none to serde. */
const NUMBERS = ['010101000501017405316539393900', '010101000501017408225c75643830302200'].map(bytes)

/** Sends updates one by one until the connection ends, and says after how many it did. */
async function sendAll (on, board, updates) {
  const peer = await on.join(board, 'edit')
  for (const [i, update] of updates.entries()) {
    peer.send(message.update(update))
    const how = await peer.settled()
    if (how !== 'open') return `${how} at ${i + 1}`
  }
  peer.destroy()
  return 'open'
}

/** The answers of the API that are looked at, each with the headers that a browser needs. */
async function headers (on) {
  const grant = await call(on.server, 'PUT', '/v1/boards/ruled/permissions/public', { token: on.owner, body: { level: 'view' }, headers: { 'Content-Type': 'application/json' } })
  if (grant.status !== 200) throw new Error(`the board could not be made public: ${grant.status}`)
  for (const path of ['/health', '/v1/boards', '/v1/boards/ruled', '/v1/boards/ruled/document', '/v1/boards/ruled/document?format=json', '/v1/nothing']) {
    const answer = await call(on.server, 'GET', path, { token: on.owner })
    on.note(answer.headers['x-content-type-options'] === 'nosniff' ? 'nosniff' : `sniffed: ${path}`)
    if (path === '/health') continue
    const policy = answer.headers['content-security-policy'] ?? ''
    on.note(/default-src 'none'/.test(policy) && /sandbox/.test(policy) ? 'sandboxed' : `runs: ${path}`)
  }
  const rebound = await call(on.server, 'GET', '/v1/boards/ruled/document', { headers: { Host: 'evil.example' } })
  on.note(`rebound ${rebound.status}`)
}

const show = (peer, clock, name) => peer.send(message.awareness([{ id: 1, clock, state: JSON.stringify({ name }) }]))
const visit = (on, sub, seen = []) => Peer.open(on.server, 'claimed', {
  token: tokenFor('claimed', { sub, level: 'view' }),
  hear: payload => { if (payload[0] === 1) seen.push(Buffer.from(payload)) }
})
const told = (seen, word) => seen.some(payload => payload.includes(word))

/** Alice leaves for longer than her id is reserved; somebody else stays and keeps the room. */
async function leave (on) {
  await on.board('claimed')
  const seen = []
  await visit(on, 'watcher', seen)
  const alice = await visit(on, 'alice')
  show(alice, 5, 'Alice')
  await until(() => told(seen, 'Alice'), 'the first state')
  alice.destroy()
  await until(() => told(seen, 'null'), 'its removal')
  await pause(31_000)
}

/** Mallory takes her id, and she comes back: what is she told of it? */
async function claim (on) {
  const mallory = await visit(on, 'mallory')
  show(mallory, 6, 'Mallory')
  await mallory.settled()
  const seen = []
  const alice = await visit(on, 'alice', seen)
  show(alice, 5, 'Alice')
  await alice.settled()
  await on.over()
  on.note(told(seen, 'Mallory') ? "told another's state under her id" : "never told another's state under her id")
}

export const rules = [
  {
    row: 7,
    name: 'proto',
    about: 'a member named __proto__',
    prepare: on => on.board('ruled'),
    run: async on => {
      on.note(await sendAll(on, 'ruled', [PROTO]))
      on.note(`upload ${await on.upload('ruled', PROTO)}`)
    },
    must: ['close 1007 at 1', 'upload 400']
  },
  {
    row: 8,
    name: 'entry-before-entry',
    about: 'a map entry with a right origin',
    prepare: on => on.board('ruled'),
    run: async on => {
      on.note(await sendAll(on, 'ruled', ENTRIES))
      on.note(`upload ${await on.upload('ruled', ENTRIES[2])}`)
    },
    must: ['close 1007 at 3', 'upload 400']
  },
  {
    row: 9,
    name: 'json-of-browsers',
    about: 'embeds with JSON that browsers take and serde does not',
    prepare: async on => {
      for (const [i, update] of NUMBERS.entries()) await on.board(`ruled-${i}`, update)
    },
    run: async on => {
      for (const i of NUMBERS.keys()) {
        on.note(`json ${await on.read(`ruled-${i}`, 'document?format=json')}`)
        on.note(`items ${await on.read(`ruled-${i}`, 'items')}`)
      }
    },
    must: ['json 409', 'items 409']
  },
  {
    row: 10,
    name: 'boards-of-one-owner',
    about: '24 boards of 31 MiB by one owner who may have five, or 64 MiB',
    flags: { 'max-boards-per-owner': 5, 'max-bytes-per-owner': '64MiB' },
    prepare: async () => large(1, 31),
    run: async (on, content) => {
      for (let i = 0; i < 24 && on.running; i++) {
        const made = await call(on.server, 'POST', '/v1/boards', { token: on.owner, body: { id: `ruled-${i}` }, headers: { 'Content-Type': 'application/json' } })
        on.note(`create ${made.status}`)
        if (made.status === 201) on.note(`upload ${await on.upload(`ruled-${i}`, content)}`)
      }
    },
    must: ['create 201', 'create 409', 'upload 204', 'upload 413']
  },
  {
    row: 11,
    name: 'headers-and-hosts',
    about: 'answers that a browser could run, and a host name that leads here by rebinding',
    flags: { dev: true },
    prepare: on => on.board('ruled', bytes('010101002801016d016b0177016100')),
    run: headers,
    must: ['nosniff', 'sandboxed', ['rebound 400', 'rebound 403', 'rebound 421']]
  },
  {
    row: 13,
    name: 'claim-of-an-id',
    about: 'an id whose owner was away for 31 s is claimed by another user',
    isLong: true,
    prepare: leave,
    run: claim,
    must: ["never told another's state under her id"]
  }
]
