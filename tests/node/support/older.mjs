// What a program of any age is given to keep, and whether another one has all of it: for tests of updates.
// Each calls what it knows of the API, so that the same life fits all formats of the data file.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { deflateSync } from 'node:zlib'
import { Api } from './api.mjs'
import { Client } from './clients.mjs'
import { BINARY } from './server.mjs'
import { until } from './wait.mjs'

/** What a packed data file holds: stretches of a byte that is repeated (count u32 le, byte) and of others (length u32 le, bytes). */
export function unpacked (path) {
  const packed = readFileSync(path)
  const parts = []
  for (let at = 0; at < packed.length;) {
    const length = packed.readUInt32LE(at + 5)
    parts.push(Buffer.alloc(packed.readUInt32LE(at), packed[at + 4]), packed.subarray(at + 9, at + 9 + length))
    at += 9 + length
  }
  return Buffer.concat(parts)
}

/** A data file as the fixtures have it: runs of 32 or more of one byte are its stretches. */
export function packed (content) {
  const parts = []
  let [run, byte, begun] = [0, 0, 0]
  const stretch = end => {
    const head = Buffer.alloc(9)
    head.writeUInt32LE(run, 0)
    head[4] = byte
    head.writeUInt32LE(end - begun, 5)
    parts.push(head, content.subarray(begun, end))
  }
  for (let at = 0; at < content.length;) {
    let end = at + 1
    while (end < content.length && content[end] === content[at]) end++
    if (end - at >= 32) {
      stretch(at)
      ;[run, byte, begun] = [end - at, content[at], end]
    }
    at = end
  }
  stretch(content.length)
  return Buffer.concat(parts)
}

