// Floods: what is ordinary one by one, without a pause and without an end.
import { frame, gapped, large, message, update } from '../support/bytes.mjs'
import { call, dial, head, Peer, pour } from '../support/peer.mjs'
import { mint } from '../../node/support/token.mjs'

const JSON_BODY = { 'Content-Type': 'application/json' }
/** What a connection that is too much may come to. */
const THROWN_OUT = ['close 1002', 'close 1008', 'close 1009', 'close 1013']

const nap = ms => new Promise(resolve => setTimeout(resolve, ms))

/** A flood of the same bytes on `count` connections, as fast as the server reads. */
const flood = (name, about, count, level, bytes, { must, content } = {}) => ({
  row: 'flood',
  name,
  about,
  prepare: async on => {
    await on.board('flooded', content?.())
    return bytes()
  },
  run: async (on, sent) => {
    const peers = await on.crowd(count, 'flooded', level)
    await Promise.all(peers.map(({ socket }) => on.flood(socket, () => sent)))
    on.noteAll(peers)
  },
  must: must ?? [['open', ...THROWN_OUT]]
})

const many = (count, bytes) => Buffer.concat(Array.from({ length: count }, () => bytes))
const pings = () => many(4_096, frame(Buffer.alloc(0), { opcode: 9 }))
const fragment = length => frame(Buffer.alloc(length), { opcode: 0, fin: false })
/** A message that has begun, by its first byte; what follows are fragments of it. */
const fragments = (name, about, length) => ({
  ...flood(name, about, 16, 'view', () => many(4_096, fragment(length))),
  run: async (on, sent) => {
    const peers = await on.crowd(16, 'flooded', 'view')
    await Promise.all(peers.map(async ({ socket }) => {
      await pour(socket, frame(Buffer.alloc(1), { fin: false }))
      await on.flood(socket, () => sent)
    }))
    on.noteAll(peers)
  }
})

/** What is done again and again with an answer of its own, side by side. */
const repeated = (name, about, count, prepare, act, must, may = []) => ({
  row: 'flood', name, about, prepare, must, may, run: (on, prepared) => on.loop(count, i => act(on, i, prepared))
})

const flooded = on => on.board('flooded')

async function slowHeads (on) {
  const bytes = Buffer.from(head(on.server, 'GET', '/health'))
  const sockets = Array.from({ length: 500 }, () => dial(on.server))
  for (let at = 0; on.running; at++) {
    for (const socket of sockets) if (!socket.destroyed) socket.write(bytes.subarray(at % (bytes.length - 4), at % (bytes.length - 4) + 1))
    await nap(Math.min(200, on.left))
  }
  for (const socket of sockets) on.note(socket.destroyed || socket.readyState !== 'open' ? 'cut' : 'open')
}

async function connects (on) {
  const socket = dial(on.server)
  await new Promise(resolve => {
    socket.once('connect', resolve)
    socket.once('close', resolve)
  })
  on.note(socket.destroyed ? 'no connection' : 'connected')
  socket.destroy()
}

async function upgrades (on) {
  const peer = await on.join('flooded')
  on.note(peer.state)
  peer.destroy()
}

/** One of many addresses of this machine: the first refusal of each is at once, later ones are held. */
const anyAddress = () => `127.0.${1 + Math.floor(Math.random() * 250)}.${1 + Math.floor(Math.random() * 250)}`

/** A connection that is refused, and a call; a refusal that is held is left behind. */
async function refused (on, options) {
  const localAddress = anyAddress()
  const peer = new Peer(on.server, 'flooded', { ...options, localAddress })
  on.note(`upgrade: ${await peer.end(Math.min(1_000, on.left))}`)
  peer.destroy()
  const query = options.share === undefined ? '' : `?share=${options.share}`
  on.note(`call: ${(await call(on.server, 'GET', `/v1/boards/flooded${query}`, { token: options.token, localAddress })).status}`)
}

async function badTokens (on, i) {
  const token = i % 2 === 0 ? mint({ sub: 'eve' }, { secret: 'not the secret of this server, but as long' }) : mint({ sub: 'eve' })
  await refused(on, { token })
}

async function guesses (on) {
  const share = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url')
  await refused(on, { share })
}

/** Grants and takes away, where 20 connections of the same user come back each time. */
async function toggled (on) {
  const path = '/v1/boards/flooded/permissions/users/bob'
  const token = mint({ sub: 'bob' })
  const comesBack = on.loop(20, async () => {
    const peer = await Peer.open(on.server, 'flooded', { token })
    on.note(`bob: ${await peer.end(Math.min(500, on.left))}`)
    peer.destroy()
  })
  const toggles = on.loop(1, async () => {
    on.note(`grant ${(await call(on.server, 'PUT', path, { token: on.owner, body: { level: 'edit' }, headers: JSON_BODY })).status}`)
    on.note(`removal ${(await call(on.server, 'DELETE', path, { token: on.owner })).status}`)
  })
  await Promise.all([comesBack, toggles])
}

/** A thousand items made and removed again, by one of two callers on boards of their own. */
async function batches (on, i) {
  const batch = operations => call(on.server, 'POST', `/v1/boards/flooded-${i}/items/batch`, { token: on.owner, body: { operations }, headers: JSON_BODY })
  const items = Array.from({ length: 1_000 }, (_, at) => ({ id: crypto.randomUUID(), type: 'sticky', x: at, y: at, content: { text: 'flood' } }))
  on.note(`made ${(await batch(items.map(item => ({ action: 'create', item })))).status}`)
  on.note(`removed ${(await batch(items.map(({ id }) => ({ action: 'delete', item: { id } })))).status}`)
}

