// What a guest wants to be called: asked once, kept in this browser for all boards.
import { scoped } from '../base'
import type { Keep } from '../browser'
import { readNameLine } from './presence'

const ITEM = scoped('boardwire.guest')

/** The name that was given, or null; `asked` is whether the question was answered, be it by none. */
export function readGuest (keep: Pick<Keep, 'getItem'>): { readonly name: string | null, readonly asked: boolean } {
  const kept = keep.getItem(ITEM)
  return { name: readNameLine(kept) || null, asked: kept !== null }
}

/** Keeps an answer, and returns the name as it is shown; null for none. */
export function keepGuest (text: string, keep: Pick<Keep, 'setItem'>): string | null {
  const name = readNameLine(text)
  keep.setItem(ITEM, name)
  return name || null
}
