// With what a page goes to the server, and who that is: a token, else what the browser itself sends, else
// what the page around hands in.
import { useEffect, useState } from 'react'
import { browserKeep, type Keep, tabKeep } from './browser'
import { type Credentials, forgetToken } from './credentials'
import { askParent } from './frame'
import type { Route } from './route'
import { GUEST, isAmbient, isOver, readSession, type Session } from './session'
import { askStanding, recallSession, rememberSession, type Standing } from './standing'

/** What a page goes with. */
export interface Access {
  readonly credentials: Credentials
  readonly session: Session
}

/** A slow answer keeps nobody from a board that opens without one. */
const ANSWER_MS = 2_000

/** What is known without asking; null where the server has to say who one is. */
export function accessAtOnce (credentials: Credentials, keep: Keep): Access | null {
  const own = readSession(credentials.token)
  if (credentials.token !== undefined) return isOver(own) ? null : { credentials, session: own }
  if (credentials.apiKey !== undefined) return { credentials, session: GUEST }
  const session = recallSession(keep)
  return session.sub === null ? null : { credentials, session }
}

/** What the answer of the server makes of it; `before` is whom the page took one for. */
export function accessAfter (credentials: Credentials, before: Session, standing: Standing | null): Access {
  const own = readSession(credentials.token)
  const now = standing?.session ?? GUEST
  if (credentials.token !== undefined) {
    const { token: _over, ...others } = credentials
    // The browser goes on for a token that has ended only as the same person.
    return now.sub !== null && now.sub === own.sub ? { credentials: others, session: now } : { credentials, session: own }
  }
  if (standing === null) return { credentials, session: before }
  return { credentials, session: now.sub === null && before.sub !== null ? { ...GUEST, by: 'lapsed' } : now }
}

async function findAccess (credentials: Credentials, board: string | null): Promise<Access> {
  const before = recallSession(browserKeep)
  const standing = await Promise.race([askStanding(), later(ANSWER_MS)])
  if (standing !== null) rememberSession(standing.session, browserKeep)
  const access = accessAfter(credentials, before, standing)
  if (access.credentials.token === undefined && credentials.token !== undefined) forgetToken(tabKeep)
  const isNobody = access.session.sub === null || isOver(access.session)
  if (board === null || !isNobody || (credentials.share ?? credentials.apiKey) !== undefined) return access
  const token = await askParent(board)
  return token === null || readSession(token).sub === null ? access : { credentials: { token }, session: readSession(token) }
}

/** The access of this page; null until it is known. It is another one where the server says so. */
export function useAccess (credentials: Credentials, route: Route): Access | null {
  const [access, setAccess] = useState(() => accessAtOnce(credentials, browserKeep))
  useEffect(() => {
    if (access !== null && !isAmbient(access.session)) return
    let isWanted = true
    void findAccess(credentials, route.name === 'board' ? route.id : null).then(found => {
      if (isWanted && (access === null || found.session.sub !== access.session.sub)) setAccess(found)
    })
    return () => { isWanted = false }
    // Once: what comes later is the business of `useRenewal`.
  }, [credentials, route])
  return access
}

async function later (ms: number): Promise<null> {
  return await new Promise(resolve => setTimeout(() => resolve(null), ms))
}
