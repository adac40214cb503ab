// Promise: docs/openapi.yaml describes the HTTP API: every operation is driven, every answer is held against
// it, and every status and code that it documents is provoked, or stands below with a reason.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import net from 'node:net'
import { readFile } from 'node:fs/promises'
import { Validator } from '@seriousme/openapi-schema-validator'
import * as Y from 'yjs'
import { call, document, documented, examples, exchange, judge, operation, operations, references, schemas, seen, validator } from './support/openapi.mjs'
import { Raw, Wire, messages } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { adminToken, mint, seconds, tokenFor } from './support/token.mjs'
import { until } from './support/wait.mjs'

const BODY_BYTES_MAX = 256 * 1024
const BOARD_BYTES_MAX = 64 * 1024

/** What is documented and cannot be provoked from outside, and why: `operation status code`, `*` for any. */
const UNPROVOKED = [
  ['* 503 store_failed', 'needs a disk that fails'],
  ['* 503 state_unreadable', 'needs a damaged file; tests/it/rooms.rs has it'],
  ['* default internal', 'needs a bug of the server'],
  ['* 503 board_busy', 'needs a write between every two steps of the server; src/boards/content/tests.rs has it'],
  ['* 413 too_costly', 'tests/it/costly.rs has it, for every kind of update that is'],
  ['* 413 owner_full', 'needs a bound of its own on an owner; tests/it/quotas.rs has it'],
  ['* 409 too_many_boards', 'as above'],
  ['* 503 board_elsewhere', 'needs several nodes; src/server/routing/tests.rs has it'],
  ['* 503 server_busy', 'needs 96 MiB of answers that nobody reads; src/net/incoming/tests.rs has it'],
  ['findSpace 422 invalid_value', 'needs thousands of shapes and a far corner; src/items/tests/space.rs has it'],
  ['* 409 too_many_versions', 'needs a bound of its own; tests/it/versions.rs has it'],
  ['restoreVersion 413 board_too_large', 'needs a board that is full to the byte'],
  ['readVersionPng 404 png_unsupported', 'needs a build without the feature png'],
  ['readPicturePng 404 png_unsupported', 'needs a build without the feature png'],
  ['deleteItem 413 board_too_large', 'needs a frame on a board that is full to the byte'],
  ['beginSession 409 too_many_sessions', 'needs 10,000 sessions; src/store/contract has it'],
  ['readBackup 429 backup_busy', 'needs a store that takes 10 s for a page; src/boards/backup.rs has it'],
  ['createAsset 429 too_many_uploads', 'needs uploads that pause; tests/it/assets.rs has it'],
  ['* default body_timeout', 'takes two minutes; src/net/incoming/tests.rs has it']
]

/** What is answered alike whatever the operation is: one of them shows it. */
const ANYWHERE = ['default bad_request', 'default head_too_large', 'default body_too_large', 'default version_unsupported']

const alice = mint({ sub: 'alice' })
const stranger = mint({ sub: 'stranger' })
const expired = mint({ sub: 'alice', exp: seconds(-3600) })

const update = build => {
  const doc = new Y.Doc()
  build(doc)
  return Y.encodeStateAsUpdate(doc)
}
const anUpdate = text => update(doc => doc.getMap('map').set('text', text))

/** A picture by its head, of so many pixels a side. */
const picture = (number, side = 640) => {
  const bytes = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR________' + number, 'latin1')
  bytes.writeUInt32BE(side, 16)
  bytes.writeUInt32BE(side, 20)
  return bytes
}

/** A member of a request for each path, valid, and unused unless a test says otherwise. */
const NAMES = { user: 'bob', team: 'design', link: 'AAAAAAAAAAAAAAAA', session: 'AAAAAAAAAAAAAAAA', key: 'AAAAAAAAAAAAAAAA', asset: 'ab'.repeat(32), webhook: 'AAAAAAAAAAAAAAAA', item: 'drawn', version: '1' }
const pathOf = (operation, board) => {
  const names = { board, ...NAMES }
  return Object.fromEntries([...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name, names[name]]))
}

/** A body for each operation that takes one. */
const BODIES = {
  createBoard: { json: { title: 'any' } },
  beginSession: { json: { invite: 'any' } },
  invite: { json: { name: 'any' }, token: adminToken() },
  updateBoard: { json: { title: 'any' } },
  grantUser: { json: { level: 'view' } },
  pauseKey: { json: { paused: true } },
  grantTeam: { json: { level: 'view' } },
  grantPublic: { json: { level: 'view' } },
  createLink: { json: { level: 'view' } },
  createKey: { json: { level: 'view', name: 'any' } },
  createWebhook: { json: { url: 'https://example.com/' } },
  writeDocument: { body: anUpdate('any') },
  createAsset: { body: picture(1) },
  createItem: { json: { type: 'sticky', x: 0, y: 0 } },
  updateItem: { json: { x: 1 } },
  batchItems: { json: { operations: [] } },
  mcp: { query: { board: 'known' }, json: { jsonrpc: '2.0', id: 1, method: 'ping' } },
  createVersion: { json: { name: 'any' } },
  findSpace: { query: { width: '100', height: '100' } }
}

/** Members of an item that are wrong, in a new one and in a patch. */
const WRONG = [
  [{ x: '1' }, 'x'], [{ y: 1.1e9 }, 'y'], [{ width: 0 }, 'width'], [{ height: 1e6 + 1 }, 'height'], [{ colour: 'red' }, 'colour'],
  [{ content: { txt: 'a' } }, 'content.txt'], [{ content: { text: 1 } }, 'content.text'], [{ style: { color: 'pink' } }, 'style.color'],
  [{ rotation: 90 }, 'rotation'], [{ opacity: 1.5 }, 'opacity'], [{ locked: 1 }, 'locked'], [{ parent: 1 }, 'parent'], [{ z: 'top' }, 'z'],
  [{ style: { weight: 'bold' } }, 'style.weight'], [{ content: { text: 'x'.repeat(65537) } }, 'content.text']
]
const A_STICKY = { type: 'sticky', x: 0, y: 0 }
const A_CONNECTOR = { type: 'connector', from: { x: 0, y: 0 }, to: { x: 100, y: 50 } }
/** The same of a connector. */
const WRONG_CONNECTOR = [
  [{ x: 0 }, 'x'], [{ height: 5 }, 'height'], [{ from: 'a' }, 'from'], [{ from: { item: 7 } }, 'from.item'], [{ to: { x: '1', y: 2 } }, 'to.x'],
  [{ to: { item: 'a', anchor: { x: 2, y: 0 } } }, 'to.anchor.x'], [{ style: { kind: 'curve' } }, 'style.kind'], [{ style: { bend: 10_001 } }, 'style.bend'],
  [{ style: { arrow_end: 'heart' } }, 'style.arrow_end'], [{ to: { x: 1, y: 2, z: 3 } }, 'to.z']
]

