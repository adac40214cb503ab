// docs/openapi.yaml as a judge: sends requests of its operations, holds the answers against it, and knows
// what was never seen.
import assert from 'node:assert/strict'
import http from 'node:http'
import { readFileSync } from 'node:fs'
import Ajv2020 from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { parse } from 'yaml'

/** The document, parsed. */
export const document = parse(readFileSync(new URL('../../../docs/openapi.yaml', import.meta.url), 'utf8'))

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']
const PROBLEM = 'application/problem+json'

/** Response header fields that an answer has only where the document says so. */
const JUDGED = ['accept-encoding', 'allow', 'cache-control', 'content-disposition', 'etag', 'idempotency-replayed', 'location', 'www-authenticate']

/** Those that every answer has, by their place in the document. */
const EVERYWHERE = { 'x-content-type-options': 'NoSniff', 'content-security-policy': 'Inert', 'cross-origin-resource-policy': 'OwnOrigin' }

const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false, allErrors: true, keywords: ['example'] })
formats.default(ajv)
// The document as a whole is no schema, but every `$ref` in one of its schemas is a pointer into it.
const ROOT = 'openapi'
const described = new Set(['openapi', 'info', 'servers', 'tags', 'security', 'paths', 'components'])
for (const keyword of described) ajv.addKeyword(keyword)
ajv.addSchema(document, ROOT, undefined, false)

const escape = segment => encodeURIComponent(String(segment).replaceAll('~', '~0').replaceAll('/', '~1'))
const pointer = path => `#/${path.map(escape).join('/')}`

/** Follows `$ref` at a place of the document: `{ value, path }` of what is meant. */
function resolve (path) {
  const value = path.reduce((at, name) => at?.[name], document)
  if (value?.$ref === undefined || path.includes('schema') || path[1] === 'schemas') return { value, path }
  assert.match(value.$ref, /^#\//, `only references within the document: ${value.$ref}`)
  return resolve(value.$ref.slice(2).split('/').map(name => name.replaceAll('~1', '/').replaceAll('~0', '~')))
}

/** The validator of the schema at a place of the document. */
export function validator (path) {
  const validate = ajv.getSchema(`${ROOT}${pointer(path)}`)
  assert.ok(validate, `no schema at ${pointer(path)}`)
  return value => validate(value) ? null : ajv.errorsText(validate.errors, { separator: '\n' })
}

function check (path, value, what) {
  const errors = validator(path)(value)
  assert.equal(errors, null, `${what} is not what the document says:\n${errors}\n${JSON.stringify(value)?.slice(0, 2000)}`)
}

/** Every `$ref` of the document, with the place where it stands. */
export function * references (value = document, path = []) {
  if (typeof value !== 'object' || value === null) return
  if (typeof value.$ref === 'string') yield { target: value.$ref, at: pointer(path) }
  for (const [name, inner] of Object.entries(value)) yield * references(inner, [...path, name])
}

/** Every schema of `components`, and every schema within one, with its place. */
export function * schemas (value = document.components, path = ['components']) {
  if (typeof value !== 'object' || value === null) return
  if (path.includes('schemas') || path.at(-1) === 'schema') yield { schema: value, at: pointer(path) }
  for (const [name, inner] of Object.entries(value)) yield * schemas(inner, [...path, name])
}

/** Every `example` of the document: its value, and the place of its schema. */
export function * examples (value = document, path = []) {
  if (typeof value !== 'object' || value === null) return
  if (value.example !== undefined && value.schema !== undefined) yield { example: value.example, at: [...path, 'schema'] }
  for (const [name, inner] of Object.entries(value)) yield * examples(inner, [...path, name])
}

/** The operations: `id`, `method`, `path`, `place` in the document, `parameters` and `body` resolved. */
export const operations = Object.entries(document.paths).flatMap(([path, item]) => METHODS.filter(method => item[method] !== undefined).map(method => {
  const place = ['paths', path, method]
  const listed = [['paths', path], place].flatMap(at => {
    const { value } = resolve([...at, 'parameters'])
    return (value ?? []).map((_, index) => resolve([...at, 'parameters', index]))
  })
  const body = resolve([...place, 'requestBody'])
  return {
    id: item[method].operationId,
    method: method.toUpperCase(),
    path,
    place,
    parameters: listed,
    body: body.value === undefined ? null : { types: Object.keys(body.value.content), path: body.path },
    security: item[method].security ?? document.security,
    statuses: Object.keys(item[method].responses)
  }
}))

/** The operation of this name. */
export function operation (id) {
  const found = operations.find(operation => operation.id === id)
  assert.ok(found, `the document has no operation ${id}`)
  return found
}

/** The codes that a documented answer may have; `[null]` for one that is no problem. */
function codes (response) {
  const { value, path } = response
  const schema = value.content?.[PROBLEM] && resolve([...path, 'content', PROBLEM, 'schema']).value
  if (schema === undefined) return [null]
  const named = schema.properties?.code ?? document.components.schemas[schema.$ref.split('/').at(-1)].properties.code
  assert.ok(named.enum ?? named.const, `${pointer(path)} does not say which codes it has`)
  return named.enum ?? [named.const]
}

/** Everything that the document says can be answered: `operation status code`, `-` for what has no code. */
export function documented () {
  return operations.flatMap(({ id, place, statuses }) => statuses.flatMap(status => {
    const response = resolve([...place, 'responses', status])
    return codes(response).map(code => `${id} ${status} ${code ?? '-'}`)
  }))
}

/** What was answered so far, in the same words. */
export const seen = new Set()

/** One request as bytes on a connection of its own: `{ status, headers, body }`. */
export function exchange (server, method, path, { headers = {}, body, query = {} } = {}) {
  const text = typeof query === 'string' ? query : new URLSearchParams(query).toString()
  const target = text === '' ? path : `${path}?${text}`
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) }
    const sent = http.request({ host: server.host, port: server.port, method, path: target, headers: { ...length, ...headers }, agent: false, maxHeaderSize: 1 << 20 }, answer => {
      if (method !== 'HEAD' && answer.headers['content-type'] === 'text/event-stream') {
        // It has no end: what comes first stands for it.
        answer.on('error', () => {}).once('data', chunk => {
          resolve({ status: answer.statusCode, headers: answer.headers, body: chunk })
          sent.destroy()
        })
        return
      }
      const chunks = []
      answer.on('data', chunk => chunks.push(chunk)).on('error', reject)
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }))
    })
    sent.on('error', reject).end(body)
  })
}

