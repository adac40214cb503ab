// Promise: what a board's webhook is sent is verified by the official library of Standard Webhooks, also over
// TLS, and by the receiver that docs/webhooks.md shows.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { Api } from './support/api.mjs'
import { examples } from './support/examples.mjs'
import { Server } from './support/server.mjs'
import { until } from './support/wait.mjs'

/** An authority of its own, and its certificate for `localhost`. */
const CERTIFICATES = `
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem &&
  openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr &&
  printf 'subjectAltName=DNS:localhost' >names &&
  openssl x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out server.pem`

/** A server on a free port, `localhost` only, that keeps what it is sent. */
async function receive (t, start) {
  const came = []
  const receiver = start((request, answer) => {
    let body = ''
    request.setEncoding('utf8').on('data', chunk => { body += chunk }).on('end', () => {
      came.push({ body, headers: request.headers })
      answer.writeHead(204).end()
    })
  })
  await new Promise(resolve => receiver.listen(0, 'localhost', resolve))
  t.after(() => receiver.close())
  return { came, port: receiver.address().port }
}

/** A port that nobody listens on. */
async function freePort () {
  const holder = http.createServer()
  await new Promise(resolve => holder.listen(0, 'localhost', resolve))
  const { port } = holder.address()
  await new Promise(resolve => holder.close(resolve))
  return port
}

describe('webhooks', () => {
  let server
  let alice
  let directory
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'boardwire-hooks-'))
    execFileSync('sh', ['-c', CERTIFICATES], { cwd: directory, stdio: 'ignore' })
    process.env.SSL_CERT_FILE = join(directory, 'ca.pem')
    server = await Server.start({ 'webhook-private-addresses': 'on' })
    alice = Api.user(server)
  })
  after(() => {
    server?.dispose()
    rmSync(directory, { recursive: true, force: true })
  })

  const draw = (board, id) => alice.call('POST', `/v1/boards/${board}/items`, { id, type: 'sticky', x: 0, y: 0 })
  const hook = async (board, url) => {
    const { status, body } = await alice.call('POST', `/v1/boards/${board}/webhooks`, { url, types: ['item'] })
    assert.equal(status, 201)
    return body
  }

  for (const scheme of ['http', 'https']) {
    test(`over ${scheme}, the official library verifies a delivery and refuses one that was changed`, async t => {
      const board = `hook-${scheme}`
      await alice.create(board)
      const keys = { key: readFileSync(join(directory, 'server.key')), cert: readFileSync(join(directory, 'server.pem')) }
      const start = scheme === 'http' ? http.createServer : listener => https.createServer(keys, listener)
      const receiver = await receive(t, start)
      const { secret } = await hook(board, `${scheme}://localhost:${receiver.port}/hook`)
      await draw(board, 'hello')
      await until(() => receiver.came.length > 0, 'a delivery')
      const [{ body, headers }] = receiver.came
      const library = new Webhook(secret)
      const told = library.verify(body, headers)
      assert.equal(told.board, board)
      assert.deepEqual(told.events.map(({ event, id }) => [event, id]), [['item.created', 'hello']])
      assert.throws(() => library.verify(body.replace('hello', 'hallo'), headers))
      assert.throws(() => new Webhook(`whsec_${'A'.repeat(43)}=`).verify(body, headers))
    })
  }

  test('a certificate of another name is not trusted', async t => {
    await alice.create('hook-name')
    const keys = { key: readFileSync(join(directory, 'server.key')), cert: readFileSync(join(directory, 'server.pem')) }
    const receiver = await receive(t, listener => https.createServer(keys, listener))
    await hook('hook-name', `https://127.0.0.1:${receiver.port}/hook`)
    await draw('hook-name', 'hello')
    const delivery = async () => (await alice.call('GET', '/v1/boards/hook-name/webhooks')).body.items[0].delivery
    const failed = await until(delivery, 'a try')
    assert.equal(failed.last_error, 'its certificate is not trusted, or is of another name')
    assert.equal(receiver.came.length, 0)
  })

  test('the receiver of docs/webhooks.md takes what is ours and nothing else', async t => {
    const page = examples(readFileSync(new URL('../../docs/webhooks.md', import.meta.url), 'utf8'))
    const example = page.find(({ name }) => name === 'receiver.py')
    const { code } = example
    await alice.create('hook-docs')
    const port = await freePort()
    const { secret } = await hook('hook-docs', `http://localhost:${port}/`)
    const child = spawn('python3', ['-c', code], { env: { ...process.env, PORT: String(port), WEBHOOK_SECRET: secret }, stdio: ['ignore', 'pipe', 'inherit'] })
    t.after(() => child.kill())
    let printed = ''
    child.stdout.setEncoding('utf8').on('data', chunk => { printed += chunk })
    await draw('hook-docs', 'hello')
    await until(() => printed.includes('item.created hello'), 'what the receiver prints')
    const headers = { 'webhook-id': 'msg_x', 'webhook-timestamp': String(Math.floor(Date.now() / 1000)), 'webhook-signature': 'v1,AAAA' }
    const forged = await fetch(`http://localhost:${port}/`, { method: 'POST', headers, body: '{"board":"x","events":[]}' })
    assert.equal(forged.status, 401)
  })
})