/** JSON bodies that are well-formed and say something wrong, with the member that is named. */
const long = bytes => 'x'.repeat(bytes)
const LEVELS = [[{}, 'level'], [{ level: 'own' }, 'level'], [{ level: null }, 'level'], [{ level: 1 }, 'level']]
const INVALID = {
  beginSession: [{}, { invite: null }, { invite: 1 }, { invite: long(8193) }].map(json => [json, 'invite']),
  invite: [[{}, 'name'], [{ name: ' a' }, 'name'], [{ name: long(257) }, 'name'], [{ name: 'a', admin: 1 }, 'admin'], [{ name: 'a', boards: { plan: 'own' } }, 'boards']],
  createBoard: [[{ id: 1 }, 'id'], [{ title: 1 }, 'title'], [{ title: 'a\nb' }, 'title'], [{ title: long(1025) }, 'title']],
  updateBoard: [[{ title: 1 }, 'title'], [{ title: long(1025) }, 'title'], [{ owner: '' }, 'owner'], [{ owner: long(257) }, 'owner'], [{ owner: 'a\nb' }, 'owner']],
  grantUser: LEVELS,
  grantTeam: LEVELS,
  grantPublic: LEVELS,
  createLink: [...LEVELS, ...[0, -1, 1.5, 316224001, '60'].map(value => [{ level: 'view', expires_in: value }, 'expires_in'])],
  createItem: [...WRONG.map(([json, field]) => [{ ...A_STICKY, ...json }, field]), [{ x: 0, y: 0 }, 'type'], [{ type: 'arrow', x: 0, y: 0 }, 'type'], [{ type: 'text', x: 0 }, 'y'], [{ ...A_STICKY, id: 'a b' }, 'id'],
    ...WRONG_CONNECTOR.map(([json, field]) => [{ ...A_CONNECTOR, ...json }, field]), [{ type: 'connector', from: { x: 0, y: 0 } }, 'to']],
  updateItem: [...WRONG, [{ x: null }, 'x'], [{ type: 'arrow' }, 'type'], [{ id: 7 }, 'id']],
  batchItems: [
    [{}, 'operations'], [{ operations: {} }, 'operations'], [{ operations: [], more: 1 }, 'more'], [{ operations: [1] }, 'operations[0]'],
    [{ operations: Array(1001).fill({ action: 'delete', item: { id: 'a' } }) }, 'operations'], [{ operations: [{ action: 'move', item: {} }] }, 'operations[0].action'],
    [{ operations: [{ action: 'layout', item: { items: [], kind: 'heap' } }] }, 'operations[0].item.kind'], [{ operations: [{ action: 'layout', item: { kind: 'grid' } }] }, 'operations[0].item.items'],
    [{ operations: [{ action: 'delete' }] }, 'operations[0].item'], [{ operations: [{ action: 'update', item: {} }] }, 'operations[0].item.id'],
    ...WRONG.map(([json, field]) => [{ operations: [{ action: 'create', item: A_STICKY }, { action: 'create', item: { ...A_STICKY, ...json } }] }, `operations[1].item.${field}`])
  ],
  createWebhook: [...[undefined, null, '', 1, 'ftp://example.com/', `https://example.com/${long(2048)}`].map(url => [{ url }, 'url']),
    [{ url: 'https://example.com/', types: ['items'] }, 'types'], [{ url: 'https://example.com/', kinds: 'sticky' }, 'kinds']],
  createVersion: ['', 1, 'a\nb', long(257)].map(name => [{ name }, 'name']),
  createKey: [...LEVELS.map(([json, field]) => [{ name: 'any', ...json }, field]), ...[undefined, null, '', 1, long(257)].map(name => [{ level: 'view', name }, 'name'])],
  pauseKey: [{}, { paused: null }, { paused: 1 }, { paused: 'true' }].map(json => [json, 'paused'])
}

const of = predicate => operations.filter(predicate)
const hasBoard = ({ path }) => path.includes('{board}')
const isList = ({ parameters }) => parameters.some(({ value }) => value.name === 'limit')
// A message that is none is an error of its own protocol.
const takesJson = ({ id, body }) => id !== 'mcp' && body?.types.includes('application/json')
const needsManager = operation => hasBoard(operation) && !operation.security.some(one => 'apiKey' in one)

describe('the document', () => {
  test('is an OpenAPI 3.1 document', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document))
    assert.ok(valid, JSON.stringify(errors, null, 1))
  })

  test('refers to nothing that is not there, and has nothing that nobody refers to', () => {
    const targets = new Set([...references()].map(({ target }) => target))
    for (const { target, at } of references()) {
      const found = target.slice(2).split('/').reduce((value, name) => value?.[name], document)
      assert.ok(target.startsWith('#/') && found !== undefined, `${at}: ${target}`)
    }
    // Said once for all paths, in the words of the document's description.
    const spoken = ['responses/MethodNotAllowed', 'responses/NoSuchPath', 'responses/Misdirected', 'headers/NoSniff', 'headers/Inert', 'headers/OwnOrigin'].map(at => `#/components/${at}`)
    for (const kind of ['schemas', 'responses', 'parameters', 'requestBodies', 'headers']) {
      for (const name of Object.keys(document.components[kind])) {
        const at = `#/components/${kind}/${name}`
        assert.ok(targets.has(at) || spoken.includes(at), `${at} is used nowhere`)
      }
    }
  })

  test('has schemas without a slip: nothing in them is unknown to JSON Schema', () => {
    for (const name of Object.keys(document.components.schemas)) validator(['components', 'schemas', name])
  })

  test('says of every object whether it may have other members', () => {
    for (const { schema, at } of schemas()) {
      const isOpen = at.endsWith('Members') // whoever refers to it closes it; to say here that it may have more would open those too
      if (schema.type === 'object') assert.notEqual('additionalProperties' in schema || 'unevaluatedProperties' in schema, isOpen, at)
      if (schema.$ref?.endsWith('Members')) assert.equal(schema.unevaluatedProperties, false, at)
    }
    for (const name of ['Problem', 'Link', 'CreatedLink', 'Key', 'CreatedKey', 'MissingUpdates', 'Board', 'Grant', 'AuditEntry', 'Present', 'Healthy']) {
      assert.match(validator(['components', 'schemas', name])({ undocumented: 1 }), /must NOT have (unevaluated|additional) properties/, name)
    }
  })

  test('has examples that it calls valid', () => {
    const all = [...examples()]
    assert.ok(all.length > 15, `${all.length} examples`)
    for (const { example, at } of all) assert.equal(validator(at)(example), null, at.join('/'))
  })

  test('names each operation once, with a summary and the right path parameters', () => {
    assert.equal(new Set(operations.map(({ id }) => id)).size, operations.length)
    for (const { id, path, parameters, place } of operations) {
      const told = parameters.map(({ value }) => value).filter(one => one.in === 'path').map(({ name }) => name)
      assert.deepEqual(told, [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name), id)
      assert.ok(place.reduce((at, name) => at[name], document).summary.length > 3, id)
    }
  })
})