/** 64 messages in each frame; once 65, which is one too many. */
const packed = count => frame(many(count, message.awareness([{ id: 7, clock: 1, state: '{}' }])))

export const floods = [
  flood('pings', 'empty pings by 16 viewers', 16, 'view', pings),
  fragments('fragments-of-one-byte', 'messages in fragments of one byte, by 16 viewers', 1),
  fragments('fragments-of-none', 'messages in fragments without a byte, by 16 viewers', 0),
  {
    row: 'flood',
    name: 'joins',
    about: '100 viewers who join a board of 20 MB at once, take it all, leave and come back',
    prepare: on => on.board('joined', large(1, 20)),
    run: on => on.loop(100, async i => {
      const peer = await on.join('joined', 'view', { sub: `stranger-${i}` })
      const state = await peer.settled(on.left)
      await Promise.race([peer.taken(), on.over()])
      // Who has not come to the end when the time is up is nothing to note.
      if (on.running) on.note(`join ${state}`)
      peer.destroy()
    }),
    must: ['join open'],
    may: ['join close 1013']
  },
  {
    row: 'flood',
    name: 'documents',
    about: '100 readers who each get a board of 20 MB over HTTP, again and again',
    prepare: on => on.board('read', large(1, 20)),
    run: on => on.loop(100, async () => on.note(`document ${await on.read('read', 'document', 60_000)}`)),
    must: ['document 200'],
    may: ['document 429', 'document 503']
  },
  { row: 'flood', name: 'slow-heads', about: '500 requests whose heads come byte by byte', run: slowHeads, must: [['open', 'cut']] },
  repeated('connects', 'connections that end at once', 16, undefined, connects, ['connected']),
  repeated('upgrades', 'upgrades of viewers who leave at once', 16, flooded, upgrades, ['open'], ['close 1013']),
  repeated('bad-tokens', 'tokens of a wrong secret, and good ones without a right', 16, flooded, badTokens,
    ['call: 401', 'call: 403'], ['upgrade: close 4001', 'upgrade: close 4003', 'upgrade: status 401', 'upgrade: status 403', 'upgrade: open']),
  repeated('guesses', 'guesses at share links', 16, flooded, guesses, ['call: 401'], ['upgrade: close 4001', 'upgrade: status 401', 'upgrade: open']),
  {
    row: 'flood',
    name: 'toggled-access',
    about: 'a grant given and taken away, while 20 connections of its user come back',
    prepare: flooded,
    run: toggled,
    must: ['grant 200', 'removal 204', 'bob: close 4003'],
    may: ['bob: open', 'bob: status 403']
  },
  repeated('batches', 'batches of 1,000 items on two boards, made and removed', 2, async on => {
    for (let i = 0; i < 2; i++) await on.board(`flooded-${i}`)
  }, batches, ['made 200', 'removed 200'], ['made 429', 'removed 429', 'made 413', 'removed 404', 'removed 422']),
  flood('full-frames', 'frames of 64 messages by 16 viewers', 16, 'view', () => many(64, packed(64)), { must: ['open'] }),
  flood('frames-too-full', 'frames of 65 messages', 1, 'view', () => packed(65), { must: ['close 1007'] }),
  flood('steps', 'step 1 without a pause by 16 viewers who read, on a board of 1 MB', 16, 'view', () => many(16, frame(message.step1())),
    { must: ['open'], content: () => gapped(1, 1_000_000, 0) }),
  {
    row: 'flood',
    name: 'presence-of-others',
    about: "8,000 states of other people's ids in a message, by 16 viewers, without a pause",
    prepare: async on => {
      await flooded(on)
      const owners = await Promise.all(Array.from({ length: 8 }, (_, i) => on.join('flooded', 'edit', { sub: `owner-${i}` })))
      for (const [i, owner] of owners.entries()) owner.send(message.awareness(Array.from({ length: 8 }, (_, id) => ({ id: 1 + 8 * i + id, clock: 1, state: '{"name":"owner"}' }))))
      await Promise.all(owners.map(owner => owner.settled()))
      return frame(message.awareness(Array.from({ length: 8_000 }, (_, i) => ({ id: 1 + i % 64, clock: 2 + i, state: '{"name":"forged"}' }))))
    },
    run: async (on, bytes) => {
      let forged = 0
      const watcher = await on.join('flooded', 'view', { hear: payload => { if (Buffer.from(payload).includes('forged')) forged++ } })
      const peers = await on.crowd(16, 'flooded')
      await Promise.all(peers.map(({ socket }) => on.flood(socket, () => bytes)))
      on.noteAll(peers)
      on.note(forged === 0 ? 'nothing forged was told' : 'told what was forged')
      watcher.destroy()
    },
    must: [['open', ...THROWN_OUT], 'nothing forged was told']
  },
  flood('unknown-updates', 'updates that build on nothing, by 8 editors', 8, 'edit',
    () => many(64, frame(message.update(update([{ client: 9, clock: 5, count: 1, build: bytes => bytes.byte(0).number(1) }])))), { must: ['open'] })
]
