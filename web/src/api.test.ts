import { expect, test } from 'vitest'
import { ApiProblem, bestAlone, cookiesFor, createApi, everyPage } from './api'
import { apart, type Credentials } from './credentials'

interface Sent { readonly url: string, readonly method: string, readonly headers: Headers, readonly body: unknown }

/** An API whose server gives one answer and notes what it was asked. */
function apiWith (answer: () => Response | Promise<Response>, credentials: Credentials = {}) {
  const sent: Sent[] = []
  const api = createApi(credentials, async (url, init) => {
    sent.push({
      url: String(url),
      method: init?.method ?? 'GET',
      headers: new Headers(init?.headers),
      body: typeof init?.body === 'string' ? JSON.parse(init.body) : undefined
    })
    return await answer()
  })
  return { api, sent }
}

const empty = () => Response.json({ items: [], next_cursor: null })
const nothing = () => new Response(null, { status: 204 })

test('a token and a key go in headers, a share link in the query', async () => {
  const { api, sent } = apiWith(empty, { token: 't', apiKey: 'k', share: 's&1' })
  await api.listBoards()
  expect(sent[0]?.url).toBe('/v1/boards?limit=500&share=s%261')
  expect(sent[0]?.headers.get('authorization')).toBe('Bearer t')
  expect(sent[0]?.headers.get('x-api-key')).toBe('k')
})

test('without credentials nothing is sent', async () => {
  const { api, sent } = apiWith(empty)
  await api.listBoards()
  expect(sent[0]?.url).toBe('/v1/boards?limit=500')
  expect(sent[0]?.headers.has('authorization')).toBe(false)
  expect(sent[0]?.headers.has('x-api-key')).toBe(false)
})

test('each call asks for what the contract names', async () => {
  const { api, sent } = apiWith(nothing)
  await api.createBoard('Plan')
  await api.renameBoard('b', null)
  await api.deleteBoard('b')
  await api.setGrant('b', { kind: 'users', id: 'a/b c' }, 'view')
  await api.setGrant('b', { kind: 'teams', id: 'design' }, 'comment')
  await api.removeGrant('b', { kind: 'public' })
  await api.createLink('b', { level: 'edit', expiresIn: 60, label: 'For Bob' })
  await api.createLink('b', { level: 'edit', expiresIn: null, label: null })
  await api.revokeLink('b', 'l')
  await api.createKey('b', 'bot', 'edit')
  await api.pauseKey('b', 'k', true)
  await api.revokeKey('b', 'k')
  await api.listPresence('b')
  await api.listAudit('b', 'c')
  await api.writeDocument('b', new Uint8Array([0, 0]))
  expect(sent.map(call => [call.method, call.url, call.body])).toEqual([
    ['POST', '/v1/boards', { title: 'Plan' }],
    ['PATCH', '/v1/boards/b', { title: null }],
    ['DELETE', '/v1/boards/b', undefined],
    ['PUT', '/v1/boards/b/permissions/users/a%2Fb%20c', { level: 'view' }],
    ['PUT', '/v1/boards/b/permissions/teams/design', { level: 'comment' }],
    ['DELETE', '/v1/boards/b/permissions/public', undefined],
    ['POST', '/v1/boards/b/links', { level: 'edit', expires_in: 60, label: 'For Bob' }],
    ['POST', '/v1/boards/b/links', { level: 'edit' }],
    ['DELETE', '/v1/boards/b/links/l', undefined],
    ['POST', '/v1/boards/b/keys', { name: 'bot', level: 'edit' }],
    ['PATCH', '/v1/boards/b/keys/k', { paused: true }],
    ['DELETE', '/v1/boards/b/keys/k', undefined],
    ['GET', '/v1/boards/b/presence', undefined],
    ['GET', '/v1/boards/b/audit?limit=500&cursor=c', undefined],
    ['POST', '/v1/boards/b/document', undefined]
  ])
})

test('what is looked for is looked for behind pages without a hit', async () => {
  const pages = [{ items: [], next_cursor: 'on' }, { items: [{ id: 'n' }], next_cursor: 'more' }]
  const { api, sent } = apiWith(() => Response.json(pages.shift()))
  expect(await api.findItem('b', 'a&b')).toEqual({ id: 'n' })
  expect(sent.map(({ url }) => url)).toEqual([
    '/v1/boards/b/items?text=a%26b&limit=1', '/v1/boards/b/items?text=a%26b&limit=1&cursor=on'
  ])
})

