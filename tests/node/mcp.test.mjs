// Promise: assistants connect to a board with one line of settings. The official MCP clients of TypeScript
// and Python do their work over HTTP and through `boardwire mcp`, by today's revision of the protocol and by
// the one before; and the protocol's own conformance checks pass.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import { createServer, request } from 'node:http'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { Client as OlderClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as OlderTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Api } from './support/api.mjs'
import { run } from './support/examples.mjs'
import { BINARY, Server } from './support/server.mjs'

const python = fileURLToPath(new URL('../python/.venv/bin/python', import.meta.url))
const program = fileURLToPath(new URL('../python/mcp_client.py', import.meta.url))
const referee = fileURLToPath(new URL('node_modules/@modelcontextprotocol/conformance/dist/index.js', import.meta.url))
const older = new URL('support/older-node.mjs', import.meta.url).href
const me = { name: 'boardwire-tests', version: '1.0.0' }
const TOOLS = ['read_board', 'draw', 'change', 'delete', 'find_space', 'picture', 'changes', 'point']

const today = { versionNegotiation: { mode: { pin: '2026-07-28' } } }
const CLIENTS = {
  'of 2026-07-28': (url, requestInit) => [new Client(me, today), new StreamableHTTPClientTransport(url, { requestInit })],
  'of 2025-11-25': (url, requestInit) => [new Client(me, {}), new StreamableHTTPClientTransport(url, { requestInit })],
  'of the package before': (url, requestInit) => [new OlderClient(me, {}), new OlderTransport(url, { requestInit })]
}

describe('assistants', () => {
  let server
  let alice
  let key
  before(async () => {
    server = await Server.start()
    alice = Api.user(server)
    await alice.create('plan')
    key = (await alice.key('plan', 'edit', 'Helper')).key
  })
  after(() => server?.dispose())

  /** What every client must be able to do. */
  const work = async client => {
    const { tools } = await client.listTools()
    assert.deepEqual(tools.map(tool => tool.name), TOOLS)
    const call = async (name, args) => {
      const { content, isError } = await client.callTool({ name, arguments: args })
      return { text: content[0].text, isError: isError === true }
    }
    const drawn = await call('draw', {
      items: [
        { id: 'a', type: 'shape', x: 0, y: 0, content: { text: 'Client' } },
        { id: 'b', type: 'shape', x: 0, y: 0, content: { text: 'Server' } },
        { id: 'ab', type: 'connector', from: { item: 'a' }, to: { item: 'b' }, content: { text: 'asks' } }
      ],
      layout: [{ kind: 'layered', direction: 'right' }]
    })
    assert.equal(drawn.isError, false, drawn.text)
    assert.match(drawn.text, /^shape a \(0,0 200x200\) "Client"$/m)
    assert.equal((await alice.all('/v1/boards/plan/items')).length, 3)
    const refused = await call('draw', { items: [{ type: 'sticky', x: 0, y: 0, colour: 'red' }] })
    assert.equal(refused.isError, true)
    assert.match(refused.text, /items\[0\]\.colour/)
    const { resources } = await client.listResources()
    const read = await client.readResource({ uri: resources[0].uri })
    assert.match(read.contents[0].text, /^connector ab a -> b "asks"$/m)
    const picture = await client.readResource({ uri: resources[1].uri })
    assert.ok(Buffer.from(picture.contents[0].blob, 'base64').subarray(1, 4).equals(Buffer.from('PNG')))
    const seen = await client.callTool({ name: 'picture', arguments: { width: 400 } })
    assert.deepEqual([seen.content[0].type, seen.content[0].mimeType], ['image', 'image/png'])
    await assert.rejects(client.readResource({ uri: 'boardwire://boards/other' }), /there is no resource/)
    await assert.rejects(client.callTool({ name: 'erase', arguments: {} }), /there is no tool erase/)
    const gone = await call('delete', { ids: ['a', 'b', 'ab'] })
    assert.match(gone.text, /3 deleted/)
  }

  for (const [name, connect] of Object.entries(CLIENTS)) {
    test(`a TypeScript client ${name} draws, reads and is told what is wrong`, async () => {
      const [client, transport] = connect(new URL(server.http + '/mcp'), { headers: { Authorization: `Bearer ${key}` } })
      await client.connect(transport)
      await work(client)
      await client.close()
    })
  }

  for (const [name, options] of Object.entries({ 'of 2026-07-28': today, 'of 2025-11-25': {} })) {
    test(`a TypeScript client ${name} does the same through boardwire mcp`, async () => {
      const client = new Client(me, options)
      const transport = new StdioClientTransport({ command: BINARY, args: ['mcp', '--url', server.http], env: { BOARDWIRE_KEY: key } })
      await client.connect(transport)
      await work(client)
      await client.close()
    })
  }

  test('a key that is wrong, and one that was revoked, are told as such', async () => {
    const made = await alice.key('plan', 'view', 'Short')
    const connect = async text => {
      const [client, transport] = CLIENTS['of 2026-07-28'](new URL(server.http + '/mcp'), { headers: { Authorization: `Bearer ${text}` } })
      await client.connect(transport)
      return client
    }
    const client = await connect(made.key)
    await alice.ok('DELETE', `/v1/boards/plan/keys/${made.id}`)
    await assert.rejects(client.listTools({}, { cacheMode: 'bypass' }), error => /401|invalid_credential|Unauthorized/i.test(String(error)))
    await assert.rejects(connect('bw_wrong'), error => /401|invalid_credential|Unauthorized/i.test(String(error)))
  })

  for (const mode of ['2026-07-28', 'legacy']) {
    for (const through of ['HTTP', 'boardwire mcp']) {
      test(`the Python client (${mode}) draws and reads over ${through}`, async () => {
        assert.ok(existsSync(python), `${python} is missing; scripts/test makes it`)
        const rest = through === 'HTTP' ? [] : [BINARY]
        const ended = await run([python, program, mode, server.http, key, ...rest], { env: { PATH: process.env.PATH, HOME: tmpdir() }, deadlineMs: 60_000 })
        assert.equal(ended.code, 0, ended.stderr)
        const told = JSON.parse(ended.stdout)
        assert.deepEqual(told.tools, TOOLS)
        assert.match(told.drawn, /^sticky py-0 \(0,500 200x200\) "Note 0" yellow$/m)
        assert.match(told.drawn, /^connector py-line py-0 -> py-1/m)
        assert.deepEqual(told.refused[0], true)
        assert.match(told.refused[1], /^no_such_item: changes\[0\]\.id/)
        assert.match(told.board, /^sticky py-1 /m)
        assert.match(told.gone, /3 deleted/)
      })
    }
  }
})

