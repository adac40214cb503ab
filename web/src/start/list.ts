// The caller's boards: all of them, page after page, in the order and of the kind that one wants to see.
import { useCallback, useEffect, useRef, useState } from 'react'
import type { Api, Board, UnreadableBoard } from '../api'
import { useAct } from '../ui/hooks'

export type AnyBoard = Board | UnreadableBoard

/** Boards that are loaded without being asked: more of them are an admin's, who can go on. */
export const LOADED_MAX = 20_000

export interface BoardList {
  /** Null until the first page came. */
  readonly boards: readonly AnyBoard[] | null
  readonly problem: unknown
  readonly loading: boolean
  readonly hasMore: boolean
  /** Goes on: after a failure, or behind `LOADED_MAX`. */
  readonly more: () => void
  readonly add: (board: Board) => void
  readonly replace: (board: Board) => void
  readonly remove: (id: string) => void
}

/** Loads all boards as the component appears, and shows each page as it comes. */
export function useBoards (api: Api): BoardList {
  const [boards, setBoards] = useState<readonly AnyBoard[] | null>(null)
  const [hasMore, setHasMore] = useState(false)
  const next = useRef<string | null>(null)
  const { busy, problem, run } = useAct()

  const more = useCallback(() => run(async () => {
    let count = 0
    do {
      const page = await api.listBoards(next.current)
      const ids = new Set(page.items.map(({ id }) => id))
      // A board made in between may come twice.
      setBoards(known => [...(known ?? []).filter(({ id }) => !ids.has(id)), ...page.items])
      count += page.items.length
      next.current = page.next_cursor
      setHasMore(page.next_cursor !== null)
    } while (next.current !== null && count < LOADED_MAX)
  }), [api, run])

  useEffect(more, [more])

  const add = (board: Board) => setBoards(known => [...(known ?? []), board])
  const replace = (board: Board) => setBoards(known => known?.map(item => item.id === board.id ? board : item) ?? null)
  const remove = (id: string) => setBoards(known => known?.filter(item => item.id !== id) ?? null)
  return { boards, problem, loading: busy, hasMore, more, add, replace, remove }
}

/** By what boards are sorted. */
export type Order = 'changed' | 'title' | 'created'

/** What a board is called. */
export function nameOf (board: AnyBoard): string {
  return 'unreadable' in board ? board.id : board.title ?? board.id
}

/** Starred boards first, and what cannot be read last; within that, the newest first, or by title. */
export function sorted (boards: readonly AnyBoard[], order: Order, stars: ReadonlySet<string>): AnyBoard[] {
  const collator = new Intl.Collator(undefined, { numeric: true })
  const rank = (board: AnyBoard) => stars.has(board.id) ? 0 : 'unreadable' in board ? 2 : 1
  const time = (board: AnyBoard) => 'unreadable' in board ? '' : order === 'created' ? board.created_at : board.updated_at
  return boards.toSorted((one, other) => rank(one) - rank(other) ||
    (order === 'title' ? collator.compare(nameOf(one), nameOf(other)) : time(other).localeCompare(time(one))) ||
    one.id.localeCompare(other.id))
}

/** Whether each word stands somewhere in the name, in capital letters or not, with accents or not. */
export function titleHas (board: AnyBoard, words: string): boolean {
  const name = plain(nameOf(board))
  return plain(words).split(/\s+/).every(word => name.includes(word))
}

function plain (text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLocaleLowerCase()
}
