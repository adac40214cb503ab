// Who was on a board before: from its audit log, for who manages it.
import { useEffect, useState } from 'react'
import type { Api, AuditEntry } from '../api'

/** Pages of the log that are read, of 500 entries each: whoever was here longer ago is not offered. */
const PAGES_MAX = 4

/** User ids of who was on the board, the last first, without its owner. Empty until it is known, and where it cannot be. */
export function useVisitors (api: Api, board: string): readonly string[] {
  const [visitors, setVisitors] = useState<readonly string[]>([])
  useEffect(() => {
    const abort = new AbortController()
    // Nobody to be offered: the field takes any id all the same.
    readVisitors(api, board, abort.signal).then(found => { if (!abort.signal.aborted) setVisitors(found) }, () => {})
    return () => abort.abort()
  }, [api, board])
  return visitors
}

async function readVisitors (api: Api, board: string, signal: AbortSignal): Promise<string[]> {
  const { owner } = await api.readBoard(board, signal)
  const entries: AuditEntry[] = []
  let cursor: string | null = null
  for (let page = 0; page < PAGES_MAX; page++) {
    const answer = await api.listAudit(board, cursor, signal)
    entries.push(...answer.items)
    cursor = answer.next_cursor
    if (cursor === null) break
  }
  return visitorsOf(entries, owner)
}

/** Who did anything there, other than being refused. */
export function visitorsOf (entries: readonly AuditEntry[], owner: string | null): string[] {
  const users = entries.flatMap(({ actor, action }) =>
    action !== 'access.denied' && actor.startsWith('user:') ? actor.slice('user:'.length) : [])
  return [...new Set(users)].filter(id => id !== owner)
}