// The referee sends no credential: a proxy adds one. Its other scenarios ask for tools and prompts of its
// own, which only servers made for it have.
const SCENARIOS = {
  '2026-07-28': ['server-stateless', 'tools-list', 'resources-list', 'caching', 'sep-2164-resource-not-found', 'http-header-validation', 'dns-rebinding-protection', 'server-sse-multiple-streams'],
  '2025-11-25': ['server-initialize', 'ping', 'tools-list', 'resources-list', 'dns-rebinding-protection']
}
/** What a check may say that fails: it needs something that is no part of this server. */
const NOT_OURS = [/Not testable: server does not list the diagnostic tool/, /prompts\/list returned JSON-RPC error -32601/]

describe('the conformance checks of the protocol', () => {
  let server
  let proxy
  let results
  before(async () => {
    results = mkdtempSync(join(tmpdir(), 'boardwire-conformance-'))
    // With a name of its own a server refuses others, as the protocol asks of those that listen on loopback.
    server = await Server.start({ 'public-url': 'https://boards.example' })
    const alice = Api.user(server)
    await alice.create('plan')
    const { key } = await alice.key('plan', 'view', 'Referee')
    proxy = createServer((asked, answered) => {
      const { method, url, headers } = asked
      const passed = request({ host: server.host, port: server.port, method, path: url, headers: { ...headers, 'x-api-key': key } }, answer => {
        answered.writeHead(answer.statusCode, answer.headers)
        answer.pipe(answered)
      })
      passed.on('error', () => answered.destroy())
      asked.pipe(passed)
    })
    await new Promise(resolve => proxy.listen(0, '127.0.0.1', resolve))
  })
  after(() => {
    proxy?.close()
    server?.dispose()
    rmSync(results, { recursive: true, force: true })
  })

  for (const [revision, scenarios] of Object.entries(SCENARIOS)) {
    for (const scenario of scenarios) {
      test(`${scenario} of ${revision}`, async () => {
        const args = ['--import', older, referee, 'server', '--url', `http://127.0.0.1:${proxy.address().port}/mcp`, '--scenario', scenario, '--spec-version', revision]
        const ended = await run([process.execPath, ...args], { cwd: results, env: { PATH: process.env.PATH, HOME: tmpdir(), NO_COLOR: '1' }, deadlineMs: 60_000 })
        const told = ended.stdout + ended.stderr
        const [, passed, failed] = /Passed: (\d+)\/\d+, (\d+) failed/.exec(told) ?? assert.fail(told)
        const errors = [...told.matchAll(/^ {4}Error: (.*)$/gm)].map(([, words]) => words)
        assert.equal(errors.length, Number(failed), told)
        assert.deepEqual(errors.filter(words => !NOT_OURS.some(known => known.test(words))), [], told)
        assert.ok(Number(passed) >= 1, told)
      })
    }
  }
})
