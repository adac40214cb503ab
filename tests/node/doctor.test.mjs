// Promise: `boardwire doctor` finds what is wrong with a machine, a store and the way to a server, names what
// would be right, calls nothing wrong that is well, and leaves nothing behind.
import { test, describe } from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HOST, runNginx, UPGRADE } from '../browser/support/nginx.mjs'
import { Api } from './support/api.mjs'
import { freePort, Postgres } from './support/postgres.mjs'
import { BINARY, Server } from './support/server.mjs'
import { adminToken, SECRET } from './support/token.mjs'
import { within } from './support/wait.mjs'

/** Of `openssl rand -base64 32`. */
const RANDOM = 'fHnVb0CkG0m0y0cXvN8f5oQ2nZrQwq1pO3ykq0d9yXU='

const ADDRESS = 'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;'

/** How it went: the exit code, what it printed, and its findings by check, the worst of each. */
async function doctor (args, { env = {}, by = [] } = {}) {
  const [program, ...rest] = [...by, BINARY, 'doctor', '--json', ...args]
  const child = spawn(program, rest, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, said] = ['', '']
  child.stdout.setEncoding('utf8').on('data', chunk => { out += chunk })
  child.stderr.setEncoding('utf8').on('data', chunk => { said += chunk })
  const code = await within(new Promise(resolve => child.on('close', resolve)), 60_000, 'boardwire doctor')
  assert.match(out + said, /^[\n -~]*$/, 'plain text')
  if (out === '') return { code, said, of: {} }
  const report = JSON.parse(out)
  const order = ['ok', 'warning', 'wrong']
  const of = {}
  for (const finding of report.findings) {
    assert.equal(finding.right === null, finding.level === 'ok', JSON.stringify(finding))
    if (of[finding.check] === undefined || order.indexOf(finding.level) > order.indexOf(of[finding.check].level)) of[finding.check] = finding
  }
  assert.equal(code, report.wrong > 0 ? 1 : 0, out)
  return { code, said, of, report }
}

/** That a check came to this, with these words in what is and what would be right. */
function assertFound (found, check, level, ...words) {
  const finding = found.of[check]
  assert.ok(finding !== undefined, `${check}: ${JSON.stringify(found.of)}`)
  const text = `${finding.what} -> ${finding.right}`
  assert.equal(finding.level, level, `${check}: ${text}`)
  for (const word of words) assert.ok(text.includes(word), `${check}: ${text}`)
}

/** That nothing is wrong but the checks named. */
function assertWrong (found, ...checks) {
  const wrong = Object.values(found.of).filter(({ level }) => level === 'wrong').map(({ check }) => check)
  assert.deepEqual(wrong.sort(), checks.sort(), JSON.stringify(found.of, null, 1))
}

