// Which boards somebody has starred, and how they want them sorted: kept in this browser, for each user.
import { useCallback, useState } from 'react'
import { scoped } from '../base'
import { browserKeep, type Keep } from '../browser'
import type { Order } from './list'

/** More stars than that are forgotten, the oldest first. */
const STARS_MAX = 500

const ORDERS: readonly Order[] = ['changed', 'title', 'created']

const nameFor = (what: string, user: string | null): string => `${scoped('boardwire.' + what)}:${user ?? ''}`

/** The starred boards, the oldest star first. What was kept and cannot be read counts as none. */
export function readStars (keep: Keep, user: string | null): string[] {
  try {
    const kept: unknown = JSON.parse(keep.getItem(nameFor('stars', user)) ?? '[]')
    return Array.isArray(kept) ? kept.filter((id): id is string => typeof id === 'string').slice(-STARS_MAX) : []
  } catch {
    return []
  }
}

/** Gives a board a star or takes it away; what other tabs did meanwhile stays. */
export function toggleStar (keep: Keep, user: string | null, board: string): string[] {
  const kept = readStars(keep, user)
  const next = kept.includes(board) ? kept.filter(id => id !== board) : [...kept, board].slice(-STARS_MAX)
  keep.setItem(nameFor('stars', user), JSON.stringify(next))
  return next
}

/** The starred boards of this user, and how to star one. */
export function useStars (user: string | null): [ReadonlySet<string>, (board: string) => void] {
  const [stars, setStars] = useState<ReadonlySet<string>>(() => new Set(readStars(browserKeep, user)))
  const toggle = useCallback((board: string) => setStars(new Set(toggleStar(browserKeep, user, board))), [user])
  return [stars, toggle]
}

/** The order that this user chose last. */
export function useOrder (user: string | null): [Order, (order: Order) => void] {
  const name = nameFor('order', user)
  const [order, setOrder] = useState<Order>(() => ORDERS.find(one => one === browserKeep.getItem(name)) ?? 'changed')
  const choose = useCallback((next: Order) => {
    browserKeep.setItem(name, next)
    setOrder(next)
  }, [name])
  return [order, choose]
}