describe('the server', () => {
  let server, paused
  const to = (id, expected, code, options) => call(server, id, expected, code, options)
  const create = (id, token = alice) => to('createBoard', 201, null, { json: { id }, token })

  before(async () => {
    server = await Server.start({
      'max-body-bytes': BODY_BYTES_MAX, 'max-board-bytes': BOARD_BYTES_MAX, 'max-asset-bytes': BODY_BYTES_MAX, 'max-assets-bytes': BODY_BYTES_MAX
    })
    await create('known')
    await create('deleted')
    await to('deleteBoard', 204, null, { path: { board: 'deleted' }, query: { forever: 'true' }, token: alice })
    await to('createItem', 201, null, { path: { board: 'known' }, token: alice, json: { ...A_STICKY, id: NAMES.item } })
    const path = { board: 'known' }
    const made = (await to('createKey', 201, null, { path, token: alice, json: { level: 'edit', name: 'paused' } })).value
    await to('pauseKey', 200, null, { path: { ...path, key: made.id }, token: alice, json: { paused: true } })
    paused = made.key
  })
  after(() => server.dispose())

  describe('answers alike on every operation', () => {
    /** What an operation is called with where only one thing is wrong. */
    const valid = (operation, board = 'known') => ({ path: pathOf(operation, board), token: alice, ...BODIES[operation.id] })

    for (const operation of operations) {
      test(`${operation.id}: a malformed target, and a head that is too large`, async () => {
        await to(operation.id, 400, 'bad_request', { ...valid(operation), query: 'a=%zz', raw: true })
        await to(operation.id, 431, 'head_too_large', { ...valid(operation), headers: { 'X-Large': long(17 * 1024) } })
      })

      test(`${operation.id}: a query parameter that it does not take`, async () => {
        const { value } = await to(operation.id, 400, 'unknown_parameter', { ...valid(operation), query: { 'nobody-knows': '1' }, raw: true })
        assert.equal(value.field, 'nobody-knows')
      })

      test(`${operation.id}: an announced body that is too large`, async () => {
        await to(operation.id, 413, 'body_too_large', { ...valid(operation), json: undefined, body: Buffer.alloc(BODY_BYTES_MAX + 1, ' ') })
      })
    }

    // The metrics have a token of their own, and a session is begun by an invitation.
    const asksForItsOwn = id => ['metrics', 'readSession', 'beginSession', 'endSession'].includes(id)
    for (const operation of of(({ id, statuses }) => statuses.includes('401') && !asksForItsOwn(id))) {
      test(`${operation.id}: no credential, invalid and expired ones`, async () => {
        const sent = valid(operation)
        await to(operation.id, 401, 'unauthenticated', { ...sent, token: undefined })
        await to(operation.id, 401, 'invalid_credential', { ...sent, token: 'letmein' })
        await to(operation.id, 401, 'invalid_credential', { ...sent, key: 'bw_no' })
        await to(operation.id, 401, 'invalid_credential', { ...sent, share: 'bwl_no' })
        await to(operation.id, 401, 'expired_credential', { ...sent, token: expired })
      })
    }

    for (const operation of of(hasBoard)) {
      test(`${operation.id}: a board that is somebody else's, invalid, missing or deleted`, async () => {
        await to(operation.id, 403, 'forbidden', { ...valid(operation), token: stranger })
        for (const board of ['a b', '.', '..', 'a/b', long(129)]) await to(operation.id, 400, 'invalid_board_id', { ...valid(operation, board), invalid: true })
        await to(operation.id, 404, 'no_such_board', valid(operation, 'missing'))
        await to(operation.id, 410, 'board_deleted', valid(operation, 'deleted'))
      })
    }

    for (const operation of of(({ id, statuses }) => statuses.includes('403') && !asksForItsOwn(id))) {
      test(`${operation.id}: a key that is paused`, async () => {
        await to(operation.id, 403, 'agent_paused', { ...valid(operation), token: undefined, key: paused })
      })
    }

    for (const operation of of(needsManager)) {
      test(`${operation.id}: editing is not managing`, async () => {
        await to(operation.id, 403, 'forbidden', { ...valid(operation), token: tokenFor('known', { sub: 'editor' }) })
      })
    }

    for (const operation of of(({ body }) => body !== null)) {
      test(`${operation.id}: a body that is packed`, async () => {
        await to(operation.id, 415, 'unsupported_content_encoding', { ...valid(operation), headers: { 'Content-Encoding': 'gzip' } })
      })
    }

    for (const operation of of(takesJson)) {
      test(`${operation.id}: what is no JSON, what is no object, and what says something wrong`, async () => {
        const sent = { ...valid(operation), json: undefined }
        for (const body of ['{', '', '{"level":"view","level":"edit"}', '{} {}']) await to(operation.id, 400, 'invalid_json', { ...sent, body })
        const { value } = await to(operation.id, 422, 'invalid_value', { ...sent, json: [], invalid: true })
        assert.equal(value.field, undefined)
        assert.ok(INVALID[operation.id].length > 2)
        for (const [json, field] of INVALID[operation.id]) {
          const { value } = await to(operation.id, 422, 'invalid_value', { ...sent, json, invalid: true })
          assert.equal(value.field, field, JSON.stringify(json))
        }
      })
    }

    for (const operation of of(isList)) {
      test(`${operation.id}: pages that are not there`, async () => {
        for (const [field, values] of Object.entries({ limit: ['0', '501', '-1', 'x'], cursor: ['!', 'YQ=='] })) {
          for (const value of values) {
            const { value: problem } = await to(operation.id, 400, 'invalid_parameter', { ...valid(operation), query: { [field]: value }, invalid: true })
            assert.equal(problem.field, field)
          }
        }
        for (const limit of ['1', '500']) await to(operation.id, 200, null, { ...valid(operation), query: { limit } })
      })
    }

    test('an HTTP version that is not spoken, and a malformed head', async t => {
      for (const [sent, status, code] of [['GET /health HTTP/2.0\r\nHost: a\r\n\r\n', 505, 'version_unsupported'], ['GET /health HTTP/1.1\r\n\r\n', 400, 'bad_request']]) {
        const socket = net.connect(server.port, server.host)
        t.after(() => socket.destroy())
        let received = ''
        socket.setEncoding('utf8').on('data', chunk => { received += chunk })
        socket.write(sent)
        await until(() => received.includes('}'), () => `the answer: ${received}`)
        assert.match(received, new RegExp(`^HTTP/1.1 ${status} `))
        const [head, text] = received.split('\r\n\r\n')
        const headers = Object.fromEntries(head.split('\r\n').slice(1).map(field => [field.split(': ')[0].toLowerCase(), field.split(': ')[1]]))
        const value = judge({ status, headers, body: Buffer.from(text) }, ['paths', '/health', 'get', 'responses', 'default'], code)
        assert.equal(value.code, code)
        seen.add(`health default ${code}`)
      }
    })
  })

  describe('answers on every path', () => {
    const paths = Object.keys(document.paths)
    const methodsOf = path => of(one => one.path === path).map(({ method }) => method)
    const allowOf = path => [...methodsOf(path).flatMap(method => method === 'GET' ? ['GET', 'HEAD'] : [method]), 'OPTIONS'].sort()
    const fill = path => path.replaceAll(/\{(\w+)\}/g, (_, name) => ({ board: 'known', ...NAMES })[name])

    for (const path of paths) {
      test(`${path}: 405 with Allow to methods that the document does not list, and OPTIONS`, async () => {
        for (const method of ['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'TRACE'].filter(method => !methodsOf(path).includes(method))) {
          const answer = await exchange(server, method, fill(path), { headers: { Authorization: `Bearer ${alice}` } })
          assert.equal(answer.status, 405, method)
          judge(answer, ['components', 'responses', 'MethodNotAllowed'], `${method} ${path}`)
          assert.deepEqual(answer.headers.allow.split(', ').sort(), allowOf(path))
        }
        const options = await exchange(server, 'OPTIONS', fill(path))
        assert.equal(options.status, 204)
        assert.deepEqual(options.headers.allow.split(', ').sort(), allowOf(path))
      })

      test(`${path}/x and ${path}/: nothing is there`, async () => {
        for (const end of ['/x/y/z', '/']) {
          const answer = await exchange(server, 'GET', fill(path) + end, { headers: { Authorization: `Bearer ${alice}` } })
          assert.equal(answer.status, 404, fill(path) + end)
          judge(answer, ['components', 'responses', 'NoSuchPath'], path + end)
        }
      })
    }

    for (const operation of of(({ method }) => method === 'GET')) {
      test(`${operation.id}: HEAD has the head of GET and no body`, async () => {
        const headers = { Authorization: `Bearer ${alice}` }
        const get = await exchange(server, 'GET', fill(operation.path), { headers })
        const head = await exchange(server, 'HEAD', fill(operation.path), { headers })
        assert.equal(head.status, get.status)
        assert.equal(head.body.length, 0)
        for (const name of ['content-type', 'cache-control', 'allow']) assert.equal(head.headers[name], get.headers[name], name)
      })
    }
  })

  test('what needs no credential', async () => {
    await to('health', 200)
    const described = await exchange(server, 'GET', '/v1/openapi.yaml')
    assert.deepEqual(described.body.toString(), await readFile(new URL('../../docs/openapi.yaml', import.meta.url), 'utf8'))
    await to('describe', 200)
    await to('teach', 200)
    await to('troubleshoot', 200)
    await to('metrics', 200)
    await to('metrics', 403, 'metrics_private', { headers: { 'X-Forwarded-For': '192.0.2.1' } })
  })

  test('a request for another host', async t => {
    const own = await Server.start({ 'public-url': 'https://boards.example' }, t)
    for (const [host, status] of [['evil.example', 421], ['boards.example', 200], [`127.0.0.1:${own.port}`, 200]]) {
      const answer = await exchange(own, 'GET', '/health', { headers: { Host: host } })
      assert.equal(answer.status, status, host)
      if (status === 421) judge(answer, ['components', 'responses', 'Misdirected'], host)
    }
  })

  test('metrics with a token of their own', async t => {
    const other = await Server.start({ 'metrics-token': 'only-for-prometheus' }, t)
    await call(other, 'metrics', 200, null, { token: 'only-for-prometheus' })
    await call(other, 'metrics', 401, 'unauthenticated')
    await call(other, 'metrics', 401, 'invalid_credential', { token: adminToken() })
  })

  test('boards are made, read, renamed, given away and deleted', async () => {
    const made = await to('createBoard', 201, null, { json: {}, token: alice })
    assert.match(made.value.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.equal(made.headers.location, `/v1/boards/${made.value.id}`)
    assert.equal(made.value.title, null)
    const path = { board: 'made' }
    const named = await to('createBoard', 201, null, { json: { id: 'made', title: 'One' }, token: alice })
    assert.deepEqual([named.value.title, named.value.owner, named.value.level], ['One', 'alice', 'edit'])
    await to('createBoard', 409, 'board_exists', { json: { id: 'made' }, token: stranger })
    await to('createBoard', 410, 'board_deleted', { json: { id: 'deleted' }, token: alice })
    await to('createBoard', 400, 'invalid_board_id', { json: { id: 'a b' }, token: alice, invalid: true })
    assert.deepEqual((await to('getBoard', 200, null, { path, token: alice })).value, named.value)
    assert.deepEqual((await to('getBoard', 200, null, { path, query: { token: alice } })).value, named.value)
    assert.equal((await to('updateBoard', 200, null, { path, token: alice, json: { title: 'Two' } })).value.title, 'Two')
    assert.equal((await to('updateBoard', 200, null, { path, token: alice, json: {} })).value.title, 'Two')
    assert.equal((await to('updateBoard', 200, null, { path, token: alice, json: { title: null, more: 1 } })).value.title, null)
    const given = await to('updateBoard', 200, null, { path, token: alice, json: { owner: 'bob' } })
    assert.deepEqual([given.value.owner, given.value.level], ['bob', null])
    await to('getBoard', 403, 'forbidden', { path, token: alice })
    await to('deleteBoard', 204, null, { path, token: adminToken() })
    await to('getBoard', 410, 'board_deleted', { path, token: mint({ sub: 'bob' }) })
  })

  test('a board goes into the trash, is listed there, and comes back', async () => {
    const token = mint({ sub: 'gardener' })
    const path = { board: 'compost' }
    await create('compost', token)
    await to('restoreBoard', 409, 'not_in_trash', { path, token })
    await to('deleteBoard', 204, null, { path, token })
    await to('deleteBoard', 410, 'board_deleted', { path, token })
    const { value: trash } = await to('listBoards', 200, null, { token, query: { trash: 'true' } })
    assert.deepEqual(trash.items.map(({ id, level }) => [id, level]), [['compost', null]])
    await to('listBoards', 400, 'invalid_parameter', { token, query: { trash: 'no' }, invalid: true })
    await to('deleteBoard', 400, 'invalid_parameter', { path, token, query: { forever: 'no' }, invalid: true })
    assert.equal((await to('restoreBoard', 200, null, { path, token })).value.level, 'edit')
  })

  test('versions are made, listed, read, seen, restored and deleted', async () => {
    const sent = { path: { board: 'versioned' }, token: alice }
    await create('versioned')
    await to('createItem', 201, null, { ...sent, json: A_STICKY })
    const { value: made } = await to('createVersion', 201, null, { ...sent, json: { name: long(256) } })
    assert.equal((await to('createVersion', 201, null, { ...sent, json: {} })).value.name, null)
    const at = version => ({ path: { board: 'versioned', version }, token: alice })
    const { value: page } = await to('listVersions', 200, null, { ...sent, query: { limit: '1' } })
    const { value: rest } = await to('listVersions', 200, null, { ...sent, query: { limit: '1', cursor: page.next_cursor } })
    assert.deepEqual([rest.items, rest.next_cursor], [[made], null])
    await to('readVersion', 200, null, at(made.id))
    for (const id of ['readVersionSvg', 'readVersionPng']) {
      const { headers } = await to(id, 200, null, at(made.id))
      await to(id, 304, null, { ...at(made.id), headers: { 'If-None-Match': headers.etag } })
      await to(id, 404, 'no_such_page', { ...at(made.id), query: { page: 'page:none' } })
      await to(id, 404, 'no_such_frame', { ...at(made.id), query: { frame: 'none' } })
      await to(id, 400, 'invalid_parameter', { ...at(made.id), query: { scale: '0' }, invalid: true })
    }
    for (const id of ['readVersion', 'readVersionSvg', 'readVersionPng', 'restoreVersion', 'deleteVersion']) await to(id, 404, 'no_such_version', at('1'))
    assert.equal((await to('restoreVersion', 200, null, at(made.id))).value.restored, made.id)
    await to('deleteVersion', 204, null, at(made.id))
  })

  test('names and texts may be as long as the document says', async () => {
    const board = long(128)
    const sent = { path: { board }, token: alice }
    await to('createBoard', 201, null, { json: { id: board, title: long(1024) }, token: alice })
    await to('updateBoard', 200, null, { ...sent, json: { title: '' } })
    await to('createKey', 201, null, { ...sent, json: { level: 'comment', name: long(256) } })
    await to('grantUser', 200, null, { ...sent, path: { board, user: long(256) }, json: { level: 'edit' } })
    await to('grantTeam', 200, null, { ...sent, path: { board, team: long(256) }, json: { level: 'edit' } })
    assert.equal((await to('updateBoard', 200, null, { ...sent, json: { owner: long(256) } })).value.owner, long(256))
  })

  test('a list of boards comes in pages', async () => {
    const token = mint({ sub: 'collector' })
    for (const board of ['c1', 'c2', 'c3']) await create(board, token)
    const first = (await to('listBoards', 200, null, { token, query: { limit: '2' } })).value
    assert.deepEqual(first.items.map(({ id }) => id), ['c1', 'c2'])
    const second = (await to('listBoards', 200, null, { token, query: { limit: '2', cursor: first.next_cursor } })).value
    assert.deepEqual([second.items.map(({ id }) => id), second.next_cursor], [['c3'], null])
  })

  for (const [kind, name, principal] of [['User', 'user', 'user:bob'], ['Team', 'team', 'team:design'], ['Public', null, 'public']]) {
    test(`${principal} is granted a level, and it is taken back`, async () => {
      const board = `grants-${kind}`
      await create(board)
      const path = pathOf(operation(`grant${kind}`), board)
      const sent = { path, token: alice }
      for (const level of ['comment', 'view']) assert.deepEqual((await to(`grant${kind}`, 200, null, { ...sent, json: { level } })).value, { principal, level })
      const listed = (await to('listPermissions', 200, null, { path: { board }, token: alice })).value
      assert.deepEqual(listed, { items: [{ principal, level: 'view' }], next_cursor: null })
      const holder = { User: { token: mint({ sub: 'bob' }) }, Team: { token: mint({ sub: 'x', teams: ['design'] }) }, Public: {} }[kind]
      assert.equal((await to('getBoard', 200, null, { path: { board }, ...holder })).value.level, 'view')
      await to(`ungrant${kind}`, 204, null, sent)
      await to(`ungrant${kind}`, 404, 'no_such_grant', sent)
      if (name === null) return
      for (const bad of ['a\nb', long(257)]) {
        const wrong = { ...sent, path: { ...path, [name]: bad }, invalid: true }
        await to(`grant${kind}`, 400, `invalid_${name}_id`, { ...wrong, json: { level: 'view' } })
        await to(`ungrant${kind}`, 400, `invalid_${name}_id`, wrong)
      }
      await to(`grant${kind}`, 200, null, { ...sent, path: { ...path, [name]: 'ä/% ?' }, json: { level: 'view' } })
    })
  }

  for (const [one, many, body, credential, shown] of [['Link', 'Links', { level: 'view' }, 'share', 'token'], ['Key', 'Keys', { level: 'view', name: 'robot' }, 'key', 'key']]) {
    test(`${many} are made, shown once, used and revoked`, async () => {
      const board = `secrets-${one}`
      const path = { board }
      await create(board)
      const made = (await to(`create${one}`, 201, null, { path, token: alice, json: body })).value
      const { [shown]: secret, ...rest } = made
      assert.deepEqual((await to(`list${many}`, 200, null, { path, token: alice })).value, { items: [rest], next_cursor: null })
      assert.equal((await to('getBoard', 200, null, { path, [credential]: secret })).value.level, 'view')
      await to('getBoard', 403, 'forbidden', { path: { board: 'known' }, [credential]: secret })
      await to('listBoards', 403, 'forbidden', { [credential]: secret })
      await to('createBoard', 403, 'forbidden', { json: {}, [credential]: secret })
      const named = { ...path, [one.toLowerCase()]: made.id }
      if (one === 'Key') {
        const paused = async paused => (await to('pauseKey', 200, null, { path: named, token: alice, json: { paused } })).value
        assert.deepEqual([await paused(true), rest.paused], [{ ...rest, paused: true }, false])
        assert.deepEqual((await to('listKeys', 200, null, { path, token: alice })).value.items, [{ ...rest, paused: true }])
        await to('getBoard', 403, 'agent_paused', { path, key: secret })
        assert.deepEqual(await paused(false), rest)
        await to('getBoard', 200, null, { path, key: secret })
        for (const key of ['AAAAAAAAAAAAAAAA', 'short']) await to('pauseKey', 404, 'no_such_key', { path: { ...path, key }, token: alice, json: { paused: true }, invalid: key === 'short' })
      }
      await to(`revoke${one}`, 204, null, { path: named, token: alice })
      await to(`revoke${one}`, 404, `no_such_${one.toLowerCase()}`, { path: named, token: alice })
      await to(`revoke${one}`, 404, `no_such_${one.toLowerCase()}`, { path: { ...named, [one.toLowerCase()]: 'short' }, token: alice, invalid: true })
      await to('getBoard', 401, 'invalid_credential', { path, [credential]: secret })
    })
  }

  test('a share link expires', async () => {
    await create('expiring')
    const path = { board: 'expiring' }
    const { value } = await to('createLink', 201, null, { path, token: alice, json: { level: 'edit', expires_in: 1 } })
    assert.ok(Date.parse(value.expires_at) - Date.now() <= 1000)
    const last = (await to('createLink', 201, null, { path, token: alice, json: { level: 'edit', expires_in: 316224000 } })).value
    assert.ok(Date.parse(last.expires_at) > Date.now())
    await until(() => Date.now() > Date.parse(value.expires_at), 'the expiry')
    await to('getBoard', 401, 'expired_credential', { path, share: value.token })
  })

  test('what a board may have no more of is refused', async () => {
    const path = { board: 'full' }
    await create('full')
    const fill = async (count, one) => {
      let next = 0
      const worker = async () => { while (next < count) await one(next++) }
      await Promise.all(Array.from({ length: 64 }, worker))
    }
    const sent = { path, token: alice }
    await fill(1024, () => to('createLink', 201, null, { ...sent, json: { level: 'view' } }))
    await to('createLink', 409, 'too_many_links', { ...sent, json: { level: 'view' } })
    await fill(1024, n => to('createKey', 201, null, { ...sent, json: { level: 'view', name: `key ${n}` } }))
    await to('createKey', 409, 'too_many_keys', { ...sent, json: { level: 'view', name: 'one more' } })
    await fill(8, n => to('createWebhook', 201, null, { ...sent, json: { url: `https://example.com/${n}` } }))
    await to('createWebhook', 409, 'too_many_webhooks', { ...sent, json: { url: 'https://example.com/' } })
    await fill(4096, n => to('grantUser', 200, null, { ...sent, path: { ...path, user: `user ${n}` }, json: { level: 'view' } }))
    for (const id of ['grantUser', 'grantTeam', 'grantPublic']) {
      await to(id, 409, 'too_many_grants', { ...sent, path: pathOf(operation(id), 'full'), json: { level: 'view' } })
    }
    await to('grantUser', 200, null, { ...sent, path: { ...path, user: 'user 0' }, json: { level: 'edit' } })
  })

  test('the audit log has every action, with what belongs to it', async () => {
    const board = 'audited'
    const sent = { path: { board }, token: alice }
    await create(board)
    const { value: link } = await to('createLink', 201, null, { ...sent, json: { level: 'view', expires_in: 60 } })
    await to('revokeLink', 204, null, { ...sent, path: { board, link: link.id } })
    const { value: key } = await to('createKey', 201, null, { ...sent, json: { level: 'edit', name: 'robot' } })
    for (const paused of [true, false]) await to('pauseKey', 200, null, { ...sent, path: { board, key: key.id }, json: { paused } })
    await to('revokeKey', 204, null, { ...sent, path: { board, key: key.id } })
    const { value: webhook } = await to('createWebhook', 201, null, { ...sent, json: { url: 'https://example.com/', types: ['item'] } })
    await to('listWebhooks', 200, null, sent)
    await to('deleteWebhook', 204, null, { ...sent, path: { board, webhook: webhook.id } })
    await to('deleteWebhook', 404, 'no_such_webhook', { ...sent, path: { board, webhook: webhook.id } })
    await to('grantTeam', 200, null, { ...sent, path: { board, team: 'design' }, json: { level: 'view' } })
    await to('ungrantTeam', 204, null, { ...sent, path: { board, team: 'design' } })
    await to('updateBoard', 200, null, { ...sent, json: { title: 'Seen' }, headers: { 'User-Agent': long(300) } })
    for (let n = 0; n < 3; n++) await to('getBoard', 403, 'forbidden', { ...sent, token: stranger })
    await to('getBoard', 401, 'unauthenticated', { path: { board } })
    const entries = await until(async () => {
      const { value } = await to('readAudit', 200, null, { ...sent, query: { limit: '500' } })
      // A deleted board has no log that could be read.
      const wanted = ['board.create', 'board.access', 'board.update', 'permission.set', 'permission.remove', 'link.create', 'link.revoke', 'key.create', 'key.pause', 'key.resume', 'key.revoke', 'webhook.create', 'webhook.delete', 'access.denied']
      return wanted.every(action => value.items.some(entry => entry.action === action)) && value.items
    }, 'every action in the log')
    assert.deepEqual(entries.map(({ at }) => at), entries.map(({ at }) => at).sort().reverse(), 'newest first')
    const of = action => entries.find(entry => entry.action === action)
    assert.deepEqual([of('link.create').detail, of('key.create').detail], [{ id: link.id, expires_at: link.expires_at }, { id: key.id, name: 'robot' }])
    assert.deepEqual([of('permission.set').level, of('board.update').user_agent.length, of('board.create').address], ['view', 256, '127.0.0.1'])
    const pages = []
    for (let cursor = ''; cursor !== null;) {
      const { value } = await to('readAudit', 200, null, { ...sent, query: { limit: '3', ...(cursor === '' ? {} : { cursor }) } })
      pages.push(...value.items)
      cursor = value.next_cursor
    }
    assert.deepEqual(pages.map(({ action }) => action), entries.map(({ action }) => action))
  })

  test('those who are connected are listed, with their states', async t => {
    const path = { board: 'lively' }
    await create('lively')
    assert.deepEqual((await to('listPresence', 200, null, { path, token: alice })).value, { items: [], next_cursor: null })
    const raw = await Raw.open(t, server, 'lively', { sub: 'carol' })
    await Raw.open(t, server, 'lively', { sub: 'dave', level: 'view' })
    raw.send(messages.awareness([{ id: 7, clock: 1, state: { user: { name: 'Carol' } } }]))
    await raw.settled()
    const items = await until(async () => {
      const { value } = await to('listPresence', 200, null, { path, token: alice })
      return value.items.some(({ state }) => state !== null) && value.items
    }, 'a state')
    assert.deepEqual(items.map(({ subject, level, state }) => [subject, level, state]).sort(), [['user:carol', 'edit', { user: { name: 'Carol' } }], ['user:dave', 'view', null]])
    const { value: first } = await to('listPresence', 200, null, { path, token: alice, query: { limit: '1' } })
    assert.ok(first.next_cursor !== null)
    await to('listPresence', 200, null, { path, token: alice, query: { limit: '1', cursor: first.next_cursor } })
  })

  test('a board is followed, as far as there are places', async t => {
    const sent = { path: { board: 'known' }, token: alice }
    for (const query of [{}, { types: 'item,presence', kinds: 'sticky,frame' }]) {
      assert.match((await to('followBoard', 200, null, { ...sent, query })).value, /^: following\nid: [0-9a-f]+-[0-9]+\n\n$/)
    }
    assert.match((await to('followBoard', 200, null, { ...sent, headers: { 'Last-Event-ID': 'no' } })).value, /^event: reset\n/)
    for (const [query, field] of [[{ types: 'items' }, 'types'], [{ kinds: 'Sticky' }, 'kinds']]) {
      assert.equal((await to('followBoard', 400, 'invalid_parameter', { ...sent, query, invalid: true })).value.field, field)
    }
    const own = await Server.start({ 'max-connections': 1 }, t)
    await call(own, 'createBoard', 201, null, { json: { id: 'known' }, token: alice })
    await Raw.open(t, own, 'known', { sub: 'carol' })
    await call(own, 'followBoard', 429, 'too_many_connections', sent)
  })

  test('a shutdown refuses what had not been asked yet', async t => {
    const own = await Server.start({}, t)
    await call(own, 'createBoard', 201, null, { json: { id: 'known' }, token: alice })
    // One tells when the shutdown has begun; the other does not hear of it, so that the server waits for it
    // some seconds.
    const wire = await Wire.open(t, own, 'known')
    const deaf = await Wire.open(t, own, 'known')
    deaf.socket.pause()
    const waiting = []
    for (const asked of of(({ statuses }) => statuses.includes('503'))) {
      const socket = net.connect(own.port, own.host)
      t.after(() => socket.destroy())
      const one = { ...asked, socket, received: '' }
      socket.setEncoding('latin1').on('data', chunk => { one.received += chunk }).on('error', () => {})
      socket.write('HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n')
      await until(() => one.received.endsWith('\r\n\r\n'), 'an answer, which shows that the connection is served')
      one.received = ''
      const path = asked.path.replaceAll(/\{(\w+)\}/g, (_, name) => pathOf(asked, 'known')[name]) + (asked.id === 'mcp' ? '?board=known' : '')
      socket.write(`${asked.method} ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${alice}\r\n`)
      waiting.push(one)
    }
    own.signal('SIGTERM')
    await until(() => wire.frames.some(({ opcode }) => opcode === 8), 'the close frame')
    for (const { socket } of waiting) socket.write('\r\n')
    for (const one of waiting) {
      await until(() => /\r\n\r\n.*\}$/s.test(one.received), () => `the answer of ${one.id}: ${one.received}`)
      const [head, body] = one.received.split('\r\n\r\n')
      const [line, ...fields] = head.split('\r\n')
      assert.match(line, /^HTTP\/1.1 503 /, one.id)
      const headers = Object.fromEntries(fields.map(field => [field.split(': ')[0].toLowerCase(), field.split(': ')[1]]))
      assert.equal(headers.connection, 'close', one.id)
      const value = judge({ status: 503, headers, body: Buffer.from(body, 'latin1') }, [...one.place, 'responses', '503'], one.id)
      assert.equal(value.code ?? value.status, one.id === 'health' ? 'stopping' : 'shutting_down')
      seen.add(`${one.id} 503 ${value.code ?? '-'}`)
    }
  })

  test('documents are written and read, whole, in part and as JSON', async () => {
    const path = { board: 'written' }
    const sent = { path, token: alice }
    await create('written')
    const doc = new Y.Doc()
    doc.getMap('map').set('a', 1)
    const first = Y.encodeStateAsUpdate(doc)
    const vector = Y.encodeStateVector(doc)
    doc.getMap('map').set('b', 2)
    const second = Y.encodeStateAsUpdate(doc, vector)
    const { value: hole } = await to('writeDocument', 409, 'missing_updates', { ...sent, body: second })
    assert.deepEqual([...Buffer.from(hole.state_vector, 'base64url')], [0])
    await to('writeDocument', 204, null, { ...sent, body: first })
    await to('writeDocument', 204, null, { ...sent, body: first })
    await to('writeDocument', 204, null, { ...sent, body: second })
    await to('writeDocument', 400, 'malformed_update', { ...sent, body: Buffer.from([1, 2, 3]) })
    await to('writeDocument', 413, 'board_too_large', { ...sent, body: anUpdate(long(BOARD_BYTES_MAX + 1000)) })
    await to('writeDocument', 403, 'forbidden', { path, token: tokenFor('written', { sub: 'viewer', level: 'comment' }), body: first })
    assert.deepEqual((await to('readDocument', 200, null, { ...sent, query: { format: 'json' } })).value, { map: { a: 1, b: 2 } })
    for (const query of [{}, { state_vector: Buffer.from(vector).toString('base64url') }]) {
      const { value } = await to('readDocument', 200, null, { ...sent, query })
      const copy = new Y.Doc()
      if ('state_vector' in query) Y.applyUpdate(copy, first)
      Y.applyUpdate(copy, value)
      assert.deepEqual(copy.getMap('map').toJSON(), { a: 1, b: 2 })
    }
    for (const [query, field] of [[{ format: 'xml' }, 'format'], [{ state_vector: '!' }, 'state_vector']]) {
      assert.equal((await to('readDocument', 400, 'invalid_parameter', { ...sent, query, invalid: true })).value.field, field)
    }
    await to('readDocument', 400, 'invalid_parameter', { ...sent, query: { format: 'json', state_vector: 'AA' } })
    await create('unread')
    await to('writeDocument', 204, null, { path: { board: 'unread' }, token: alice, body: update(doc => doc.getMap('map').set('sub', new Y.Doc())) })
    await to('readDocument', 409, 'content_unsupported', { path: { board: 'unread' }, token: alice, query: { format: 'json' } })
    await to('followBoard', 409, 'content_unsupported', { path: { board: 'unread' }, token: alice })
    const { value: kept } = await to('createVersion', 201, null, { path: { board: 'unread' }, token: alice, json: {} })
    for (const one of of(({ path }) => ['/items', '/picture.', '{version}/restore'].some(part => path.includes(part)))) {
      const filled = one.id === 'batchItems' ? { json: { operations: [{ action: 'delete', item: { id: 'a' } }] } } : BODIES[one.id]
      await to(one.id, 409, 'content_unsupported', { path: { ...pathOf(one, 'unread'), ...(one.path.includes('{version}') && { version: kept.id }) }, token: alice, ...filled })
    }
  })

  test('items are drawn, read, changed and deleted', async () => {
    const path = { board: 'drawn' }
    const sent = { path, token: alice }
    await create('drawn')
    const made = await to('createItem', 201, null, { ...sent, json: { type: 'sticky', x: 1, y: 2, content: { text: 'hi' } } })
    assert.match(made.value.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.equal(made.headers.location, `/v1/boards/drawn/items/${made.value.id}`)
    assert.deepEqual([made.value.created_by, made.value.updated_by, made.value.width, made.value.content], ['user:alice', 'user:alice', 200, { text: 'hi' }])
    const item = { path: { ...path, item: made.value.id }, token: alice }
    const read = await to('readItem', 200, null, item)
    assert.deepEqual([read.value, read.headers.etag], [made.value, made.headers.etag])
    await to('readItem', 304, null, { ...item, headers: { 'If-None-Match': `W/${read.headers.etag}` } })
    const moved = await to('updateItem', 200, null, { ...item, json: { x: 9 }, headers: { 'If-Match': read.headers.etag } })
    assert.equal(moved.value.x, 9)
    assert.notEqual(moved.headers.etag, read.headers.etag)
    await to('updateItem', 412, 'precondition_failed', { ...item, json: { x: 10 }, headers: { 'If-Match': read.headers.etag } })
    await to('deleteItem', 412, 'precondition_failed', { ...item, headers: { 'If-Match': `W/${moved.headers.etag}` } })
    await to('deleteItem', 204, null, { ...item, headers: { 'If-Match': `"other", ${moved.headers.etag}` } })
    for (const id of ['readItem', 'updateItem', 'deleteItem']) await to(id, 404, 'no_such_item', { ...item, ...BODIES[id] })
  })

  test('a message of the Model Context Protocol is answered, or refused in its own way', async () => {
    const sent = { token: alice, query: { board: 'known' } }
    const message = (method, params) => ({ json: { jsonrpc: '2.0', id: 1, method, params } })
    assert.deepEqual((await to('mcp', 200, null, { ...sent, ...message('ping') })).value, { jsonrpc: '2.0', id: 1, result: {} })
    await to('mcp', 202, null, { ...sent, json: { jsonrpc: '2.0', method: 'notifications/initialized' } })
    for (const body of ['{', '', '[]']) {
      const { value } = await to('mcp', 400, null, { ...sent, body })
      assert.equal(value.error.code, -32700, body)
    }
    assert.equal((await to('mcp', 400, null, { ...sent, json: {}, invalid: true })).value.error.code, -32600)
    const headers = { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'ping' }
    const params = { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} } }
    assert.equal((await to('mcp', 404, null, { ...sent, ...message('ping', params), headers })).value.error.code, -32601)
    const problem = (expected, code, query, options) => to('mcp', expected, code, { ...sent, ...message('ping'), query, ...options })
    await problem(400, 'invalid_parameter', {})
    await problem(400, 'invalid_board_id', { board: 'a b' })
    await problem(404, 'no_such_board', { board: 'missing' })
    await problem(410, 'board_deleted', { board: 'deleted' })
    await problem(403, 'forbidden', { board: 'known' }, { token: stranger })
    await problem(403, 'origin_refused', { board: 'known' }, { headers: { Origin: 'https://elsewhere.example' } })
    await create('closed')
    await to('writeDocument', 204, null, { path: { board: 'closed' }, token: alice, body: update(doc => doc.getMap('map').set('sub', new Y.Doc())) })
    await to('mcp', 409, 'content_unsupported', { token: alice, query: { board: 'closed' }, ...message('resources/read', { uri: 'boardwire://boards/closed' }) })
  })

  test('a picture of a board, a page, a frame and a part, and what it has is not sent again', async () => {
    const path = { board: 'pictured' }
    const sent = { path, token: alice }
    await create('pictured')
    await to('createItem', 201, null, { ...sent, json: { id: 'framed', type: 'frame', x: 0, y: 0, content: { title: '<Plans>' } } })
    for (const id of ['readPictureSvg', 'readPicturePng']) {
      const whole = await to(id, 200, null, sent)
      for (const query of [{ page: 'page:page', theme: 'dark' }, { frame: 'framed', scale: '2' }, { bbox: '0,0,100,50', width: '64', height: '64' }]) {
        await to(id, 200, null, { ...sent, query })
      }
      await to(id, 304, null, { ...sent, headers: { 'If-None-Match': whole.headers.etag } })
      await to(id, 404, 'no_such_page', { ...sent, query: { page: 'page:other' } })
      await to(id, 404, 'no_such_frame', { ...sent, query: { frame: 'other' } })
      for (const [field, value] of [['page', 'x'], ['scale', '5'], ['width', '1'], ['height', '5000'], ['theme', 'blue']]) {
        assert.equal((await to(id, 400, 'invalid_parameter', { ...sent, query: { [field]: value }, invalid: true })).value.field, field)
      }
      await to(id, 400, 'invalid_parameter', { ...sent, query: { bbox: '1' } })
    }
  })

  test('a picture is brought, listed, read whole and in part, and refused where it is none', async () => {
    const sent = { path: { board: 'assets' }, token: alice }
    await create('assets')
    const made = (await to('createAsset', 201, null, { ...sent, body: picture(1) })).value
    assert.deepEqual((await to('createAsset', 200, null, { ...sent, body: picture(1) })).value, made)
    assert.deepEqual((await to('listAssets', 200, null, sent)).value.items, [made])
    await to('createAsset', 415, 'unsupported_asset', { ...sent, body: '<html>' })
    await to('createAsset', 422, 'picture_too_large', { ...sent, body: picture(2, 40_000) })
    await to('createAsset', 413, 'assets_full', { ...sent, body: Buffer.concat([picture(3), Buffer.alloc(BODY_BYTES_MAX - 30)]) })
    const asset = { path: { board: 'assets', asset: made.sha256 }, token: alice }
    const whole = await to('readAsset', 200, null, asset)
    await to('readAsset', 304, null, { ...asset, headers: { 'If-None-Match': whole.headers.etag } })
    await to('readAsset', 206, null, { ...asset, headers: { Range: 'bytes=0-3' } })
    await to('readAsset', 416, 'range_not_satisfiable', { ...asset, headers: { Range: 'bytes=999-' } })
    await to('readAsset', 404, 'no_such_asset', { ...sent, path: { board: 'assets', asset: NAMES.asset } })
    const drawing = (await to('createAsset', 201, null, { ...sent, body: '<svg xmlns="http://www.w3.org/2000/svg"/>' })).value
    const read = await to('readAsset', 200, null, { ...sent, path: { board: 'assets', asset: drawing.sha256 } })
    assert.equal(read.headers['content-disposition'], 'attachment')
  })

  test('the same request does nothing again', async () => {
    const sent = { path: { board: 'repeated' }, token: alice }
    await create('repeated')
    for (const [id, status, json, other] of [
      ['createItem', 201, A_STICKY, { ...A_STICKY, x: 1 }],
      ['batchItems', 200, { operations: [{ action: 'create', item: A_STICKY }] }, { operations: [{ action: 'create', item: { ...A_STICKY, x: 1 } }] }]
    ]) {
      const headers = { 'Idempotency-Key': `key-of-${id}` }
      const first = await to(id, status, null, { ...sent, json, headers })
      assert.equal(first.headers['idempotency-replayed'], undefined)
      const again = await to(id, status, null, { ...sent, json, headers })
      assert.deepEqual([again.value, again.headers['idempotency-replayed']], [first.value, 'true'])
      const { value } = await to(id, 422, 'idempotency_key_reused', { ...sent, json: other, headers })
      assert.equal(value.field, 'Idempotency-Key')
      for (const key of ['', 'a b', long(256)]) await to(id, 400, 'invalid_parameter', { ...sent, json, headers: { 'Idempotency-Key': key } })
    }
    assert.equal((await to('listItems', 200, null, sent)).value.items.length, 2)
  })

  test('connectors are drawn, read, changed and deleted', async () => {
    const sent = { path: { board: 'connected' }, token: alice }
    const at = item => ({ path: { board: 'connected', item }, token: alice })
    await create('connected')
    const ends = { from: { item: 'a', anchor: { x: 1, y: 0.5 } }, to: { item: 'b' } }
    const connector = { id: 'c', type: 'connector', ...ends, content: { text: 'calls' }, style: { kind: 'elbow', arrow_start: 'dot', bend: -5.5 } }
    const box = (id, x) => ({ ...A_STICKY, id, x })
    const { value } = await to('batchItems', 200, null, { ...sent, json: { operations: [connector, box('a', 0), box('b', 500)].map(item => ({ action: 'create', item })) } })
    const [{ item: made }] = value.results
    assert.deepEqual([{ from: made.from, to: made.to }, made.style.bend, made.x, made.width], [ends, -5.5, 200, 400])
    assert.deepEqual((await to('readItem', 200, null, at('c'))).value, made)
    const moved = await to('updateItem', 200, null, { ...at('c'), json: { from: { item: null, anchor: null, x: 7, y: 8 }, to: { anchor: { x: 0, y: 0 } }, style: { bend: null } } })
    assert.deepEqual([moved.value.from, moved.value.to, moved.value.style.bend], [{ x: 7, y: 8 }, { item: 'b', anchor: { x: 0, y: 0 } }, 0])
    assert.equal((await to('updateItem', 422, 'invalid_value', { ...at('c'), json: { to: { item: 'gone' } } })).value.field, 'to.item')
    const { value: refused } = await to('batchItems', 422, 'invalid_value', { ...sent, json: { operations: [{ action: 'create', item: box('d', 0) }, { action: 'update', item: { id: 'c', from: { item: 'gone' } } }] } })
    assert.equal(refused.field, 'operations[1].item.from.item')
    await to('createItem', 201, null, { ...sent, json: A_CONNECTOR })
    await to('listItems', 200, null, sent)
    await to('deleteItem', 204, null, at('b'))
    assert.deepEqual(Object.keys((await to('readItem', 200, null, at('c'))).value.to), ['x', 'y'])
  })

  test('who is invited gets in once, and sessions are listed, renewed and ended', async () => {
    const admin = adminToken()
    const own = { Origin: `http://${server.host}:${server.port}` }
    const invited = async name => new URL((await to('invite', 201, null, { token: admin, json: { name, boards: { plan: 'view' } } })).value.url).hash.slice('#invite='.length)
    const begin = async invite => {
      const { value, headers } = await to('beginSession', 201, null, { json: { invite }, headers: own })
      return { id: value.id, headers: { ...own, Cookie: headers['set-cookie'][0].split(';')[0] } }
    }
    const invite = await invited('Bob')
    await to('beginSession', 403, 'origin_refused', { json: { invite }, headers: { Origin: 'http://evil.example' } })
    const bob = await begin(invite)
    await to('beginSession', 410, 'invite_used', { json: { invite } })
    await to('beginSession', 410, 'invite_expired', { json: { invite: mint({ invite: 'AAAAAAAAAAAAAAAAAAAAAA', name: 'Bob', exp: seconds(-60), sub: undefined }) } })
    await to('beginSession', 401, 'invalid_credential', { json: { invite: 'no' } })
    const who = (await to('readSession', 200, null, { headers: bob.headers })).value
    assert.deepEqual([who.user, who.by, who.id], ['Bob', 'session', bob.id])
    assert.equal((await to('readSession', 200, null, { token: alice })).value.by, 'token')
    assert.equal((await to('readSession', 200, null, {})).value.user, null)
    await to('readSession', 401, 'invalid_credential', { token: 'letmein' })
    await to('readSession', 401, 'expired_credential', { token: expired })
    assert.deepEqual((await to('listSessions', 200, null, { headers: bob.headers })).value.items.map(({ id, current }) => [id, current]), [[bob.id, true]])
    const share = (await to('createLink', 201, null, { path: { board: 'known' }, token: alice, json: { level: 'view', label: 'any' } })).value.token
    await to('listSessions', 403, 'forbidden', { share })
    await to('revokeSession', 403, 'forbidden', { path: { session: bob.id }, share })
    await to('readBackup', 403, 'forbidden', { share })
    await to('revokeSession', 404, 'no_such_session', { path: { session: bob.id }, token: stranger })
    for (const id of ['revokeSession', 'endSession']) {
      await to(id, 403, 'origin_refused', { path: id === 'endSession' ? {} : { session: bob.id }, headers: { Cookie: bob.headers.Cookie } })
    }
    await to('invite', 403, 'origin_refused', { json: { name: 'Eve' }, headers: { Cookie: bob.headers.Cookie } })
    await to('invite', 403, 'forbidden', { json: { name: 'Eve' }, headers: bob.headers })
    await to('readBackup', 403, 'forbidden', { headers: bob.headers })
    await to('readBackup', 200, null, { token: admin })
    await to('readBackup', 200, null, { token: admin, query: { cursor: 's:' } })
    await to('readBackup', 400, 'invalid_parameter', { token: admin, query: { cursor: 'x' }, invalid: true })
    await to('revokeSession', 204, null, { path: { session: bob.id }, token: admin })
    await to('listSessions', 401, 'expired_credential', { headers: bob.headers })
    const eve = await begin(await invited('Eve'))
    await to('endSession', 204, null, { headers: eve.headers })
    await to('endSession', 204, null, {})
  })

  test('a batch is done as a whole or not at all, and items come in pages', async () => {
    const sent = { path: { board: 'batched' }, token: alice }
    await create('batched')
    const shape = id => ({ action: 'create', item: { id, type: 'shape', x: 0, y: 0, style: { geo: 'diamond' } } })
    const { value } = await to('batchItems', 200, null, { ...sent, json: { operations: [shape('a'), shape('b'), { action: 'update', item: { id: 'a', x: 5 } }, { action: 'delete', item: { id: 'b' } }, shape('c')] } })
    assert.deepEqual(value.results.map(({ status }) => status), [201, 201, 200, 204, 201])
    for (const [status, code, last, field] of [
      [404, 'no_such_item', { action: 'delete', item: { id: 'b' } }, 'operations[1].item.id'],
      [409, 'item_exists', shape('a'), 'operations[1].item.id']
    ]) {
      const { value } = await to('batchItems', status, code, { ...sent, json: { operations: [shape('d'), last] } })
      assert.equal(value.field, field)
    }
    await to('createItem', 409, 'item_exists', { ...sent, json: shape('a').item })
    const page = (await to('listItems', 200, null, { ...sent, query: { limit: '1' } })).value
    assert.deepEqual(page.items.map(({ id, x }) => [id, x]), [['a', 5]])
    const rest = (await to('listItems', 200, null, { ...sent, query: { limit: '1', cursor: page.next_cursor } })).value
    assert.deepEqual([rest.items.map(({ id }) => id), rest.next_cursor], [['c'], null])
    assert.deepEqual((await to('listItems', 200, null, { ...sent, query: { type: 'shape', bbox: '0,0,1,1', text: '', since: '2026-01-31T12:00:00.000Z', created_by: 'user:alice' } })).value.items.map(({ id }) => id), ['c'])
    await to('listItems', 400, 'invalid_parameter', { ...sent, query: { bbox: '1' } })
    const free = { width: '100', height: '100' }
    assert.deepEqual(Object.keys((await to('findSpace', 200, null, { ...sent, query: { ...free, near: '0,0' } })).value), ['x', 'y'])
    await to('findSpace', 400, 'invalid_parameter', { ...sent, query: { ...free, near: '0' } })
    const laid = (await to('batchItems', 200, null, { ...sent, json: { operations: [{ action: 'layout', item: { items: ['a', 'c'], kind: 'grid', gap: 5, at: { x: 0, y: 0 } } }] } })).value.results
    assert.deepEqual(laid.map(({ status, items }) => [status, items.map(({ x, y }) => [x, y])]), [[200, [[0, 0], [205, 0]]]])
    const line = (await to('createItem', 201, null, { ...sent, json: { type: 'line', points: [[0, 0], [5, 5]], z: 'back', opacity: 0.5, rotation: 1, locked: true } })).value
    await to('updateItem', 200, null, { ...sent, path: { board: 'batched', item: line.id }, json: { ...line, x: 7 } })
    await to('deleteItem', 204, null, { ...sent, path: { board: 'batched', item: line.id } })
    const text = { content: { text: 'word '.repeat(13_107) } }
    await to('createItem', 413, 'board_too_large', { ...sent, json: { ...A_STICKY, ...text } })
    await to('updateItem', 413, 'board_too_large', { ...sent, path: { board: 'batched', item: 'a' }, json: text })
    await to('batchItems', 413, 'board_too_large', { ...sent, json: { operations: [{ action: 'update', item: { id: 'a', ...text } }] } })
  })
})

// Last in the file: what was seen above.
test('every operation, status and code of the document was provoked, or is excused', () => {
  const excuses = UNPROVOKED.map(([words]) => new RegExp(`^${words.replaceAll('.', '\\.').replaceAll('*', '\\S+')}$`))
  const used = new Set()
  const isExcused = words => {
    const excuse = excuses.findIndex(excuse => excuse.test(words))
    used.add(excuse)
    return excuse >= 0
  }
  const isSeen = words => {
    const answer = words.slice(words.indexOf(' ') + 1)
    return seen.has(words) || (ANYWHERE.includes(answer) && [...seen].some(other => other.endsWith(` ${answer}`)))
  }
  const never = documented().filter(words => !isSeen(words) && !isExcused(words))
  assert.deepEqual(never, [], 'documented and never provoked')
  assert.deepEqual(UNPROVOKED.filter((_, index) => !used.has(index)), [], 'excused for nothing')
  for (const { id } of operations) assert.ok([...seen].some(words => new RegExp(`^${id} 2`).test(words)), `${id} never succeeded`)
})