/** Holds an answer against the response at a place of the document, and returns its body: a value, or bytes. */
export function judge ({ status, headers, body }, path, what) {
  const { value: response, path: at } = resolve(path)
  for (const [name, listed] of Object.entries(response.headers ?? {})) {
    const header = resolve([...at, 'headers', name])
    const value = [headers[name.toLowerCase()]].flat()[0] // Node has those that may come twice as arrays
    assert.ok(value !== undefined || !(listed.required ?? header.value.required), `${what}: no header ${name}`)
    if (value !== undefined) check([...header.path, 'schema'], value, `${what}: header ${name}`)
  }
  for (const [name, header] of Object.entries(EVERYWHERE)) {
    check(['components', 'headers', header, 'schema'], headers[name], `${what}: header ${name}`)
  }
  const told = Object.keys(response.headers ?? {}).map(name => name.toLowerCase())
  if (!path.includes('default')) {
    for (const name of JUDGED) assert.ok(headers[name] === undefined || told.includes(name), `${what}: has a header ${name} that the document does not name`)
  }
  if (response.content === undefined) {
    assert.equal(body.length, 0, `${what}: has a body`)
    assert.equal(headers['content-type'], undefined, `${what}: has a content type`)
    return null
  }
  const type = (headers['content-type'] ?? '').split(';')[0]
  assert.ok(response.content[type] !== undefined, `${what}: content type ${headers['content-type']}`)
  const isJson = /[/+]json$/.test(type)
  if (!isJson && !type.startsWith('text/')) return body
  const value = isJson ? JSON.parse(body.toString()) : body.toString()
  check([...at, 'content', type, 'schema'], value, what)
  if (type === PROBLEM) {
    assert.equal(value.status, status, `${what}: status in the problem`)
    assert.equal(value.type, `urn:boardwire:problem:${value.code}`, `${what}: type of the problem`)
    assert.equal(value.help, `docs/troubleshooting.md#${value.code}`, `${what}: where the problem is explained`)
  }
  return value
}

const fill = (operation, parameters) => operation.path.replaceAll(/\{(\w+)\}/g, (_, name) => {
  assert.ok(parameters[name] !== undefined, `${operation.id} needs {${name}}`)
  return encodeURIComponent(parameters[name])
})

/** What is sent as valid must be so for the document too, and what is sent as invalid must not. */
function judgeRequest (operation, { path, query, json, isValid, what }) {
  const wrong = []
  for (const { value: parameter, path: at } of operation.parameters) {
    const sent = (parameter.in === 'path' ? path : query)[parameter.name]
    if (sent === undefined) continue
    const isNumber = ['integer', 'number'].includes(resolve([...at, 'schema']).value.type) && /^-?\d+$/.test(sent)
    const errors = validator([...at, 'schema'])(isNumber ? Number(sent) : sent)
    if (errors !== null) wrong.push(`${parameter.name}: ${errors}`)
  }
  if (json !== undefined) {
    const errors = validator([...operation.body.path, 'content', 'application/json', 'schema'])(json)
    if (errors !== null) wrong.push(errors)
  }
  if (isValid) assert.deepEqual(wrong, [], `${what}: sends what the document calls invalid`)
  else assert.notDeepEqual(wrong, [], `${what}: the document calls valid what is sent as invalid`)
}

/**
 * Calls an operation and expects a status, and a code where it is a refusal; returns `{ value, headers, status }`.
 *
 * `path` and `query` are parameters, `json` or `body` what is sent, `token`, `key` and `share` credentials. `invalid`
 * says that the document must call parameters or body invalid; `raw` that it is not asked.
 */
export async function call (server, id, expected, code, options = {}) {
  const { path = {}, query = {}, json, body, token, key, share, invalid = false, raw = false, headers = {} } = options
  const called = operation(id)
  const what = `${id} ${expected} ${code ?? '-'}`
  if (!raw) judgeRequest(called, { path, query, json, isValid: !invalid, what })
  const credentials = { ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }), ...(key === undefined ? {} : { 'X-API-Key': key }) }
  const answer = await exchange(server, called.method, fill(called, path), {
    headers: { ...credentials, ...headers },
    query: typeof query === 'string' ? query : { ...query, ...(share === undefined ? {} : { share }) },
    body: json === undefined ? body : JSON.stringify(json)
  })
  assert.equal(answer.status, expected, `${what}: answered ${answer.status} ${answer.body.toString().slice(0, 500)}`)
  const documented = called.statuses.includes(String(answer.status)) ? String(answer.status) : 'default'
  assert.ok(documented !== 'default' || [408, 413, 431, 500, 505].includes(answer.status), `${what}: the document does not name ${answer.status}`)
  const value = judge(answer, [...called.place, 'responses', documented], what)
  const said = answer.headers['content-type'] === PROBLEM ? value.code : null
  assert.equal(said, code ?? null, `${what}: code`)
  seen.add(`${id} ${documented} ${said ?? '-'}`)
  return { value, headers: answer.headers, status: answer.status }
}
