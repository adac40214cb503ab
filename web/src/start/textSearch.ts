// Looks for words on the boards themselves: the server is asked board after board, a few at a time, and hits
// show as they come.
import { useCallback, useEffect, useRef, useState } from 'react'
import type { Api, Item } from '../api'
import { createQueue } from './queue'

/** Boards that are searched at a time: each is opened as a document on the server. */
const AT_ONCE = 2

/** What is shown of what was found. */
const EXCERPT_MAX = 90

export interface TextSearch {
  /** What is, or was, looked for. */
  readonly words: string
  /** An excerpt for each board that has it. */
  readonly hits: ReadonlyMap<string, string>
  readonly done: number
  readonly total: number
  /** Boards that could not be searched. */
  readonly failed: number
  readonly running: boolean
}

interface TextSearcher {
  /** Null where nothing was looked for. */
  readonly search: TextSearch | null
  readonly start: (words: string, boards: readonly string[]) => void
  /** Ends it; what was found stays. */
  readonly stop: () => void
  /** Ends it, and forgets what was found. */
  readonly clear: () => void
}

export function useTextSearch (api: Api): TextSearcher {
  const [search, setSearch] = useState<TextSearch | null>(null)
  const life = useRef<AbortController | null>(null)

  const stop = useCallback(() => {
    life.current?.abort()
    setSearch(known => known === null || !known.running ? known : { ...known, running: false })
  }, [])
  const clear = useCallback(() => {
    life.current?.abort()
    setSearch(null)
  }, [])
  const start = useCallback((words: string, boards: readonly string[]) => {
    life.current?.abort()
    const { signal } = life.current = new AbortController()
    setSearch({ words, hits: new Map(), done: 0, total: boards.length, failed: 0, running: boards.length > 0 })
    const queue = createQueue(AT_ONCE)
    const tell = (change: (known: TextSearch) => Partial<TextSearch>) => {
      if (signal.aborted) return
      setSearch(known => {
        if (known === null) return known
        const next = { ...known, done: known.done + 1, ...change(known) }
        return { ...next, running: next.done < next.total }
      })
    }
    for (const board of boards) {
      queue(async () => await api.findItem(board, words, signal), signal).then(
        item => tell(({ hits }) => item === null ? {} : { hits: new Map(hits).set(board, excerptOf(item, words)) }),
        () => tell(({ failed }) => ({ failed: failed + 1 }))
      )
    }
  }, [api])
  // Who goes elsewhere, or signs in as somebody else, asks nothing any more.
  useEffect(() => clear, [api, clear])
  return { search, start, stop, clear }
}

/** The words around what was found, on one line. */
export function excerptOf ({ content }: Item, words: string): string {
  const texts = Object.values(content ?? {}).filter(value => typeof value === 'string')
  const wanted = words.toLocaleLowerCase()
  const text = (texts.find(one => one.toLocaleLowerCase().includes(wanted)) ?? texts[0] ?? '').replace(/\s+/g, ' ').trim()
  const at = Math.max(0, text.toLocaleLowerCase().indexOf(wanted))
  const from = text.length <= EXCERPT_MAX ? 0 : Math.max(0, at - 24)
  const part = text.slice(from, from + EXCERPT_MAX)
  return (from > 0 ? '... ' : '') + part.trim() + (from + EXCERPT_MAX < text.length ? ' ...' : '')
}
