// Promise: who is let in, and as what, follows from the token alone, however the server's keys are
// configured.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import { freshAddress } from './support/clients.mjs'
import { Raw } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { SECRET, adminToken, mint, seconds, tokenFor } from './support/token.mjs'
import { until } from './support/wait.mjs'

// What becomes of a connection: the level ('edit' shows itself by the server's step 1), or the close code.
async function outcome (t, server, board, token, options = {}) {
  const raw = Raw.dial(t, server, board, { token, localAddress: freshAddress(), ...options })
  await until(() => raw.opened || raw.close, 'the upgrade')
  if (raw.close === null) {
    raw.send(Uint8Array.of(0, 0, 1, 0))
    await until(() => raw.all('step2').length > 0 || raw.close, 'an answer')
  }
  const result = raw.close?.code ?? (raw.all('step1').length > 0 ? 'edit' : 'less')
  raw.socket.terminate()
  return result
}

const edit = { boards: { board: 'edit' } }
const OTHER = 'another-secret-of-the-node-tests-40-byte'

describe('tokens', () => {
  let server
  before(async () => { server = await Server.start() })
  after(() => server.dispose())

  for (const [what, token, expected] of [
    ['a plain token', mint(edit), 'edit'],
    ['an integer as sub', mint({ ...edit, sub: 42 }), 'edit'],
    ['an expiry within the leeway', mint({ ...edit, exp: seconds(-15) }), 'edit'],
    ['an expiry beyond the leeway', mint({ ...edit, exp: seconds(-33) }), 4001],
    ['a start within the leeway', mint({ ...edit, nbf: seconds(15) }), 'edit'],
    ['a start beyond the leeway', mint({ ...edit, nbf: seconds(60) }), 4001],
    ['iss and aud that nobody checks', mint({ ...edit, iss: 'x', aud: ['y'] }), 'edit'],
    ['a user id of 256 bytes', mint({ ...edit, sub: 'u'.repeat(256) }), 'edit'],
    ['a user id of 257 bytes', mint({ ...edit, sub: 'u'.repeat(257) }), 4001],
    ['an empty user id', mint({ ...edit, sub: '' }), 4001],
    ['exp as a word', mint({ ...edit, exp: 'tomorrow' }), 4001],
    ['a level nobody knows', mint({ boards: { board: 'own' } }), [4001, 4003]]
  ]) {
    test(`with ${what}: ${expected}`, async t => {
      await outcome(t, server, 'board', tokenFor('board', { sub: 'maker' }))
      const got = await outcome(t, server, 'board', token)
      if (Array.isArray(expected)) assert.ok(expected.includes(got), `got ${got}`)
      else assert.equal(got, expected)
    })
  }

  test('a claim of edit creates the board, owned by sub, who then needs no claim', async t => {
    assert.equal(await outcome(t, server, 'made', mint({ sub: 'owner' })), 4004)
    assert.equal(await outcome(t, server, 'made', tokenFor('made', { sub: 'owner' })), 'edit')
    assert.equal(await outcome(t, server, 'made', mint({ sub: 'owner' })), 'edit')
    assert.equal(await outcome(t, server, 'made', mint({ sub: 'other' })), 4003)
    await server.stop()
    await server.up()
    assert.equal(await outcome(t, server, 'made', mint({ sub: 'owner' })), 'edit')
    assert.equal(await outcome(t, server, 'made', mint({ sub: 'other' })), 4003)
  })

  test('the highest of several levels counts', async t => {
    await outcome(t, server, 'highest', tokenFor('highest', { sub: 'maker' }))
    assert.equal(await outcome(t, server, 'highest', tokenFor('highest', { sub: 'guest', level: 'view' })), 'less')
    assert.equal(await outcome(t, server, 'highest', tokenFor('highest', { sub: 'maker', level: 'view' })), 'edit')
    const headers = { Authorization: `Bearer ${tokenFor('highest', { sub: 'guest' })}` }
    assert.equal(await outcome(t, server, 'highest', tokenFor('highest', { sub: 'guest', level: 'view' }), { headers }), 'edit')
  })

  test('an admin may edit every board, and creates a missing one', async t => {
    assert.equal(await outcome(t, server, 'by-admin', adminToken()), 'edit')
    assert.equal(await outcome(t, server, 'by-admin', mint({ role: 'user' })), 4003)
  })
})

describe('keys', () => {
  test('HS384 and HS512 count where they are switched on, and then HS256 only where it is named', async t => {
    const server = await Server.start({ 'jwt-algorithms': 'HS384,HS512' }, t)
    assert.equal(await outcome(t, server, 'board', mint(edit, { alg: 'HS384' })), 'edit')
    assert.equal(await outcome(t, server, 'board', mint(edit, { alg: 'HS512' })), 'edit')
    assert.equal(await outcome(t, server, 'board', mint(edit, { alg: 'HS256' })), 4001)
    assert.equal(await outcome(t, server, 'board', mint(edit, { alg: 'none' })), 4001)
  })

  test('a kid is checked against its own secret only, a token without one against all', async t => {
    const server = await Server.start({ 'jwt-secrets': `new:${OTHER}` }, t)
    const minted = (secret, kid) => mint(edit, { secret, header: kid === undefined ? {} : { kid } })
    assert.equal(await outcome(t, server, 'board', minted(OTHER, 'new')), 'edit')
    assert.equal(await outcome(t, server, 'board', minted(OTHER)), 'edit')
    assert.equal(await outcome(t, server, 'board', minted(SECRET)), 'edit')
    assert.equal(await outcome(t, server, 'board', minted(SECRET, 'new')), 4001)
    assert.equal(await outcome(t, server, 'board', minted(OTHER, 'old')), 4001)
  })

  test('issuer and audience are checked where configured', async t => {
    const server = await Server.start({ 'jwt-issuer': 'https://id.example', 'jwt-audience': 'boards' }, t)
    const minted = claims => outcome(t, server, 'board', mint({ ...edit, ...claims }))
    const iss = 'https://id.example'
    assert.equal(await minted({ iss, aud: 'boards' }), 'edit')
    assert.equal(await minted({ iss, aud: ['other', 'boards'] }), 'edit')
    assert.equal(await minted({ iss, aud: 'other' }), 4001)
    assert.equal(await minted({ iss }), 4001)
    assert.equal(await minted({ iss: 'https://evil.example', aud: 'boards' }), 4001)
    assert.equal(await minted({ aud: 'boards' }), 4001)
  })

  for (const [flags, words] of [
    [{ 'jwt-secrets': 'short:secret' }, /jwt-secrets/],
    [{ 'close-codes': 'odd' }, /close-codes.*odd/s],
    [{ 'room-idle': '5 minutes' }, /room-idle.*5 minutes/s],
    [{ 'no-such-flag': '1' }, /no-such-flag/]
  ]) {
    test(`--${Object.entries(flags)[0].join(' ')} ends with exit code 2 and names what is wrong, but no secret`, async t => {
      const server = new Server(flags)
      t.after(() => server.dispose())
      await assert.rejects(server.up(), /did not start/)
      assert.deepEqual(await server.exit, { code: 2, signal: null })
      assert.match(server.log, words)
      assert.equal(server.log.includes(SECRET), false)
    })
  }
})
