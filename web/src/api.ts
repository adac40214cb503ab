// The HTTP API as functions. It knows the shapes and the credentials; it keeps no state and shows nothing.
import { under } from './base'
import type { Credentials } from './credentials'

/** What somebody may do with a board; each level includes those before it. */
export type Level = 'view' | 'comment' | 'edit'

/** The levels, lowest first. */
export const LEVELS: readonly Level[] = ['view', 'comment', 'edit']

/** A board as the caller sees it. */
export interface Board {
  readonly id: string
  readonly title: string | null
  readonly owner: string | null
  /** The caller's. Null for who has just given the board away. */
  readonly level: Level | null
  readonly created_at: string
  readonly updated_at: string
  readonly size_bytes: number
}

/** A board in the list whose stored rows are damaged: it cannot be opened. */
export interface UnreadableBoard {
  readonly id: string
  readonly level: Level | null
  readonly unreadable: true
}

/** A board in the trash. */
export interface TrashedBoard {
  readonly id: string
  readonly title: string | null
  readonly owner: string | null
  readonly deleted_at: string
  /** When it goes for good. */
  readonly expires_at: string
}

/** What a board was. */
export interface Version {
  readonly id: string
  readonly kind: 'named' | 'automatic' | 'before_deletion' | 'before_restore'
  readonly at: string
  readonly name: string | null
  /** Who made it; null where it made itself. */
  readonly by: string | null
}

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[]
  readonly next_cursor: string | null
}

/** Who has which level: `user:...`, `team:...` or `public`. */
export interface Grant {
  readonly principal: string
  readonly level: Level
}

/** A share link, without its token. */
export interface Link {
  readonly id: string
  readonly level: Level
  readonly expires_at: string | null
  /** What it is for, as whoever made it said. */
  readonly label?: string | null
}

/** What a new share link is to be. */
export interface LinkWish {
  readonly level: Level
  /** In seconds; null never ends. */
  readonly expiresIn: number | null
  readonly label: string | null
}

/** A new share link. The token is never shown again. */
export interface CreatedLink extends Link {
  readonly token: string
}

/** An API key, without its secret. */
export interface Key {
  readonly id: string
  readonly name: string
  readonly level: Level
  readonly created_at: string
  /** Whether its calls are refused for now. */
  readonly paused: boolean
}

/** Somebody who is connected, or an agent that is shown for what it does. */
export interface Present {
  /** Who it is to the server: `user:...`, `key:...`. */
  readonly subject: string
  /** What it says of itself. */
  readonly state: unknown
  /** The name that the server knows them by; null where it knows none. */
  readonly name?: string | null
  /** The awareness clients that its connection speaks for. */
  readonly clients?: readonly number[]
}

/** Who one is to the server, without a token or by it. */
export interface SignedIn {
  readonly user: string | null
  readonly name: string | null
  readonly admin: boolean
  readonly by: 'session' | 'proxy' | 'token' | null
  /** The session's own id, where it is by one. */
  readonly id: string | null
  readonly expires_at: string | null
  /** Where people sign in, if the server names a place. */
  readonly login_url: string | null
  /** Days that a deleted board stays in the trash; 0 where there is none. */
  readonly trash_days?: number
}

/** A browser that somebody is signed in with. */
export interface SignedInBrowser {
  readonly id: string
  readonly user: string
  readonly name: string | null
  readonly admin: boolean
  readonly created_at: string
  readonly used_at: string
  readonly expires_at: string
  readonly user_agent: string | null
  /** Whether it is this one. */
  readonly current: boolean
}

/** A new invitation. Its address is never shown again. */
export interface Invitation {
  readonly url: string
  readonly name: string
  readonly expires_at: string
}

/** An entry of the audit log, as far as the page reads it. */
export interface AuditEntry {
  readonly actor: string
  readonly action: string
}

/** Something drawn, as far as the page reads it. */
export interface Item {
  readonly id: string
  readonly content?: Readonly<Record<string, unknown>> | null
}

