// What lies beside documents: pictures, and versions. Both are disk and memory that strangers ask for.
import { setTimeout as nap } from 'node:timers/promises'
import { call, dial, head, pour } from '../support/peer.mjs'
import { mint, tokenFor } from '../../node/support/token.mjs'
import { large } from '../support/bytes.mjs'

const MIB = 2 ** 20
/** What the bytes of a picture begin with; the rest may be anything. */
const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452000000100000001008060000001ff3ff61', 'hex')
const JSON_BODY = { 'Content-Type': 'application/json' }

function picture (bytes, number) {
  const all = Buffer.alloc(bytes, 7)
  PNG.copy(all)
  all.writeUInt32LE(number, PNG.length)
  return all
}

const path = (board, what) => `/v1/boards/${board}/${what}`
const uploadsOf = (on, sub, bytes) => call(on.server, 'POST', path('kept', 'assets'), { token: tokenFor('kept', { sub, level: 'edit' }), body: bytes })
let number = 0

async function slowly (on) {
  const sockets = await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    const socket = dial(on.server)
    const token = tokenFor('kept', { sub: `stranger-${i}`, level: 'edit' })
    await pour(socket, Buffer.concat([
      Buffer.from(head(on.server, 'POST', path('kept', 'assets'), { Authorization: `Bearer ${token}`, 'Content-Length': 20 * MIB })),
      PNG
    ]))
    let said = ''
    socket.on('data', bytes => { said += bytes.toString('latin1').slice(0, 12) })
    return { socket, said: () => said.slice(9, 12) }
  }))
  while (on.running) {
    for (const { socket } of sockets) if (!socket.destroyed) socket.write('x')
    await nap(Math.min(200, on.left))
  }
  for (const { socket, said } of sockets) {
    on.note(said() === '' ? 'still taken' : said())
    socket.destroy()
  }
}

async function unread (on, hash) {
  const token = tokenFor('kept', { sub: 'stranger', level: 'view' })
  const sockets = await Promise.all(Array.from({ length: 100 }, async () => {
    const socket = dial(on.server)
    await pour(socket, Buffer.from(head(on.server, 'GET', path('kept', `assets/${hash}`), { Authorization: `Bearer ${token}` })))
    socket.pause()
    return socket
  }))
  await on.over()
  for (const socket of sockets) {
    on.note(socket.destroyed ? 'closed' : 'waits')
    socket.destroy()
  }
}

export const keeping = [
  {
    row: 'keep',
    name: 'pictures-byte-by-byte',
    about: '200 uploads of 20 MiB by 200 users, five bytes a second each',
    prepare: on => on.board('kept'),
    run: slowly,
    must: ['still taken', '503'],
    may: ['429']
  },
  {
    row: 'keep',
    name: 'pictures-without-end',
    about: '8 users fill a board with pictures of 4 MiB; their bytes are the board\'s',
    flags: { 'max-assets-bytes': 64 * MIB },
    prepare: on => on.board('kept'),
    run: on => on.loop(8, async i => on.note(`${(await uploadsOf(on, `stranger-${i}`, picture(4 * MIB, number++))).status}`)),
    must: ['201'],
    may: ['413', '503']
  },
  {
    row: 'keep',
    name: 'pictures-that-are-none',
    about: '16 users send 20 MiB that are no picture, or have too many pixels',
    prepare: on => on.board('kept'),
    run: on => on.loop(16, async i => {
      const bytes = picture(20 * MIB, 0)
      if (i % 2 === 0) bytes.fill('<', 0, 64)
      else for (const at of [16, 20]) bytes.writeUInt32BE(30_000, at)
      on.note(`${(await uploadsOf(on, `stranger-${i}`, bytes)).status}`)
    }),
    must: ['415', '422'],
    may: ['503', 'cut']
  },
  {
    row: 'keep',
    name: 'pictures-nobody-reads',
    about: '100 viewers ask for a picture of 20 MiB and read nothing of it',
    prepare: async on => {
      await on.board('kept')
      const made = await call(on.server, 'POST', path('kept', 'assets'), { token: on.owner, body: picture(20 * MIB - 1, 0) })
      return JSON.parse(made.text).sha256
    },
    run: unread,
    must: [['waits', 'closed']],
    may: ['waits', 'closed']
  },
  {
    row: 'keep',
    name: 'versions-without-end',
    about: 'versions of a board of 31 MiB by hand, and what they were, read and restored, side by side',
    prepare: async on => {
      await on.board('kept', large(1, 31))
      const made = await call(on.server, 'POST', path('kept', 'versions'), { token: on.owner, body: { name: 'first' }, headers: JSON_BODY })
      return JSON.parse(made.text).id
    },
    run: (on, first) => on.loop(9, async i => {
      const ask = async (method, what, body) => {
        const { status } = await call(on.server, method, path('kept', what), { token: on.owner, body, headers: body === undefined ? {} : JSON_BODY })
        on.note(`${what.split('/')[0]}${what.includes('/') ? `/${what.split('/')[2]}` : ''} ${status}`)
      }
      if (i < 3) await ask('POST', 'versions', { name: `${number++}` })
      else if (i < 6) await ask('GET', `versions/${first}/document`)
      else await ask('POST', `versions/${first}/restore`, {})
    }),
    must: ['versions 201', 'versions/document 200', ['versions/restore 200', 'versions/restore 204']],
    may: ['versions 409', 'versions 503', 'versions/document 429', 'versions/document 503', 'versions/restore 409', 'versions/restore 413', 'versions/restore 429', 'versions/restore 503']
  },
  {
    row: 'keep',
    name: 'trash-and-back',
    about: 'boards that are made, deleted and brought back, by 8 users',
    run: on => on.loop(8, async i => {
      const token = mint({ sub: `stranger-${i}` })
      const id = `b${number++}`
      const ask = async (method, target, body) => on.note(`${method} ${(await call(on.server, method, target, { token, body, headers: body === undefined ? {} : JSON_BODY })).status}`)
      await ask('POST', '/v1/boards', { id })
      await ask('DELETE', `/v1/boards/${id}`)
      await ask('POST', `/v1/boards/${id}/restore`, {})
      await ask('DELETE', `/v1/boards/${id}?forever=true`)
    }),
    must: ['POST 201', 'DELETE 204'],
    may: ['POST 200', 'POST 429', 'POST 410', 'DELETE 404', 'DELETE 410', 'POST 503', 'DELETE 503']
  }
]
