// Who one is where no token says so: by a session of this browser, or by a proxy. The server says it. What it
// said last is remembered, so that a page opens at once, and offline.
import { createApi, type Api, type SignedIn } from './api'
import { scoped } from './base'
import type { Keep } from './browser'
import { GUEST, isOver, type Session } from './session'

const ITEM = scoped('boardwire.session')

/** What the server says of a browser that sends no token. */
export interface Standing {
  readonly session: Session
  /** Where people sign in; null where the server names no place. */
  readonly loginUrl: string | null
}

/** Reads the server's answer. */
export function standingOf ({ user, name, admin, by, expires_at: ends, login_url: login }: SignedIn): Standing {
  const session: Session = user === null || (by !== 'session' && by !== 'proxy')
    ? GUEST
    : { sub: user, name: name?.trim() || user, admin, expires: ends === null ? null : Date.parse(ends), by }
  return { session, loginUrl: typeof login === 'string' && /^https?:\/\//i.test(login) ? login : null }
}

/** Asks the server; null where it cannot be reached. */
export async function askStanding (signal?: AbortSignal, api: Pick<Api, 'readSession'> = createApi({})): Promise<Standing | null> {
  return await api.readSession(signal).then(standingOf, () => null)
}

/** Where to sign in, so that one comes back to `wanted`. That is told without what is secret in it. */
export function loginAddress (loginUrl: string, wanted: string): string {
  const back = new URL(wanted)
  for (const secret of ['token', 'share', 'apiKey']) back.searchParams.delete(secret)
  back.hash = ''
  const [page = '', ...fragment] = loginUrl.split('#')
  const joint = page.includes('?') ? '&' : '?'
  return page + joint + new URLSearchParams({ return: back.href }).toString() + fragment.map(part => '#' + part).join('')
}

/** Whom the server named last, while that holds; else nobody. */
export function recallSession (keep: Keep): Session {
  try {
    const { sub, name, admin, expires, by } = JSON.parse(keep.getItem(ITEM) ?? '') as Record<string, unknown>
    if (typeof sub !== 'string' || sub === '' || typeof name !== 'string' || (by !== 'session' && by !== 'proxy')) return GUEST
    const session: Session = { sub, name, admin: admin === true, expires: typeof expires === 'number' ? expires : null, by }
    return isOver(session) ? GUEST : session
  } catch {
    return GUEST
  }
}

/** Remembers whom the server named. */
export function rememberSession (session: Session, keep: Keep): void {
  if (session.sub === null) forgetSession(keep)
  else keep.setItem(ITEM, JSON.stringify(session))
}

export function forgetSession (keep: Keep): void {
  keep.removeItem(ITEM)
}