/** A picture or film beside a board. */
export interface StoredAsset {
  readonly sha256: string
  readonly url: string
  readonly bytes: number
  readonly type: string
}

/** A new API key. The secret is never shown again. */
export interface CreatedKey extends Key {
  readonly key: string
}

/** Where a grant goes. */
export type Grantee = { readonly kind: 'users' | 'teams', readonly id: string } | { readonly kind: 'public' }

/** Codes of our own, for answers that are no problem documents. */
export type LocalCode = 'unreachable' | 'unexpected_answer'

/** Why a call failed: an RFC 9457 problem of the server, or one of `LocalCode`. Decide by `code`. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem'
  readonly code: string
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number
  /** The parameter or member at fault. */
  readonly field: string | null

  constructor (code: string, status: number, detail: string, field: string | null = null) {
    super(detail)
    this.code = code
    this.status = status
    this.field = field
  }
}

/** The calls that the page makes. Each rejects with an `ApiProblem`, or with the signal's reason where it was aborted. */
export interface Api {
  /** As many at a time as the server gives. */
  listBoards (cursor?: string | null, signal?: AbortSignal): Promise<Page<Board | UnreadableBoard>>
  createBoard (title: string | null): Promise<Board>
  readBoard (board: string, signal?: AbortSignal): Promise<Board>
  /** How the board looks, as an SVG. */
  readPicture (board: string, look: PictureLook, signal?: AbortSignal): Promise<Blob>
  renameBoard (board: string, title: string | null): Promise<Board>
  /** Puts it into the trash, where the server has one. */
  deleteBoard (board: string): Promise<void>
  /** Removes it for good, also from the trash. */
  deleteForever (board: string): Promise<void>
  listTrash (cursor?: string | null, signal?: AbortSignal): Promise<Page<TrashedBoard>>
  restoreBoard (board: string): Promise<Board>
  listGrants (board: string, cursor?: string | null, signal?: AbortSignal): Promise<Page<Grant>>
  setGrant (board: string, grantee: Grantee, level: Level): Promise<Grant>
  removeGrant (board: string, grantee: Grantee): Promise<void>
  listLinks (board: string, cursor?: string | null, signal?: AbortSignal): Promise<Page<Link>>
  createLink (board: string, wish: LinkWish): Promise<CreatedLink>
  revokeLink (board: string, link: string): Promise<void>
  listKeys (board: string, cursor?: string | null, signal?: AbortSignal): Promise<Page<Key>>
  createKey (board: string, name: string, level: Level): Promise<CreatedKey>
  pauseKey (board: string, key: string, paused: boolean): Promise<Key>
  revokeKey (board: string, key: string): Promise<void>
  listPresence (board: string, cursor?: string | null, signal?: AbortSignal): Promise<Page<Present>>
  /** Who one is; it renews the session of this browser. */
  readSession (signal?: AbortSignal): Promise<SignedIn>
  /** Signs this browser in by an invitation. */
  join (invite: string): Promise<SignedIn>
  /** Signs this browser out. */
  endSession (): Promise<void>
  listSessions (cursor?: string | null, signal?: AbortSignal): Promise<Page<SignedInBrowser>>
  revokeSession (id: string): Promise<void>
  invite (name: string, role: { readonly admin: boolean }): Promise<Invitation>
  /** Newest first. */
  listVersions (board: string, cursor?: string | null, signal?: AbortSignal): Promise<Page<Version>>
  /** Keeps the board as it is now. */
  createVersion (board: string, name: string | null): Promise<Version>
  readVersionPicture (board: string, version: string, look: PictureLook, signal?: AbortSignal): Promise<Blob>
  /** Makes the board what it was, in one edit; `before` is what to restore to take that back. */
  restoreVersion (board: string, version: string): Promise<{ readonly before: Version }>
  listAudit (board: string, cursor?: string | null, signal?: AbortSignal): Promise<Page<AuditEntry>>
  /** The first thing on the board that has these words; null where there is none. */
  findItem (board: string, text: string, signal?: AbortSignal): Promise<Item | null>
  /** Brings a picture or film beside a board; tells how much has left, from 0 to 1. */
  uploadAsset (board: string, file: Blob, onPart: (part: number) => void, signal: AbortSignal): Promise<StoredAsset>
  /** The bytes of one, under the type that the server found them to be. */
  readAsset (board: string, sha256: string, signal: AbortSignal): Promise<Blob>
  /** The whole document, as a Yjs update. */
  readDocument (board: string, signal?: AbortSignal): Promise<Uint8Array>
  /** Merges a Yjs update into the document; done once it is on disk. */
  writeDocument (board: string, update: Uint8Array): Promise<void>
  /** Asks without an upgrade why a WebSocket of the board does not open: always a problem. */
  whyNotOpen (board: string, signal?: AbortSignal): Promise<ApiProblem>
}