function directory (t) {
  const path = mkdtempSync(join(tmpdir(), 'boardwire-doctor-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Settings of a server that is not started: all of them are well. */
async function settings (t, more = {}) {
  const path = directory(t)
  const flags = { listen: `127.0.0.1:${await freePort()}`, data: join(path, 'boards.redb'), 'public-url': 'https://boards.example.com', 'trusted-proxy': '127.0.0.1', ...more }
  return { path, args: Object.entries(flags).filter(([, value]) => value !== null).flatMap(([name, value]) => [`--${name}`, value]) }
}

const secret = text => ({ env: { BOARDWIRE_JWT_SECRET: text } })

describe('on the machine', { concurrency: 2 }, () => {
  test('nothing is wrong before the first start, and nothing is left behind', async t => {
    const { path, args } = await settings(t)
    const found = await doctor(args, secret(RANDOM))
    assertWrong(found)
    for (const check of ['settings', 'secret', 'public-url', 'trusted-proxy', 'port', 'data', 'clock']) assertFound(found, check, 'ok')
    for (const check of ['open-files', 'fsync', 'space', 'memory']) assert.ok(found.of[check] !== undefined, check)
    assertFound(found, 'data', 'ok', 'the server makes it')
    assert.deepEqual(readdirSync(path), [], 'nothing was made')
    assert.ok(!JSON.stringify(found.report).includes(RANDOM))
  })

  test('a server that runs has its port and its file; a stopped one has left the file whole', async t => {
    const server = await Server.start({}, t)
    const args = ['--data', server.data, '--listen', `127.0.0.1:${server.port}`]
    const found = await doctor(args, secret(RANDOM))
    assertWrong(found)
    assertFound(found, 'port', 'ok', 'runs at', 'is well')
    assertFound(found, 'data', 'ok', 'in use by a server')
    assertFound(found, 'rights', 'ok')
    const other = await doctor(['--data', server.data, '--listen', `127.0.0.1:${await freePort()}`], secret(RANDOM))
    assertFound(other, 'data', 'warning', 'no server runs at --listen')
    await server.stop()
    const before = readFileSync(server.data)
    const stopped = await doctor(args, secret(RANDOM))
    assertWrong(stopped)
    assertFound(stopped, 'data', 'ok', 'each page')
    assert.ok(before.equals(readFileSync(server.data)), 'not a byte has changed')
    assert.deepEqual(readdirSync(server.directory), ['boards.redb'])
  })

  test('lines are printed for people, with where more of it stands', async t => {
    const { args } = await settings(t, { 'public-url': null })
    const text = execFileSync(BINARY, ['doctor', ...args], { env: { BOARDWIRE_JWT_SECRET: RANDOM }, encoding: 'utf8' })
    assert.match(text, /^ok {7}settings/m)
    assert.match(text, /^warning {2}public-url +none: every Host is served.*\n +-> --public-url.*; docs\/troubleshooting\.md#doctor-public-url$/m)
    assert.match(text, /^checks: \d+; 0 wrong, \d+ to look at$/m)
  })

  test('too few open files are wrong', async t => {
    const { args } = await settings(t)
    const few = await doctor(args, { ...secret(RANDOM), by: ['prlimit', '--nofile=1500:1500'] })
    assertWrong(few, 'open-files')
    assertFound(few, 'open-files', 'wrong', '1500', '11064', 'LimitNOFILE=11064')
    const fewer = await doctor([...args, '--max-connections', '100'], { ...secret(RANDOM), by: ['prlimit', '--nofile=1500:1500'] })
    assertFound(fewer, 'open-files', 'ok')
  })

  test('a secret is missing, short, of an example, or shown in a flag', async t => {
    const { args } = await settings(t)
    const missing = await doctor(args)
    assertWrong(missing, 'settings')
    assertFound(missing, 'settings', 'wrong', 'BOARDWIRE_JWT_SECRET')
    assertFound(missing, 'port', 'ok')
    assertFound(missing, 'data', 'ok')
    const short = await doctor(args, secret('k'.repeat(31)))
    assertFound(short, 'settings', 'wrong', 'at least 32 bytes')
    assert.ok(!JSON.stringify(short.report).includes('kkkk'))
    const example = await doctor(args, secret('change-me-change-me-change-me-change-me'))
    assertFound(example, 'secret', 'warning', 'example', 'openssl rand')
    assertFound(await doctor(args, secret('ab'.repeat(20))), 'secret', 'warning', 'repeats itself')
    assertFound(await doctor([...args, '--jwt-secret', RANDOM]), 'secret', 'warning', 'list of processes')
    assert.equal(example.code, 0, 'a warning is no failure')
  })

  test('the port is taken by something else, by HTTP or not, or is none of this machine', async t => {
    for (const other of [createServer((request, response) => response.end('hello')), net.createServer(socket => socket.end('SSH-2.0-x\r\n'))]) {
      await new Promise(resolve => other.listen(0, '127.0.0.1', resolve))
      t.after(() => other.close())
      const { args } = await settings(t, { listen: `127.0.0.1:${other.address().port}` })
      const found = await doctor(args, secret(RANDOM))
      assertWrong(found, 'port')
      assertFound(found, 'port', 'wrong', 'no Boardwire', 'ss -ltnp')
    }
    const { args } = await settings(t, { listen: '203.0.113.7:8080' })
    assertFound(await doctor(args, secret(RANDOM)), 'port', 'wrong', 'no address of this machine')
  })

  test('a directory is missing, or no file can be made in it', async t => {
    const missing = await settings(t, { data: '/nowhere/at/all/boards.redb' })
    assertFound(await doctor(missing.args, secret(RANDOM)), 'directory', 'wrong', 'mkdir -p')
    // Also for root.
    const closed = await settings(t, { data: '/sys/boards.redb' })
    assertFound(await doctor(closed.args, secret(RANDOM)), 'directory', 'wrong', '/sys', 'chown')
  })

  test('a file is damaged, not ours, or open to everybody', async t => {
    const server = await Server.start({}, t)
    const api = new Api(server, { token: adminToken() })
    for (let i = 0; i < 30; i++) assert.equal((await api.call('POST', '/v1/boards', { id: `board-${i}` })).status, 201)
    await server.stop()
    const args = ['--data', server.data, '--listen', `127.0.0.1:${await freePort()}`]
    const whole = readFileSync(server.data)
    chmodSync(server.data, 0o644)
    const open = await doctor(args, secret(RANDOM))
    assertFound(open, 'rights', 'warning', 'chmod 600')
    assertWrong(open)
    const damaged = Buffer.from(whole)
    for (let at = damaged.indexOf('board-17'); at >= 0; at = damaged.indexOf('board-17', at)) damaged[at] ^= 0x55
    writeFileSync(server.data, damaged)
    const found = await doctor(args, secret(RANDOM))
    assertWrong(found, 'data')
    assertFound(found, 'data', 'wrong', 'damaged', 'restore a backup')
    writeFileSync(server.data, 'SQLite format 3')
    assertFound(await doctor(args, secret(RANDOM)), 'data', 'wrong', 'not a Boardwire data file')
    assert.equal(readFileSync(server.data, 'latin1'), 'SQLite format 3')
  })

  test('a database and a Redis are reached or not', async t => {
    const port = await freePort()
    const away = { data: null, store: `postgres://ann:geheim@127.0.0.1:${port}/boards`, redis: `redis://:geheim@127.0.0.1:${port}` }
    const found = await doctor((await settings(t, away)).args, secret(RANDOM))
    assertWrong(found, 'database', 'redis')
    assertFound(found, 'database', 'wrong', 'cannot be reached')
    assert.ok(!JSON.stringify(found.report).includes('geheim'))
    const postgres = await Postgres.start({ settings: ['fsync=off', 'synchronous_commit=off'] })
    t.after(() => postgres.dispose())
    const there = { data: null, store: postgres.url('doctored') }
    const unsafe = await doctor((await settings(t, there)).args, secret(RANDOM))
    assertFound(unsafe, 'database', 'wrong')
    const all = unsafe.report.findings.filter(({ check }) => check === 'database').map(({ what }) => what).join('; ')
    for (const words of ['synchronous_commit is off', 'fsync is off', 'no tables yet', 'answers in']) assert.ok(all.includes(words), all)
    assert.deepEqual(await postgres.ask("SELECT 1 FROM pg_namespace WHERE nspname = 'doctored'"), [], 'nothing was made')
  })

  test('flags that are wrong end with 2', async () => {
    for (const [args, words] of [
      [['--idle', '5s'], '--url'],
      [['--url', 'http://127.0.0.1:1', '--idle', '5'], '--idle "5" is not right'],
      [['--url', 'ftp://a'], '--url must begin with'],
      [['--url', 'http://a/?b'], 'without a query'],
      [['--nothing'], 'unknown flag --nothing']
    ]) {
      const { code, said } = await doctor(args)
      assert.equal(code, 2, said)
      assert.ok(said.includes(words), said)
    }
  })
})

/** nginx on a port of its own, whose one location leads to a server; how that is started. */
async function behind (t, lines, flags = {}) {
  const port = await freePort()
  const server = await Server.start(typeof flags === 'function' ? flags(port) : flags, t)
  const stage = { atEnd: work => t.after(work) }
  const url = await runNginx(stage, port, `
    map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
    server { listen 127.0.0.1:${port}; location / { proxy_pass ${server.http}; ${lines} } }`)
  return { server, url }
}

const admin = secret(SECRET)

describe('from outside', { concurrency: 2 }, () => {
  test('a server is well, and its board is gone again', async t => {
    const server = await Server.start({}, t)
    const found = await doctor(['--url', server.http + '/', '--idle', '1s'], admin)
    assertWrong(found)
    for (const check of ['connect', 'server', 'address', 'path', 'host', 'upgrade', 'origin', 'idle']) assertFound(found, check, 'ok')
    assertFound(found, 'round-trip', found.of['round-trip'].level, '10 changes were saved', 'median')
    for (const trash of ['', '?trash=true']) {
      const { items } = (await new Api(server, { token: adminToken() }).call('GET', '/v1/boards' + trash)).body
      assert.deepEqual(items, [], 'no board is left')
    }
  })

  test('without a credential less is said, and with a wrong one why', async t => {
    const server = await Server.start({}, t)
    const found = await doctor(['--url', server.http])
    assertWrong(found)
    assertFound(found, 'upgrade', 'ok')
    assertFound(found, 'round-trip', 'warning', 'BOARDWIRE_TOKEN')
    const wrong = await doctor(['--url', server.http], secret(RANDOM))
    assertFound(wrong, 'round-trip', 'wrong', '401', 'invalid credential')
    const token = await doctor(['--url', server.http], { env: { BOARDWIRE_TOKEN: adminToken() } })
    assertWrong(token)
  })

  test('behind a proxy that is set up as told nothing is wrong', async t => {
    const elsewhere = await behind(t, HOST + UPGRADE + ADDRESS + 'proxy_bind 127.0.0.2;', { 'trusted-proxy': '127.0.0.2' })
    const server = await doctor(['--url', elsewhere.server.http], admin)
    assertFound(server, 'clock', 'ok')
    const { url } = await behind(t, HOST + UPGRADE + ADDRESS, { 'trusted-proxy': '127.0.0.1' })
    const found = await doctor(['--url', url], admin)
    assertWrong(found)
    // This machine is the proxy's.
    assertFound(found, 'address', 'warning', 'trusted proxy')
    assertFound(found, 'clock', 'ok')
  })

  for (const [what, lines, flags, wrong] of [
    ['the upgrade', HOST + ADDRESS, {}, [['upgrade', 'Upgrade $http_upgrade']]],
    ['the Host', UPGRADE + ADDRESS, {}, [['host', 'origin_refused', 'Host $http_host']]],
    // It has an address that this machine does not ask from.
    ['the address', HOST + UPGRADE + 'proxy_bind 127.0.0.2;', { 'trusted-proxy': '127.0.0.2' }, [['address', 'choose', 'X-Forwarded-For $proxy_add_x_forwarded_for']]]
  ]) {
    test(`a proxy that does not pass ${what} on is told which line is missing`, async t => {
      const { url } = await behind(t, lines, { 'trusted-proxy': '127.0.0.1', ...flags })
      const found = await doctor(['--url', url], admin)
      for (const [check, ...words] of wrong) assertFound(found, check, 'wrong', ...words)
      assert.deepEqual(Object.values(found.of).filter(({ level }) => level === 'wrong').map(({ check }) => check), wrong.map(([check]) => check), JSON.stringify(found.of))
    })
  }

  test('a proxy whose server does not trust it makes all clients share its address', async t => {
    const { url } = await behind(t, HOST + UPGRADE + ADDRESS)
    assertFound(await doctor(['--url', url], admin), 'address', 'wrong', '--trusted-proxy')
  })

  test('an idle timeout in between is found', async t => {
    const { url } = await behind(t, HOST + UPGRADE + ADDRESS + 'proxy_read_timeout 2s;', { 'trusted-proxy': '127.0.0.1' })
    const found = await doctor(['--url', url, '--idle', '8s'], admin)
    assertFound(found, 'idle', 'wrong', 'cut after', 'in between', 'proxy_read_timeout')
    assertWrong(found, 'idle')
  })

  test('another name, another path, and pages of everybody', async t => {
    const renamed = await behind(t, UPGRADE + 'proxy_set_header Host elsewhere.example;', { 'public-url': 'https://boards.example.com' })
    assertFound(await doctor(['--url', renamed.url], admin), 'server', 'wrong', '421', '--public-url')
    const port = await freePort()
    const server = await Server.start({ 'allow-origin': '*' }, t)
    const url = await runNginx({ atEnd: work => t.after(work) }, port, `
      map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
      server { listen 127.0.0.1:${port}; location /wb/ { proxy_pass ${server.http}/; ${HOST + UPGRADE} } }`)
    const found = await doctor(['--url', url + '/wb'], admin)
    assertFound(found, 'path', 'wrong', '/wb/', '--public-url')
    assertFound(found, 'origin', 'warning', '--allow-origin')
    const root = await doctor(['--url', url], admin)
    assertFound(root, 'server', 'wrong', '404', 'not from a Boardwire')
  })

  test('a proxy without a server, and nobody at all', async t => {
    const { server, url } = await behind(t, HOST + UPGRADE)
    await server.stop()
    assertFound(await doctor(['--url', url], admin), 'server', 'wrong', '502', 'does not reach the server')
    const nobody = await doctor(['--url', `http://127.0.0.1:${await freePort()}`], admin)
    assertWrong(nobody, 'connect')
    assertFound(await doctor(['--url', 'http://boardwire.invalid'], admin), 'connect', 'wrong', 'no address', 'DNS')
  })

  test('whoever answers may be hostile: it ends, and prints plain text', async t => {
    for (const [answer, check] of [
      ['HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n' + JSON.stringify({ status: 'ok', version: '\u001b[2J\u0007' }), 'upgrade'],
      ['HTTP/1.1 301 Moved\r\nLocation: https://\x1b]0;x\x07/\r\nContent-Length: 0\r\n\r\n', 'server'],
      ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n', 'server'],
      ['HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{', 'server'],
      ['x'.repeat(100_000), 'server'],
      ['', 'server']
    ]) {
      const sockets = new Set()
      const hostile = net.createServer(socket => {
        sockets.add(socket)
        socket.on('error', () => {}).once('data', () => socket.end(answer, 'latin1'))
      })
      await new Promise(resolve => hostile.listen(0, '127.0.0.1', resolve))
      const found = await doctor(['--url', `http://127.0.0.1:${hostile.address().port}`], admin)
      assertFound(found, check, 'wrong')
      for (const socket of sockets) socket.destroy()
      hostile.close()
    }
  })
})

describe('over TLS', { concurrency: 2 }, () => {
  /** nginx with a certificate for this name and so many days, of an authority that `SSL_CERT_FILE` names. */
  async function encrypted (t, { days, name = 'localhost', lines = '' }) {
    const path = directory(t)
    const openssl = (...args) => execFileSync('openssl', args, { cwd: path, stdio: ['ignore', 'pipe', 'pipe'] })
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    writeFileSync(join(path, 'names'), `subjectAltName=DNS:${name}\n`)
    openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=authority', '-days', '90')
    openssl('req', ...key, '-keyout', 'key.pem', '-out', 'request.pem', '-subj', `/CN=${name}`)
    openssl('x509', '-req', '-in', 'request.pem', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names', '-days', String(days), '-out', 'cert.pem')
    const [port, plain] = [await freePort(), await freePort()]
    const url = `https://localhost:${port}`
    const server = await Server.start({ 'public-url': url, 'trusted-proxy': '127.0.0.1' }, t)
    await runNginx({ atEnd: work => t.after(work) }, plain, `
      map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
      server { listen 127.0.0.1:${plain}; return 204; }
      server {
        listen 127.0.0.1:${port} ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate ${path}/cert.pem; ssl_certificate_key ${path}/key.pem;
        location / { proxy_pass ${server.http}; ${HOST + UPGRADE + ADDRESS + lines} }
      }`)
    const env = { ...admin.env, SSL_CERT_FILE: join(path, 'ca.pem') }
    return { url, path, env }
  }

  test('a trusted certificate is well, and one that ends soon is not', async t => {
    const long = await encrypted(t, { days: 60, lines: 'add_header Strict-Transport-Security "max-age=31536000" always;' })
    const found = await doctor(['--url', long.url], { env: long.env })
    assertWrong(found)
    assertFound(found, 'tls', 'ok', 'TLS 1.3', 'ends in 59 days')
    assertFound(found, 'hsts', 'ok')
    assertFound(found, 'round-trip', found.of['round-trip'].level, 'were saved')
    const soon = await encrypted(t, { days: 5 })
    const doubtful = await doctor(['--url', soon.url], { env: soon.env })
    assertFound(doubtful, 'tls', 'warning', 'ends in 4 days')
    assertFound(doubtful, 'hsts', 'warning', 'Strict-Transport-Security')
  })

  test('an expired one, one of another name, and one that nobody vouches for are wrong', async t => {
    const expired = await encrypted(t, { days: -1 })
    assertFound(await doctor(['--url', expired.url], { env: expired.env }), 'tls', 'wrong', 'xpired')
    const other = await encrypted(t, { days: 60, name: 'other.example' })
    assertFound(await doctor(['--url', other.url], { env: other.env }), 'tls', 'wrong', 'other.example')
    const own = await encrypted(t, { days: 60 })
    const stranger = await doctor(['--url', own.url], { env: { ...own.env, SSL_CERT_FILE: expired.env.SSL_CERT_FILE } })
    assertFound(stranger, 'tls', 'wrong', 'fullchain.pem')
    assertWrong(stranger, 'tls')
  })

  test('what speaks no TLS is told so', async t => {
    const server = await Server.start({}, t)
    assertFound(await doctor(['--url', server.http.replace('http:', 'https:')], admin), 'tls', 'wrong')
  })
})
