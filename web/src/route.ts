// Which page an address names. Every move between pages is a real navigation, so this is all the routing
// there is.
import { BASE, under } from './base'

/** A page of this application. */
export type Route =
  | { readonly name: 'start' }
  | { readonly name: 'board', readonly id: string, readonly by: 'credentials' | 'public' }
  | { readonly name: 'unknown' }

const BOARD_ID = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/

/** Reads a path. A board id that the server would refuse names no page. */
export function parseRoute (pathname: string, base = BASE): Route {
  const path = pathname !== '' && pathname + '/' === base ? '/' : pathname.startsWith(base) ? pathname.slice(base.length - 1) : pathname
  if (path === '/') return { name: 'start' }
  const [, segment, ...rest] = /^\/board\/([^/]+)(\/public)?\/?$/.exec(path) ?? []
  const id = segment === undefined ? undefined : decode(segment)
  if (id === undefined || !BOARD_ID.test(id)) return { name: 'unknown' }
  return { name: 'board', id, by: rest[0] === undefined ? 'credentials' : 'public' }
}

/** The path of the start page. */
export const START = BASE

/** The path of a board's page. */
export function boardPath (id: string, base = BASE): string {
  return under('/board/' + encodeURIComponent(id), base)
}

/** The path at which a board with public access opens for everybody. */
export function publicPath (id: string): string {
  return boardPath(id) + '/public'
}

/** What to hand to somebody who is to come in by a share link. */
export function shareUrl (origin: string, id: string, token: string): string {
  return origin + boardPath(id) + '?share=' + encodeURIComponent(token)
}

function decode (segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