/** How large a picture may be, in pixels, and in which colours it is. */
export interface PictureLook {
  readonly width: string
  readonly height: string
  readonly theme: 'light' | 'dark'
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  readonly path: string
  readonly query?: Record<string, string | null | undefined> | undefined
  /** Bytes as they are, all else as JSON. */
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
  /** Whether the browser may keep the answer, `no-cache` if it asks whether that is still good; else it keeps nothing. */
  readonly cache?: 'default' | 'no-cache'
}

/** As many items of a list as a page of it may have. */
const LIST_LIMIT = '500'

/** The API of the server that sent this page, for one caller. */
export function createApi (credentials: Credentials, fetcher: typeof fetch = fetch): Api {
  const send = async <T>(call: Call): Promise<T> => await readAnswer(await request(call, credentials, fetcher)) as T
  const list = async <T>(path: string, cursor?: string | null, signal?: AbortSignal, query: Call['query'] = {}): Promise<Page<T>> =>
    await send({ method: 'GET', path, query: { ...query, cursor }, signal })
  const load = async (call: Call): Promise<Response> => {
    const answer = await request(call, credentials, fetcher)
    if (!answer.ok) throw problemOf(answer.status, await answer.json().catch(() => undefined))
    return answer
  }
  return {
    listBoards: async (cursor, signal) => await list('/v1/boards', cursor, signal, { limit: LIST_LIMIT }),
    createBoard: async title => await send({ method: 'POST', path: '/v1/boards', body: { title } }),
    readBoard: async (board, signal) => await send({ method: 'GET', path: at(board), signal }),
    readPicture: async (board, look, signal) =>
      await (await load({ method: 'GET', path: at(board, 'picture.svg'), query: { ...look }, signal, cache: 'no-cache' })).blob(),
    readDocument: async (board, signal) =>
      new Uint8Array(await (await load({ method: 'GET', path: at(board, 'document'), signal })).arrayBuffer()),
    uploadAsset: async (board, file, onPart, signal) => await upload(at(board, 'assets'), file, credentials, onPart, signal),
    // The browser may keep it for as long as it likes: under its hash the bytes are never others.
    readAsset: async (board, sha256, signal) => await (await load({ method: 'GET', path: at(board, 'assets', sha256), signal, cache: 'default' })).blob(),
    writeDocument: async (board, update) => await send({ method: 'POST', path: at(board, 'document'), body: update }),
    findItem: async (board, text, signal) => {
      let cursor: string | null = null
      // A page without a hit goes on behind what was looked at.
      do {
        const page: Page<Item> = await list(at(board, 'items'), cursor, signal, { text, limit: '1' })
        if (page.items[0] !== undefined) return page.items[0]
        cursor = page.next_cursor
      } while (cursor !== null)
      return null
    },
    listVersions: async (board, cursor, signal) => await list(at(board, 'versions'), cursor, signal, { limit: LIST_LIMIT }),
    createVersion: async (board, name) => await send({ method: 'POST', path: at(board, 'versions'), body: { name } }),
    readVersionPicture: async (board, version, look, signal) => {
      const path = at(board, 'versions', version, 'picture.svg')
      return await (await load({ method: 'GET', path, query: { ...look }, signal, cache: 'no-cache' })).blob()
    },
    restoreVersion: async (board, version) => await send({ method: 'POST', path: at(board, 'versions', version, 'restore') }),
    listAudit: async (board, cursor, signal) => await list(at(board, 'audit'), cursor, signal, { limit: LIST_LIMIT }),
    renameBoard: async (board, title) => await send({ method: 'PATCH', path: at(board), body: { title } }),
    deleteBoard: async board => await send({ method: 'DELETE', path: at(board) }),
    deleteForever: async board => await send({ method: 'DELETE', path: at(board), query: { forever: 'true' } }),
    listTrash: async (cursor, signal) => await list('/v1/boards', cursor, signal, { limit: LIST_LIMIT, trash: 'true' }),
    restoreBoard: async board => await send({ method: 'POST', path: at(board, 'restore') }),
    listGrants: async (board, cursor, signal) => await list(at(board, 'permissions'), cursor, signal),
    setGrant: async (board, grantee, level) =>
      await send({ method: 'PUT', path: at(board, ...grantPath(grantee)), body: { level } }),
    removeGrant: async (board, grantee) => await send({ method: 'DELETE', path: at(board, ...grantPath(grantee)) }),
    listLinks: async (board, cursor, signal) => await list(at(board, 'links'), cursor, signal),
    createLink: async (board, { level, expiresIn, label }) => await send({
      method: 'POST',
      path: at(board, 'links'),
      body: { level, ...(expiresIn !== null && { expires_in: expiresIn }), ...(label !== null && { label }) }
    }),
    revokeLink: async (board, link) => await send({ method: 'DELETE', path: at(board, 'links', link) }),
    listKeys: async (board, cursor, signal) => await list(at(board, 'keys'), cursor, signal),
    createKey: async (board, name, level) =>
      await send({ method: 'POST', path: at(board, 'keys'), body: { name, level } }),
    pauseKey: async (board, key, paused) => await send({ method: 'PATCH', path: at(board, 'keys', key), body: { paused } }),
    listPresence: async (board, cursor, signal) => await list(at(board, 'presence'), cursor, signal),
    revokeKey: async (board, key) => await send({ method: 'DELETE', path: at(board, 'keys', key) }),
    readSession: async signal => await send({ method: 'GET', path: '/v1/session', signal }),
    join: async invite => await send({ method: 'POST', path: '/v1/session', body: { invite } }),
    endSession: async () => await send({ method: 'DELETE', path: '/v1/session' }),
    listSessions: async (cursor, signal) => await list('/v1/sessions', cursor, signal),
    revokeSession: async id => await send({ method: 'DELETE', path: '/v1/sessions/' + encodeURIComponent(id) }),
    invite: async (name, { admin }) => await send({ method: 'POST', path: '/v1/invites', body: { name, ...(admin && { admin }) } }),
    // Not GET: browsers name the origin of a page to its own server with other methods only.
    whyNotOpen: async (board, signal) => await send({ method: 'POST', path: '/ws/canvas/' + encodeURIComponent(board), signal }).then(
      () => new ApiProblem('unexpected_answer', 200, 'Something else than a board answers.'),
      (cause: unknown) => { if (cause instanceof ApiProblem) return cause; throw cause })
  }
}

