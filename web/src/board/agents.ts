// Which of the agents that are shown act by a key of the board, for who may pause it. What a state says of
// itself is not believed: whose it is the server says.
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { createApi, everyPage, type Api, type Key, type Present } from '../api'
import type { Credentials } from '../credentials'
import { useAct } from '../ui/hooks'
import type { Person } from './presence'

/** The server is asked at most this often, however fast agents come and go. */
const ASK_EVERY_MS = 1_500

/** The agents of a board, as who manages it sees them. */
export interface Agents {
  /** The keys by which a person of the bar acts, by the id that it says; none for whoever acts by no key. */
  keysOf (id: string): readonly Key[]
  /** The keys that are paused, wherever their agents are. */
  readonly paused: readonly Key[]
  /** Why the last pause or resumption failed. */
  readonly problem: unknown
  pause (key: Key, paused: boolean): void
  /** Asks the server anew. */
  reload (): void
}

/** The agents of `board`; null for who may not manage it. `people` are those in the bar. */
export function useAgents (board: string, credentials: Credentials, manages: boolean, people: readonly Person[]): Agents | null {
  const api = useMemo(() => createApi(credentials), [credentials])
  const [keys, setKeys] = useState<readonly Key[]>([])
  const [acting, setActing] = useState<ReadonlyMap<string, readonly string[]>>(new Map())
  const { problem, run } = useAct()
  const asked = useRef({ at: -ASK_EVERY_MS, before: new Map<string, readonly string[]>() })
  const [round, setRound] = useState(0)
  const agents = people.filter(({ kind }) => kind === 'agent').map(({ says }) => says).sort().join('\n')
  useEffect(() => {
    if (!manages) return
    const abort = new AbortController()
    const ask = async (): Promise<void> => {
      asked.current.at = performance.now()
      const [now, rows] = await askAgents(api, board, agents !== '', abort.signal)
      if (abort.signal.aborted) return
      const here = new Set(agents.split('\n'))
      const known = [...asked.current.before].filter(([id]) => here.has(id))
      asked.current.before = new Map([...known, ...actingBy(rows)])
      setKeys(now)
      setActing(asked.current.before)
    }
    const wait = Math.max(0, ASK_EVERY_MS - (performance.now() - asked.current.at))
    // Without an answer there is no menu; the dialog for sharing says why.
    const timer = setTimeout(() => { ask().catch(() => {}) }, wait)
    return () => {
      clearTimeout(timer)
      abort.abort()
    }
  }, [api, board, manages, agents, round])
  const pause = useCallback((key: Key, paused: boolean) => run(async () => {
    const now = await api.pauseKey(board, key.id, paused)
    setKeys(known => known.map(one => one.id === now.id ? now : one))
  }), [api, board, run])
  const reload = useCallback(() => setRound(count => count + 1), [])
  return useMemo(() => manages
    ? {
        keysOf: id => keys.filter(key => acting.get(id)?.includes(key.id) === true),
        paused: keys.filter(({ paused }) => paused),
        problem,
        pause,
        reload
      }
    : null, [manages, keys, acting, problem, pause, reload])
}

async function askAgents (api: Api, board: string, isAnybody: boolean, signal: AbortSignal): Promise<[readonly Key[], readonly Present[]]> {
  return await Promise.all([
    everyPage(async cursor => await api.listKeys(board, cursor, signal)),
    isAnybody ? everyPage(async cursor => await api.listPresence(board, cursor, signal)) : []
  ])
}

/** By which keys somebody acts who calls itself so, by what the server says of each that does. */
export function actingBy (rows: readonly Present[]): Map<string, readonly string[]> {
  const keys = new Map<string, readonly string[]>()
  for (const { subject, state } of rows) {
    const key = /^key:(.+)$/.exec(subject)?.[1]
    const id = idOf(state)
    if (key === undefined || id === null || keys.get(id)?.includes(key) === true) continue
    keys.set(id, [...keys.get(id) ?? [], key])
  }
  return keys
}

function idOf (state: unknown): string | null {
  const user: unknown = typeof state === 'object' && state !== null && 'user' in state ? state.user : null
  const id: unknown = typeof user === 'object' && user !== null && 'id' in user ? user.id : null
  return typeof id === 'string' ? id : null
}