/** The smallest picture there is: one pixel, as PNG. */
function png () {
  const crcs = Array.from({ length: 256 }, (_, n) => {
    for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1
    return n >>> 0
  })
  const chunk = (name, body) => {
    const bytes = Buffer.concat([Buffer.from(name), body])
    const whole = Buffer.alloc(bytes.length + 8)
    whole.writeUInt32BE(body.length)
    bytes.copy(whole, 4)
    whole.writeUInt32BE((bytes.reduce((crc, one) => crcs[(crc ^ one) & 255] ^ (crc >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0, bytes.length + 4)
    return whole
  }
  const head = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0])
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', head), chunk('IDAT', deflateSync(Buffer.alloc(4))), chunk('IEND', Buffer.alloc(0))])
}

/** Writes into a board as people do, and waits until the server has it. */
export async function draw (server, board, entries) {
  const client = new Client(server, board)
  await client.synced()
  for (const [key, value] of Object.entries(entries)) client.set(key, value)
  // Whoever comes after sees it, so that the server has it.
  const other = new Client(server, board, { sub: 'bob' })
  await other.synced()
  for (const [key, value] of Object.entries(entries)) await other.sees(key, value)
  client.destroy()
  other.destroy()
}

const PLAN = '/v1/boards/plan'

/** Fills the file of a server, and says with what, as far as its program knows of it. */
export async function fill (server) {
  const admin = Api.admin(server)
  const alice = Api.user(server)
  /** What a call made, or nothing where the program does not know the call. */
  const made = async (method, path, body, as = alice) => {
    const answer = await as.call(method, path, body)
    if ([404, 405].includes(answer.status)) return undefined
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body ?? true
  }
  const told = { boards: ['plan', 'sketch'] }
  if (await made('POST', '/v1/boards', { id: 'plan', title: 'The plan' }) !== undefined) {
    told.owner = 'alice'
    await alice.ok('POST', '/v1/boards', { id: 'sketch', title: 'The sketch' })
    await alice.ok('PUT', `${PLAN}/permissions/users/bob`, { level: 'edit' })
    told.granted = 'bob'
    told.link = (await alice.ok('POST', `${PLAN}/links`, { level: 'view' })).token
    told.key = (await alice.ok('POST', `${PLAN}/keys`, { name: 'agent', level: 'edit' })).key
    told.audit = true
    await alice.ok('POST', '/v1/boards', { id: 'gone' })
    const toTrash = await made('POST', '/v1/boards/plan/restore').catch(() => true)
    await alice.ok('DELETE', toTrash ? '/v1/boards/gone?forever=true' : '/v1/boards/gone')
    told.gone = 'gone'
    if (toTrash) {
      await alice.ok('POST', '/v1/boards', { id: 'shelf', title: 'Put away' })
      await draw(server, 'shelf', { kept: 'in the trash' })
      await alice.ok('DELETE', '/v1/boards/shelf')
      told.trashed = 'shelf'
    }
  }
  await draw(server, 'plan', { one: 'note 1', two: 'note 2', three: 'note 3' })
  await draw(server, 'sketch', { one: 'a line' })
  if (told.owner !== undefined) {
    const invite = await made('POST', '/v1/invites', { name: 'Carol' }, admin)
    if (invite !== undefined) {
      const taken = await new Api(server, { headers: { Origin: server.http } }).call('POST', '/v1/session', { invite: invite.url.split('#invite=')[1] })
      assert.equal(taken.status, 201, JSON.stringify(taken.body))
      told.session = taken.headers['set-cookie'][0].split(';')[0]
    }
    const asset = await alice.call('POST', `${PLAN}/assets`, png(), { 'Content-Type': 'image/png' })
    if (asset.status === 201) {
      told.asset = asset.body.sha256
      // One that nothing names goes after some days.
      await alice.ok('POST', `${PLAN}/items`, { type: 'image', x: 0, y: 0, content: { asset: told.asset } })
    }
    const version = await made('POST', `${PLAN}/versions`, { name: 'first' })
    if (version !== undefined) told.version = String(version.id)
    const webhook = await made('POST', `${PLAN}/webhooks`, { url: 'https://example.com/hook' })
    if (webhook !== undefined) told.webhook = webhook.id
  }
  return told
}

/** Checks that a server has what was told; of what its program does not know nothing is asked. */
export async function has (server, told) {
  const [admin, alice] = [Api.admin(server), Api.user(server, told.owner ?? 'root', told.owner === undefined ? { role: 'admin' } : {})]
  const document = board => admin.ok('GET', `/v1/boards/${board}/document?format=json`)
  const plan = JSON.stringify(await document('plan'))
  for (const note of ['note 1', 'note 2', 'note 3']) assert.ok(plan.includes(note), `${note} is in ${plan}`)
  for (const board of told.boards) await document(board)
  const knows = async path => !(await admin.call('GET', path)).body?.code?.match(/not_found|no_such_path|unknown_path/)
  if (told.owner !== undefined) {
    const listed = (await alice.all('/v1/boards')).filter(({ id }) => told.boards.includes(id))
    assert.deepEqual(listed.map(({ id, owner }) => [id, owner]).sort(), told.boards.map(id => [id, told.owner]))
    assert.equal((await alice.ok('GET', PLAN)).title, 'The plan')
  }
  if (told.granted !== undefined) assert.equal((await Api.user(server, told.granted).ok('GET', PLAN)).level, 'edit')
  if (told.link !== undefined) assert.equal((await new Api(server, { share: told.link }).ok('GET', PLAN)).level, 'view')
  if (told.key !== undefined) assert.equal((await new Api(server, { key: told.key }).ok('GET', PLAN)).level, 'edit')
  if (told.session !== undefined) {
    const session = await new Api(server, { headers: { Cookie: told.session } }).ok('GET', '/v1/session')
    assert.match(JSON.stringify(session), /Carol/, 'a browser that was signed in still is')
  }
  if (told.audit !== undefined) assert.ok((await alice.all(`${PLAN}/audit`)).some(({ action }) => action === 'board.create'))
  if (told.gone !== undefined) assert.equal((await admin.call('GET', `/v1/boards/${told.gone}`)).status, 410)
  if (told.trashed !== undefined && await knows('/v1/boards?trash=true')) {
    const trash = await admin.ok('GET', '/v1/boards?trash=true')
    assert.deepEqual(trash.items.map(({ id }) => id), [told.trashed])
  }
  if (told.asset !== undefined && await knows(`${PLAN}/assets`)) {
    const { status, body } = await alice.call('GET', `${PLAN}/assets/${told.asset}`)
    assert.equal(status, 200, `the picture: ${JSON.stringify(body)}`)
    assert.equal(createHash('sha256').update(body).digest('hex'), told.asset)
  }
  if (told.version !== undefined && await knows(`${PLAN}/versions`)) {
    const answer = await alice.call('GET', `${PLAN}/versions/${told.version}/document`)
    assert.ok(answer.status === 200 && answer.body.includes('note 3'), `version ${told.version}: ${answer.status}`)
  }
  if (told.webhook !== undefined && await knows(`${PLAN}/webhooks`)) {
    assert.deepEqual((await alice.all(`${PLAN}/webhooks`)).map(({ id }) => id), [told.webhook])
  }
  for (const [key, value] of Object.entries(told.drawn ?? {})) {
    await until(async () => JSON.stringify(await document('plan')).includes(JSON.stringify(value)), `${key}: ${value}`)
  }
}

/** Runs a command of a program: its code and words. */
export function command (words, binary = BINARY) {
  const ran = spawnSync(binary, words, { encoding: 'utf8', env: { PATH: process.env.PATH, BOARDWIRE_CONFIG: '' } })
  return { code: ran.status, words: ran.stdout + ran.stderr }
}

/** The SHA-256 of a file. */
export const hash = path => createHash('sha256').update(readFileSync(path)).digest('hex')