/** Every item of a list that comes in pages. */
export async function everyPage<T> (page: (cursor: string | null) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = []
  let cursor: string | null = null
  do {
    const answer: Page<T> = await page(cursor)
    items.push(...answer.items)
    cursor = answer.next_cursor
  } while (cursor !== null)
  return items
}

function at (board: string, ...segments: string[]): string {
  return '/v1/boards/' + [board, ...segments].map(encodeURIComponent).join('/')
}

function grantPath (grantee: Grantee): string[] {
  return grantee.kind === 'public' ? ['permissions', 'public'] : ['permissions', grantee.kind, grantee.id]
}

/** Whether the browser's own sign-in goes along: only where nothing else says who somebody is. */
export function cookiesFor ({ token, apiKey }: Credentials): RequestCredentials {
  return (token ?? apiKey) === undefined ? 'same-origin' : 'omit'
}

function headersOf (credentials: Credentials): Headers {
  const headers = new Headers({ accept: 'application/json' })
  if (credentials.token !== undefined) headers.set('authorization', 'Bearer ' + credentials.token)
  if (credentials.apiKey !== undefined) headers.set('x-api-key', credentials.apiKey)
  return headers
}

// `fetch` does not tell how much of a body has left.
async function upload (path: string, file: Blob, credentials: Credentials, onPart: (part: number) => void, signal: AbortSignal): Promise<StoredAsset> {
  return await new Promise((resolve, reject) => {
    const call = new XMLHttpRequest()
    const query = new URLSearchParams(credentials.share === undefined ? {} : { share: credentials.share }).toString()
    call.open('POST', under(path) + (query && '?' + query))
    headersOf(credentials).forEach((value, name) => call.setRequestHeader(name, value))
    call.setRequestHeader('content-type', 'application/octet-stream')
    call.upload.onprogress = ({ loaded, total }) => onPart(total > 0 ? loaded / total : 0)
    call.onload = () => {
      const body = parsed(call.responseText)
      if (call.status >= 200 && call.status < 300 && body !== undefined) resolve(body as StoredAsset)
      else reject(problemOf(call.status, body))
    }
    call.onerror = () => reject(new ApiProblem('unreachable', 0, 'The server cannot be reached.'))
    call.onabort = () => reject(signal.reason)
    signal.addEventListener('abort', () => call.abort())
    if (signal.aborted) reject(signal.reason)
    else call.send(file)
  })
}

