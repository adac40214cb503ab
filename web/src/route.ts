// Which page an address names. Every move between pages is a real navigation, so this is all the routing there is.

/** A page of this application. */
export type Route =
  | { readonly name: 'start' }
  | { readonly name: 'board', readonly id: string, readonly by: 'credentials' | 'public' }
  | { readonly name: 'unknown' }

const BOARD_ID = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/

/** Reads a path. A board id that the server would refuse names no page. */
export function parseRoute (pathname: string): Route {
  if (pathname === '/') return { name: 'start' }
  const [, segment, ...rest] = /^\/board\/([^/]+)(\/public)?\/?$/.exec(pathname) ?? []
  const id = segment === undefined ? undefined : decode(segment)
  if (id === undefined || !BOARD_ID.test(id)) return { name: 'unknown' }
  return { name: 'board', id, by: rest[0] === undefined ? 'credentials' : 'public' }
}

/** The path of a board's page. */
export function boardPath (id: string): string {
  return '/board/' + encodeURIComponent(id)
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
