// A page outlives its sign-in: before it ends it is renewed without a word where that is possible, else one
// is warned. Only a sign-in of the same person renews.
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import type { Access } from '../access'
import { browserKeep, randomId, tabKeep } from '../browser'
import { keepToken } from '../credentials'
import { askParent, onHandedToken } from '../frame'
import { awaitReturn, returnAddress } from '../handover'
import { isAmbient, isOver, readSession } from '../session'
import { askStanding, loginAddress, rememberSession } from '../standing'
import type { BoardConnection, ConnectionState } from './connection'

/** How long before its end a sign-in is renewed. */
export const RENEW_MS = 120_000

/** How often a renewal is tried that the server or the page around did not answer. */
const AGAIN_MS = 15_000

/** A sign-in that is refused so soon after it was renewed is not renewed by itself again. */
export const SETTLED_MS = 10_000

/** Timers of browsers end at 2^31 ms. */
const TIMER_MS_MAX = 24 * 3600 * 1000

/** How one's sign-in stands. */
export interface Renewal {
  /** `ending` and `ended` where it was not renewed by itself; `trying` while that is being found out for one that was refused. */
  readonly status: 'well' | 'ending' | 'ended' | 'trying'
  /** Where one signs in again, in another window; null where the server names no place. */
  readonly loginAddress: string | null
  /** A token of somebody else that was given; nothing is taken from it before one says so. */
  readonly rival: { readonly token: string, readonly there: string | null } | null
  /** Takes a token; what is wrong with it, in words, or null. */
  readonly offer: (token: string) => string | null
  readonly refuse: () => void
}

/** Renews `access` for as long as the board is open; `onAccess` gets each that follows, of the same person, `onOther` one of somebody else where nobody was signed in. */
export function useRenewal (
  connection: BoardConnection, access: Access, state: ConnectionState, onAccess: (access: Access) => void, onOther: (access: Access) => void
): Renewal {
  const { session } = access
  const isRefused = state.lapsed === true || state.verdict?.kind === 'revoked'
  const now = useClock(session.expires)
  const isEnding = session.expires !== null && now >= session.expires - RENEW_MS
  const [failed, setFailed] = useState<Access | null>(null)
  const [rival, setRival] = useState<Renewal['rival']>(null)
  const [login, setLogin] = useState<string | null>(null)
  const renewedAt = useRef(-AGAIN_MS)

  const take = useCallback((found: Access): void => {
    renewedAt.current = performance.now()
    connection.renew(found.credentials, found.session)
    onAccess(found)
  }, [connection, onAccess])

  // A token from the page around is not kept: that page knows who sits here the next time, too.
  const takeToken = useCallback((token: string, isKept: boolean): string | null => {
    const given = readSession(token)
    if (given.sub === null) return 'This token names nobody.'
    if (isOver(given)) return 'This token has expired, too.'
    const { share, apiKey } = access.credentials
    const found = { credentials: { token, ...(share && { share }), ...(apiKey && { apiKey }) }, session: given }
    if (session.sub === null && !isKept) onOther(found)
    else if (given.sub === session.sub) {
      if (isKept) keepToken(token, tabKeep)
      take(found)
    } else if (isKept) setRival({ token, there: given.sub })
    return null
  }, [access, session.sub, take, onOther])

  const takeStanding = useCallback(async (): Promise<boolean> => {
    const standing = await askStanding()
    if (standing === null) return false
    setLogin(standing.loginUrl)
    const now = standing.session
    if (now.sub === null || now.sub !== session.sub) return false
    rememberSession(now, browserKeep)
    // The same end again renews nothing.
    if (isAmbient(session) && !isRefused && now.expires !== null && now.expires <= (session.expires ?? 0)) return false
    const { token: _ended, ...others } = access.credentials
    take({ credentials: others, session: now })
    return true
  }, [access, session, isRefused, take])

  const isWanted = isRefused || isEnding
  useEffect(() => {
    if (!isWanted) return
    let isOn = true
    const sinceRenewed = performance.now() - renewedAt.current
    const mayTry = !isRefused || sinceRenewed > SETTLED_MS
    let timer: ReturnType<typeof setTimeout>
    const tryIt = async (): Promise<void> => {
      timer = setTimeout(() => { void tryIt() }, AGAIN_MS)
      const isDone = mayTry && (await takeStanding() || await mayParentRenew(connection.id, session.sub))
      if (isOn && !isDone) setFailed(access)
    }
    // What renewed it may end as soon: then it is not renewed again at once, and for ever.
    timer = setTimeout(() => { void tryIt() }, isRefused ? 0 : AGAIN_MS - sinceRenewed)
    return () => {
      isOn = false
      clearTimeout(timer)
    }
  }, [isWanted, isRefused, connection, access, session.sub, takeStanding])

  useEffect(() => onHandedToken(token => { takeToken(token, false) }), [takeToken])

  const id = useMemo(() => randomId(), [])
  useEffect(() => awaitReturn(id, token => {
    if (token === null) void takeStanding()
    else takeToken(token, true)
  }), [id, takeStanding, takeToken])

  const hasFailed = failed === access && isWanted
  // The server lets a token go on for some seconds: as long as it does, nothing has ended.
  const isEnded = state.lapsed === true || (isOver(session, now) && state.link !== 'connected')
  const status = !isWanted ? 'well' : !hasFailed ? (isRefused ? 'trying' : 'well') : isEnded ? 'ended' : isEnding ? 'ending' : 'well'
  return {
    status,
    loginAddress: login === null ? null : loginAddress(login, returnAddress(id)),
    rival,
    offer: token => takeToken(token, true),
    refuse: () => setRival(null)
  }
}

/** Asks the page around; whether what it gives is of that person. `onHandedToken` takes it. */
async function mayParentRenew (board: string, sub: string | null): Promise<boolean> {
  const token = await askParent(board)
  const given = readSession(token ?? undefined)
  return given.sub !== null && given.sub === sub && !isOver(given)
}

/** The time, as often as it matters for what ends at `expires`. */
function useClock (expires: number | null): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    if (expires === null) return
    const look = (): void => setNow(Date.now())
    const next = [expires - RENEW_MS, expires].find(at => at > now)
    const timer = next === undefined ? undefined : setTimeout(look, Math.min(next - now + 50, TIMER_MS_MAX))
    document.addEventListener('visibilitychange', look)
    return () => {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', look)
    }
  }, [expires, now])
  return now
}
