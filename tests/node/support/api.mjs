// The HTTP API as an application calls it: with a token, a key or a link, from any local address.
import http from 'node:http'
import { adminToken, mint } from './token.mjs'

// What of a path a text may be.
const part = text => encodeURIComponent(text)

/** One caller of the API: a server, and the credentials that go with each call. */
export class Api {
  /** `token`, `key` and `share` are sent as a Bearer token, as X-API-Key and as `?share=`; any of them may be left out. */
  constructor (server, { token, key, share, headers = {}, localAddress } = {}) {
    this.server = server
    this.share = share
    this.localAddress = localAddress
    this.headers = { ...headers }
    if (token !== undefined) this.headers.Authorization = `Bearer ${token}`
    if (key !== undefined) this.headers['X-API-Key'] = key
  }

  /** The caller `sub`, by a token that holds no rights of its own; `claims` adds to it. */
  static user (server, sub = 'alice', claims = {}, options = {}) {
    return new Api(server, { token: mint({ sub, ...claims }), ...options })
  }

  /** The caller who may do everything. */
  static admin (server) {
    return new Api(server, { token: adminToken() })
  }

  /**
   * One call: `{ status, headers, body }`. A body that is neither bytes nor text is sent as JSON; an answer in JSON is
   * parsed, any other is a Buffer, and none is null.
   */
  call (method, path, body, headers = {}) {
    const raw = body === undefined || typeof body === 'string' || body instanceof Uint8Array
    const bytes = raw ? body : JSON.stringify(body)
    const url = this.share === undefined ? path : `${path}${path.includes('?') ? '&' : '?'}share=${part(this.share)}`
    return new Promise((resolve, reject) => {
      const sent = http.request({
        host: this.server.host,
        port: this.server.port,
        path: url,
        method,
        agent: false,
        localAddress: this.localAddress,
        headers: { ...this.headers, ...(raw ? {} : { 'Content-Type': 'application/json' }), ...headers },
        timeout: 20_000
      }, answer => {
        const chunks = []
        answer.on('data', chunk => chunks.push(chunk)).on('error', reject).on('end', () => {
          const all = Buffer.concat(chunks)
          const isJson = /json/.test(answer.headers['content-type'] ?? '')
          resolve({ status: answer.statusCode, headers: answer.headers, body: all.length === 0 ? null : isJson ? JSON.parse(all) : all })
        })
      })
      sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer in 20 s`)))
      sent.on('error', reject).end(bytes)
    })
  }

  /** The body of a call that is to succeed; throws with the answer otherwise. */
  async ok (method, path, body) {
    const answer = await this.call(method, path, body)
    if (answer.status < 200 || answer.status > 299) {
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    }
    return answer.body
  }

  /** Every item of a list, page by page. */
  async all (path, limit = 500) {
    const items = []
    let cursor = null
    do {
      const page = await this.ok('GET', `${path}?limit=${limit}${cursor === null ? '' : `&cursor=${part(cursor)}`}`)
      items.push(...page.items)
      cursor = page.next_cursor
    } while (cursor !== null)
    return items
  }

  /** The caller's board with this id, or with one that the server makes. */
  create (id, title) {
    return this.ok('POST', '/v1/boards', { id, title })
  }

  board (board) {
    return this.ok('GET', `/v1/boards/${part(board)}`)
  }

  update (board, patch) {
    return this.ok('PATCH', `/v1/boards/${part(board)}`, patch)
  }

  remove (board) {
    return this.ok('DELETE', `/v1/boards/${part(board)}`)
  }

  /** Grants `level` to `whose`: `users/bob`, `teams/design` or `public`. */
  grant (board, whose, level) {
    return this.ok('PUT', `/v1/boards/${part(board)}/permissions/${whose}`, { level })
  }

  ungrant (board, whose) {
    return this.ok('DELETE', `/v1/boards/${part(board)}/permissions/${whose}`)
  }

  /** The grants of a board: principal to level. */
  async grants (board) {
    const items = await this.all(`/v1/boards/${part(board)}/permissions`)
    return Object.fromEntries(items.map(({ principal, level }) => [principal, level]))
  }

  /** A new share link: `{ id, token, level, expires_at }`. */
  link (board, level, expiresIn) {
    return this.ok('POST', `/v1/boards/${part(board)}/links`, { level, expires_in: expiresIn })
  }

  unlink (board, id) {
    return this.ok('DELETE', `/v1/boards/${part(board)}/links/${part(id)}`)
  }

  /** A new API key: `{ id, key, name, level, created_at }`. */
  key (board, level, name = 'agent') {
    return this.ok('POST', `/v1/boards/${part(board)}/keys`, { name, level })
  }

  unkey (board, id) {
    return this.ok('DELETE', `/v1/boards/${part(board)}/keys/${part(id)}`)
  }

  /** Who is connected: `{ subject, level, connected_at, state }`. */
  presence (board) {
    return this.all(`/v1/boards/${part(board)}/presence`)
  }

  /** The audit log, newest first. */
  audit (board) {
    return this.all(`/v1/boards/${part(board)}/audit`)
  }

  /** The board's state as an update. */
  document (board) {
    return this.ok('GET', `/v1/boards/${part(board)}/document`)
  }
}
