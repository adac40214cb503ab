// What the service worker does with a request. Pure, so that it can be tested without a browser.

/** The parts of a request that decide. */
export interface Asked {
  readonly method: string
  readonly mode: string
  readonly url: string
}

/**
 * - `page`: a page of ours: the network first, and what was kept where it does not answer.
 * - `asset`: a file whose name holds the hash of its content: what was kept first.
 * - `leave`: everything else. The browser does as if there were no service worker.
 */
export type Choice = 'page' | 'asset' | 'leave'

/** Decides by method, origin and path under `base`, where this server is. The API, WebSockets and all else are left alone. */
export function choose (asked: Asked, base: string): Choice {
  if (asked.method !== 'GET') return 'leave'
  const [url, server] = [new URL(asked.url), new URL(base)]
  if (url.origin !== server.origin || !url.pathname.startsWith(server.pathname)) return 'leave'
  const path = url.pathname.slice(server.pathname.length - 1)
  // No file of ours has a query, and a query may hold a token: such a URL is never kept.
  if (path.startsWith('/assets/')) return url.search === '' ? 'asset' : 'leave'
  if (asked.mode !== 'navigate') return 'leave'
  return path === '/' || path.startsWith('/board/') ? 'page' : 'leave'
}

/** Whether an answer to a navigation means that the server behind a proxy is away. */
export function isAway (status: number): boolean {
  return status === 502 || status === 503 || status === 504
}

/** Whether an answer may be kept for ever under its URL. */
export function isKeepable (response: Pick<Response, 'status' | 'type' | 'redirected'>): boolean {
  return response.status === 200 && response.type === 'basic' && !response.redirected
}
