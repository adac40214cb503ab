// What components need again and again: a list from the server, and an act with its outcome.
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react'

/** A list as far as it is known. */
export interface Loaded<T> {
  /** Null until it came. */
  readonly items: readonly T[] | null
  /** Why it did not come. */
  readonly problem: unknown
  readonly reload: () => void
  /** Changes what is shown at once, after an act of one's own. */
  readonly change: (next: (items: readonly T[]) => readonly T[]) => void
}

/** Loads as the component appears. `load` must be stable. */
export function useLoaded<T> (load: (signal: AbortSignal) => Promise<readonly T[]>): Loaded<T> {
  const [items, setItems] = useState<readonly T[] | null>(null)
  const [problem, setProblem] = useState<unknown>(null)
  const [round, setRound] = useState(0)

  useEffect(() => {
    const abort = new AbortController()
    setProblem(null)
    load(abort.signal).then(
      loaded => { if (!abort.signal.aborted) setItems(loaded) },
      (cause: unknown) => { if (!abort.signal.aborted) setProblem(cause) }
    )
    return () => abort.abort()
  }, [load, round])

  const reload = useCallback(() => setRound(count => count + 1), [])
  const change = useCallback((next: (items: readonly T[]) => readonly T[]) => {
    setItems(known => known === null ? known : next(known))
  }, [])
  return { items, problem, reload, change }
}

/** An act that may take a while, or fail. */
export interface Act {
  readonly busy: boolean
  readonly problem: unknown
  /** Does it, unless one is being done. What fails is kept in `problem`. */
  readonly run: (act: () => Promise<void>) => void
}

export function useAct (): Act {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<unknown>(null)
  // The state is as old as the last rendering, and two quick presses may come before the next.
  const doing = useRef(false)

  const run = useCallback((act: () => Promise<void>) => {
    if (doing.current) return
    doing.current = true
    setBusy(true)
    setProblem(null)
    act().catch(setProblem).finally(() => {
      doing.current = false
      setBusy(false)
    })
  }, [])
  return { busy, problem, run }
}

/** Whether a media query holds. */
export function useMedia (query: string): boolean {
  const subscribe = useCallback((onChange: () => void) => {
    const media = matchMedia(query)
    media.addEventListener('change', onChange)
    return () => media.removeEventListener('change', onChange)
  }, [query])
  return useSyncExternalStore(subscribe, () => matchMedia(query).matches)
}
