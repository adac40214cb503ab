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

/** Decides by method, origin and path. The API, WebSockets and other origins are always left alone. */
export function choose (asked: Asked, origin: string): Choice {
  if (asked.method !== 'GET') return 'leave'
  const url = new URL(asked.url)
  if (url.origin !== origin) return 'leave'
  // No file of ours has a query, and a query may hold a token: such a URL is never kept.
  if (url.pathname.startsWith('/assets/')) return url.search === '' ? 'asset' : 'leave'
  if (asked.mode !== 'navigate') return 'leave'
  return url.pathname === '/' || url.pathname.startsWith('/board/') ? 'page' : 'leave'
}

/** Whether an answer to a navigation means that the server behind a proxy is away. */
export function isAway (status: number): boolean {
  return status === 502 || status === 503 || status === 504
}

/** Whether an answer may be kept for ever under its URL. */
export function isKeepable (response: Pick<Response, 'status' | 'type' | 'redirected'>): boolean {
  return response.status === 200 && response.type === 'basic' && !response.redirected
}