test('a problem document becomes an error with its code and field', async () => {
  const problem = { type: 'urn:boardwire:problem:invalid_value', title: 'bad value', status: 422, detail: 'too long', code: 'invalid_value', field: 'title' }
  const { api } = apiWith(() => Response.json(problem, { status: 422, headers: { 'content-type': 'application/problem+json' } }))
  const error: unknown = await api.createBoard('x').catch((cause: unknown) => cause)
  expect(error).toBeInstanceOf(ApiProblem)
  expect(error).toMatchObject({ code: 'invalid_value', status: 422, field: 'title', message: 'too long' })
})

test('an answer that is no problem document is an error all the same', async () => {
  const page = apiWith(() => new Response('<h1>Bad gateway</h1>', { status: 502 }))
  await expect(page.api.listBoards()).rejects.toMatchObject({ code: 'unexpected_answer', status: 502 })
  const html = apiWith(() => new Response('<!doctype html>', { status: 200 }))
  await expect(html.api.listBoards()).rejects.toMatchObject({ code: 'unexpected_answer', status: 200 })
})

test('a server out of reach is told apart', async () => {
  const { api } = apiWith(async () => await Promise.reject(new TypeError('failed to fetch')))
  await expect(api.listBoards()).rejects.toMatchObject({ code: 'unreachable', status: 0 })
})

test('an aborted call rejects with the reason of its signal', async () => {
  const abort = new AbortController()
  const { api } = apiWith(async () => await Promise.reject(abort.signal.reason as Error))
  abort.abort(new Error('gone'))
  await expect(api.listBoards(null, abort.signal)).rejects.toThrow('gone')
})

test('every page of a list is gathered, in order', async () => {
  const pages: Record<string, { items: number[], next_cursor: string | null }> = {
    '': { items: [1, 2], next_cursor: 'a' },
    a: { items: [], next_cursor: 'b' },
    b: { items: [3], next_cursor: null }
  }
  expect(await everyPage(async cursor => pages[cursor ?? ''] ?? { items: [], next_cursor: null })).toEqual([1, 2, 3])
})

test('a cursor is passed on', async () => {
  const { api, sent } = apiWith(empty)
  await api.listLinks('b', 'c=1')
  expect(sent[0]?.url).toBe('/v1/boards/b/links?cursor=c%3D1')
})

test('why a WebSocket does not open is asked for with a method that names the origin', async () => {
  const { api, sent } = apiWith(() => Response.json({ code: 'origin_refused', detail: 'no' }, { status: 403 }), { token: 't' })
  expect(await api.whyNotOpen('a/b')).toMatchObject({ code: 'origin_refused', status: 403 })
  expect(sent[0]).toMatchObject({ url: '/ws/canvas/a%2Fb', method: 'POST' })
  const { api: other } = apiWith(() => new Response('<html>', { status: 404 }))
  expect((await other.whyNotOpen('b')).code).toBe('unexpected_answer')
  expect((await apiWith(nothing).api.whyNotOpen('b')).code).toBe('unexpected_answer')
})

test('of several credentials the one counts that opens the board, and of two the better', async () => {
  const levels = (token: string | null, share: string | null): typeof fetch => async (url, init) => {
    const level = new Headers(init?.headers).has('authorization') ? token : share
    expect(String(url).includes('share=') && new Headers(init?.headers).has('authorization'), 'one at a time').toBe(false)
    return level === null ? Response.json({ code: 'expired_credential' }, { status: 401 }) : Response.json({ id: 'b', level })
  }
  const both = apart({ token: 't', share: 's' })
  expect(await bestAlone('b', both, levels(null, 'view'))).toEqual({ share: 's' })
  expect(await bestAlone('b', both, levels('edit', null))).toEqual({ token: 't' })
  expect(await bestAlone('b', both, levels('view', 'edit'))).toEqual({ share: 's' })
  expect(await bestAlone('b', both, levels('edit', 'edit')), 'who one is comes first').toEqual({ token: 't' })
  expect(await bestAlone('b', both, levels(null, null))).toBeNull()
})

test('the sign-in of the browser goes along only where nothing else says who one is', () => {
  for (const credentials of [{}, { share: 's' }]) expect(cookiesFor(credentials)).toBe('same-origin')
  for (const credentials of [{ token: 't' }, { apiKey: 'k' }, { token: 't', share: 's' }]) expect(cookiesFor(credentials)).toBe('omit')
})
