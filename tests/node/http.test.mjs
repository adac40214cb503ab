// Promise: what a browser, a load balancer or curl sees over plain HTTP is what the contract says.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import http from 'node:http'
import net from 'node:net'
import { Client, freshAddress } from './support/clients.mjs'
import { Raw } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { Unconfirmed } from './support/echo.mjs'
import { mint, tokenFor } from './support/token.mjs'
import { until } from './support/wait.mjs'

// One request without an upgrade unless the headers ask for it: `{ status, headers, body }`.
const request = (server, path, { headers = {}, method = 'GET', localAddress } = {}) => new Promise((resolve, reject) => {
  const sent = http.request({ host: server.host, port: server.port, path, headers, method, localAddress, agent: false }, answer => {
    let body = ''
    answer.setEncoding('utf8').on('data', chunk => { body += chunk }).on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body }))
  })
  sent.on('upgrade', (answer, socket) => { socket.destroy(); resolve({ status: answer.statusCode, headers: answer.headers, body: '' }) })
  sent.on('error', reject).end()
})

const UPGRADE = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' }

describe('plain HTTP', () => {
  let server
  before(async () => {
    server = await Server.start()
    const owner = new Client(server, 'known')
    await owner.synced()
    owner.destroy()
  })
  after(() => server.dispose())

  for (const [what, path, status, code] of [
    ['no token', '/ws/canvas/known', 401],
    ['an invalid token', '/ws/canvas/known?token=letmein', 401],
    ['no permission', `/ws/canvas/known?token=${mint({ sub: 'stranger' })}`, 403],
    ['a board that does not exist', `/ws/canvas/missing?token=${tokenFor('missing', { level: 'view' })}`, 404],
    ['an invalid board id', `/ws/canvas/not%20good?token=${tokenFor('known')}`, 400, 'invalid_board_id'],
    ['a good token', `/ws/canvas/known?token=${tokenFor('known')}`, 426],
    ['an unknown path', '/nothing/here', 404]
  ]) {
    test(`a request without an upgrade and with ${what} answers ${status}`, async () => {
      const answer = await request(server, path)
      assert.equal(answer.status, status)
      assert.match(answer.headers['content-type'], /^application\/problem\+json/)
      const problem = JSON.parse(answer.body)
      assert.equal(problem.status, status)
      assert.match(problem.code, /^[a-z][a-z0-9_]*$/)
      if (code !== undefined) assert.equal(problem.code, code)
      for (const field of ['type', 'title', 'detail']) assert.equal(typeof problem[field], 'string', field)
      if (status === 426) assert.equal(answer.headers.upgrade.toLowerCase(), 'websocket')
    })
  }

  test('GET /health counts rooms and connections', async t => {
    const before = await server.health()
    await Raw.open(t, server, 'health-1')
    await Raw.open(t, server, 'health-1')
    await Raw.open(t, server, 'health-2')
    const health = await until(async () => {
      const now = await server.health()
      return now.connections === before.connections + 3 && now
    }, 'three more connections')
    assert.equal(health.status, 'ok')
    assert.equal(health.rooms, before.rooms + 2)
    assert.equal(typeof health.version, 'string')
    assert.equal(typeof health.uptime_seconds, 'number')
  })

  test('HEAD works where GET does, and 405 names what is allowed', async () => {
    const head = await request(server, '/health', { method: 'HEAD' })
    assert.equal(head.status, 200)
    assert.equal(head.body, '')
    const post = await request(server, '/health', { method: 'DELETE' })
    assert.equal(post.status, 405)
    assert.match(post.headers.allow, /GET/)
  })

  test('a refused origin is a plain 403, the own host and no origin are let in', async () => {
    const path = `/ws/canvas/known?token=${tokenFor('known')}`
    const from = Origin => request(server, path, { headers: { ...UPGRADE, ...(Origin === undefined ? {} : { Origin }) }, localAddress: freshAddress() })
    assert.equal((await from('https://evil.example')).status, 403)
    assert.equal((await from('null')).status, 403)
    assert.equal((await from(`http://${server.host}:${server.port}`)).status, 101)
    assert.equal((await from(undefined)).status, 101)
  })

  test('--allow-origin lets in those named', async t => {
    const own = await Server.start({ 'allow-origin': ['https://one.example', 'https://two.example'] }, t)
    const path = `/ws/canvas/known?token=${tokenFor('known')}`
    const from = Origin => request(own, path, { headers: { ...UPGRADE, Origin }, localAddress: freshAddress() })
    assert.equal((await from('https://one.example')).status, 101)
    assert.equal((await from('https://two.example')).status, 101)
    assert.equal((await from('https://three.example')).status, 403)
    assert.equal((await from('https://one.example.evil')).status, 403)
  })

  test('the accept key is that of RFC 6455 section 1.3', async () => {
    const answer = await request(server, `/ws/canvas/known?token=${tokenFor('known')}`, { headers: UPGRADE })
    assert.equal(answer.status, 101)
    assert.equal(answer.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    assert.equal(answer.headers['sec-websocket-extensions'], undefined)
  })

  for (const [what, change] of [['version 8', { 'Sec-WebSocket-Version': '8' }], ['a short key', { 'Sec-WebSocket-Key': 'c2hvcnQ=' }]]) {
    test(`an upgrade with ${what} is not accepted`, async () => {
      const answer = await request(server, `/ws/canvas/known?token=${tokenFor('known')}`, { headers: { ...UPGRADE, ...change } })
      assert.ok(answer.status >= 400 && answer.status < 500, `status ${answer.status}`)
    })
  }

  for (const [what, bytes] of [
    ['two lengths', 'GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    ['a length with chunking', 'GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['bare line feeds', 'GET /health HTTP/1.1\nHost: x\n\n'],
    ['a folded header', 'GET /health HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n'],
    ['no host', 'GET /health HTTP/1.1\r\n\r\n']
  ]) {
    test(`a request with ${what} answers 400 and ends the connection`, async t => {
      const socket = net.connect(server.port, server.host)
      t.after(() => socket.destroy())
      let received = ''
      let ended = false
      socket.setEncoding('latin1').on('data', chunk => { received += chunk }).on('close', () => { ended = true }).on('error', () => {})
      socket.write(bytes)
      await until(() => ended, () => `the end of the connection; got ${received}`)
      assert.match(received, /^HTTP\/1\.1 400 /)
    })
  }

  test('a connection is kept alive for several requests', async t => {
    const socket = net.connect(server.port, server.host)
    t.after(() => socket.destroy())
    let received = ''
    socket.setEncoding('latin1').on('data', chunk => { received += chunk })
    const one = `GET /health HTTP/1.1\r\nHost: ${server.host}\r\n\r\n`
    socket.write(one + one)
    await until(() => received.split('HTTP/1.1 200').length === 3, () => `two answers to two requests in one write: ${received}`)
    socket.write(one)
    await until(() => received.split('HTTP/1.1 200').length === 4, () => `a third answer: ${received}`)
  })

  test('a token may come in the header', async t => {
    const raw = await Raw.open(t, server, 'known', { token: null, headers: { Authorization: `Bearer ${tokenFor('known')}` } })
    await raw.settled()
  })
})

describe('GET /v1/boards/{b}/document', () => {
  let server
  before(async () => { server = await Server.start() })
  after(() => server.dispose())

  test('?format=json gives the shared types by name', async t => {
    const client = await Client.open(t, server, 'export').synced()
    const unconfirmed = new Unconfirmed(client)
    client.doc.transact(() => {
      client.set('shape:1', { x: 1, y: 2, text: 'ä🎨' })
      client.set('nested', new client.Y.Map([['deep', new client.Y.Map([['er', [1, 2]]])]]))
      client.doc.getArray('list').push([1, 'two', null])
      client.doc.getText('title').insert(0, 'a title')
    })
    await unconfirmed.none()
    const answer = await request(server, '/v1/boards/export/document?format=json', { headers: { Authorization: `Bearer ${tokenFor('export', { level: 'view' })}` } })
    assert.equal(answer.status, 200)
    assert.match(answer.headers['content-type'], /^application\/json/)
    const json = JSON.parse(answer.body)
    assert.deepEqual(json.map, { 'shape:1': { x: 1, y: 2, text: 'ä🎨' }, nested: { deep: { er: [1, 2] } } })
    assert.deepEqual(json.list, [1, 'two', null])
    assert.equal(json.title, 'a title')
    client.set('shape:1', { x: 5 })
    await until(async () => {
      const again = await request(server, '/v1/boards/export/document?format=json', { headers: { Authorization: `Bearer ${tokenFor('export', { level: 'view' })}` } })
      return JSON.parse(again.body).map['shape:1'].x === 5
    }, 'the later edit in the export')
  })

  test('is refused to those who may not view, with the statuses of the table', async t => {
    await Client.open(t, server, 'export-refused').synced()
    const status = async (board, token) => {
      const headers = token === null ? {} : { Authorization: `Bearer ${token}` }
      return (await request(server, `/v1/boards/${board}/document?format=json`, { headers })).status
    }
    assert.equal(await status('export-refused', null), 401)
    assert.equal(await status('export-refused', 'letmein'), 401)
    assert.equal(await status('export-refused', mint({ sub: 'stranger' })), 403)
    assert.equal(await status('export-missing', tokenFor('export-missing', { level: 'view' })), 404)
  })

  test('a board that holds a subdocument still syncs, and says so when asked for JSON', async t => {
    const client = await Client.open(t, server, 'subdocument').synced()
    const unconfirmed = new Unconfirmed(client)
    client.map.set('sub', new client.Y.Doc())
    await unconfirmed.none()
    const answer = await request(server, '/v1/boards/subdocument/document?format=json', { headers: { Authorization: `Bearer ${tokenFor('subdocument')}` } })
    assert.equal(answer.status, 409)
    assert.equal(JSON.parse(answer.body).code, 'content_unsupported')
    const late = await Client.open(t, server, 'subdocument', { sub: 'late' }).synced()
    assert.ok(late.map.get('sub'))
  })
})