function parsed (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function request (call: Call, credentials: Credentials, fetcher: typeof fetch): Promise<Response> {
  const headers = headersOf(credentials)
  const isBytes = call.body instanceof Uint8Array
  if (call.body !== undefined) headers.set('content-type', isBytes ? 'application/octet-stream' : 'application/json')
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(call.query ?? {})) if (value != null) query.set(name, value)
  // A share link has no header of its own.
  if (credentials.share !== undefined) query.set('share', credentials.share)
  const search = query.toString()
  try {
    return await fetcher(under(call.path) + (search && '?' + search), {
      method: call.method,
      headers,
      credentials: cookiesFor(credentials),
      cache: call.cache ?? 'no-store',
      ...(call.body !== undefined && { body: isBytes ? call.body as BodyInit : JSON.stringify(call.body) }),
      ...(call.signal && { signal: call.signal })
    })
  } catch (cause) {
    if (call.signal?.aborted === true) throw cause
    throw new ApiProblem('unreachable', 0, 'The server cannot be reached.')
  }
}

async function readAnswer (response: Response): Promise<unknown> {
  if (response.status === 204) return undefined
  const body: unknown = await response.json().catch(() => undefined)
  if (response.ok && body !== undefined) return body
  throw problemOf(response.status, body)
}

function problemOf (status: number, body: unknown): ApiProblem {
  const { code, detail, field } = (body ?? {}) as Record<string, unknown>
  // A proxy in between may answer with a page of its own.
  if (typeof code !== 'string') {
    return new ApiProblem('unexpected_answer', status, `The server gave an answer that is not understood (${status}).`)
  }
  return new ApiProblem(
    code,
    status,
    typeof detail === 'string' ? detail : code,
    typeof field === 'string' ? field : null
  )
}

/** Of several credentials that the server refuses together, the one that opens the board best by itself; null where none does. */
export async function bestAlone (board: string, singles: readonly Credentials[], fetcher: typeof fetch = fetch): Promise<Credentials | null> {
  const tried = await Promise.all(singles.map(async single =>
    await createApi(single, fetcher).readBoard(board).then(({ level }) => ({ single, level }), () => null)))
  const rank = (level: Level | null) => level === null ? -1 : LEVELS.indexOf(level)
  const [best] = tried.filter(one => one !== null).toSorted((one, other) => rank(other.level) - rank(one.level))
  return best?.single ?? null
}
