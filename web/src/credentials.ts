// The credentials of a page: where they come from, and how they travel. What they give is the server's to
// say.
import { scoped } from './base'
import { browserKeep, type Keep, tabKeep } from './browser'
import { START } from './route'
import { GUEST, isAmbient, readSession, type Session } from './session'
import { forgetSession } from './standing'

/** What a page was opened with. Several may be sent; the server counts the highest, and refuses where one is invalid. */
export interface Credentials {
  /** A JWT: says who somebody is. */
  readonly token?: string
  /** The token of a share link: opens one board. */
  readonly share?: string
  /** The key of an agent: opens one board. */
  readonly apiKey?: string
}

/** Where the token of this tab is kept between its pages. */
const TOKEN_ITEM = scoped('boardwire.token')

/** Reads the credentials of a query. An empty parameter counts as not sent. */
export function parseCredentials (search: string): Credentials {
  const query = new URLSearchParams(search)
  const token = query.get('token')
  const share = query.get('share')
  const apiKey = query.get('apiKey')
  return { ...(token && { token }), ...(share && { share }), ...(apiKey && { apiKey }) }
}

/** As query parameters, for WebSockets, whose headers a browser cannot set. */
export function credentialParams (credentials: Credentials): Record<string, string> {
  return { ...credentials }
}

/** One of our paths, as a link to it goes: where the tab keeps nothing, the token has to travel in the address. */
export function onward (path: string, { token }: Credentials, tab: Keep = tabKeep): string {
  return token === undefined || tab.fleeting !== true ? path : path + '?' + new URLSearchParams({ token }).toString()
}

/** What a page starts with. */
export interface Taken {
  /** What counts. */
  readonly credentials: Credentials
  /** What would count instead if whoever sits here says so; null where there is nothing to ask. */
  readonly rival: Rival | null
}

/** A sign-in by the address as somebody else than who is signed in. Whoever made the link chose it, not who opened it. */
export interface Rival {
  readonly credentials: Credentials & { readonly token: string }
  /** The user id that is signed in. */
  readonly here: string
  /** The one that the link names; null where its token names none. */
  readonly there: string | null
}

/**
 * The credentials of this page, from its address, else the token that the tab already has.
 *
 * A token says who somebody is, so it must not be passed on with a copied address: it is kept for the tab and
 * taken out of the address, unless the tab keeps nothing. A share link or key stays there, since it belongs to the board and
 * lets one come back; who is signed in stays who they are, and has the better of both rights.
 *
 * A token of another user than the one of the tab, or of the browser's own sign-in (`ambient`), is not kept: it is a `rival`,
 * for `switchTo`. A token may stand in the fragment too, where no server sees it: so it comes back from `--login-url`.
 */
export function takeCredentials (location: Location, history: History, tab: Keep, ambient: Session = GUEST): Taken {
  const { token: asked, ...others } = parseCredentials(location.search)
  const token = asked ?? fragmentOf(location).get('token') ?? undefined
  const kept = tab.getItem(TOKEN_ITEM) || undefined
  if (token === undefined) return { credentials: standing(others, kept), rival: null }
  if (tab.fleeting !== true) {
    const query = new URLSearchParams(location.search)
    query.delete('token')
    const rest = query.toString()
    const hash = fragmentOf(location).has('token') ? '' : location.hash
    history.replaceState(history.state, '', location.pathname + (rest && '?' + rest) + hash)
  }
  const credentials = { token, ...others }
  const here = readSession(kept).sub ?? ambient.sub
  const there = readSession(token).sub
  if (here !== null && here !== there) {
    return { credentials: standing(others, kept), rival: { credentials, here, there } }
  }
  tab.setItem(TOKEN_ITEM, token)
  return { credentials, rival: null }
}

/** The fragment of an address, read like a query. */
export function fragmentOf ({ hash }: Pick<Location, 'hash'>): URLSearchParams {
  return new URLSearchParams(hash.slice(1))
}

/** Signs in as the rival, for this tab. */
export function switchTo (rival: Rival, tab: Keep): Credentials {
  keepToken(rival.credentials.token, tab)
  return rival.credentials
}

// The token of the tab goes along with a share link or key, unless it has expired: the server refuses all of
// several credentials where one is not valid.
function standing (sent: Credentials, kept: string | undefined): Credentials {
  if (kept === undefined) return sent
  const { expires } = readSession(kept)
  const isAlone = sent.share === undefined && sent.apiKey === undefined
  return isAlone || expires === null || expires > Date.now() ? { token: kept, ...sent } : sent
}

/**
 * Each of several credentials by itself; nothing where there is only one. Beside a link that is not valid the browser's own
 * sign-in (`session`) may do alone; one that is not valid itself counts as not sent.
 */
export function apart ({ token, share, apiKey }: Credentials, session: Session = GUEST): Credentials[] {
  if (isAmbient(session) && share !== undefined && (token ?? apiKey) === undefined) return [{}]
  const single = [...(token ? [{ token }] : []), ...(share ? [{ share }] : []), ...(apiKey ? [{ apiKey }] : [])]
  return single.length > 1 ? single : []
}

/** An address on the page at `here` without the token in it, where it leads to the same server; any other as it is. */
export function withoutSignIn (address: string, here: string): string {
  let url
  try {
    url = new URL(address, here)
  } catch {
    return address
  }
  if (url.origin !== new URL(here).origin) return address
  const inFragment = fragmentOf(url).has('token')
  if (!url.searchParams.has('token') && !inFragment) return address
  url.searchParams.delete('token')
  if (inFragment) url.hash = ''
  return url.href
}

/** The token in what somebody pasted: itself, or a link that carries it. Null where there is none. */
export function findToken (text: string): string | null {
  const trimmed = text.trim()
  const token = /[?&#]token=([^&#\s]+)/.exec(trimmed)?.[1] ?? trimmed
  return /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(token) ? token : null
}

/** Keeps a token that was typed in, for this tab. */
export function keepToken (token: string, tab: Keep): void {
  tab.setItem(TOKEN_ITEM, token)
}

/** Forgets the token of this tab. */
export function forgetToken (tab: Keep): void {
  tab.removeItem(TOKEN_ITEM)
}

/** Signs in for this tab, and goes to one of our paths. */
export function signInAt (path: string, token: string): void {
  keepToken(token, tabKeep)
  location.assign(onward(path, { token }))
}

/** Forgets who one was in this tab, and shows how to get in. */
export function signOut (): void {
  forgetToken(tabKeep)
  forgetSession(browserKeep)
  location.assign(START)
}
