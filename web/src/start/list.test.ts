import { expect, test } from 'vitest'
import type { Present } from '../api'
import { copyTitle } from './duplicate'
import { peopleIn } from './Here'
import { sorted, titleHas, type AnyBoard } from './list'
import { readStars, toggleStar } from './stars'
import { excerptOf } from './textSearch'

const board = (id: string, title: string | null, created = 1, changed = created): AnyBoard =>
  ({ id, title, owner: 'alice', level: 'edit', created_at: `2026-01-0${created}`, updated_at: `2026-01-0${changed}`, size_bytes: 0 })

test('boards are sorted by change, title or creation, starred ones first and unreadable ones last', () => {
  const boards = [board('a', 'Plan 10', 1, 5), board('b', 'Plan 9', 2, 3), board('c', null, 3, 4), { id: 'd', level: null, unreadable: true } as const]
  const ids = (order: 'changed' | 'title' | 'created', ...stars: string[]) => sorted(boards, order, new Set(stars)).map(({ id }) => id).join('')
  expect([ids('changed'), ids('title'), ids('created')]).toEqual(['acbd', 'cbad', 'cbad'])
  expect([ids('changed', 'b'), ids('title', 'a', 'c')]).toEqual(['bacd', 'cabd'])
})

test('a title is found by parts of its words, whatever their case and accents', () => {
  const found = (words: string) => titleHas(board('x', 'Caf\u00e9 plans, Spring'), words)
  expect(['cafe', 'SPRING plan', '  caf\u00e9 '].map(found)).toEqual([true, true, true])
  expect(['winter', 'cafe winter'].map(found)).toEqual([false, false])
  expect(titleHas(board('known-by-id', null), 'by-id')).toBe(true)
})

test('stars are kept for each user, and what cannot be read is none', () => {
  const kept = new Map<string, string>()
  const keep = { getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, value: string) => { kept.set(name, value) }, removeItem: () => {} }
  expect(toggleStar(keep, 'alice', 'x')).toEqual(['x'])
  expect(toggleStar(keep, 'alice', 'y')).toEqual(['x', 'y'])
  expect(toggleStar(keep, 'alice', 'x')).toEqual(['y'])
  expect(readStars(keep, 'bob')).toEqual([])
  for (const [name] of kept) kept.set(name, '{"no":')
  expect(readStars(keep, 'alice')).toEqual([])
})

test('a copy is called after its board, and a long title stays within what the server takes', () => {
  expect(copyTitle('Plan')).toBe('Plan (copy)')
  expect(new TextEncoder().encode(copyTitle('\u{1f600}'.repeat(256))).length).toBeLessThanOrEqual(1024)
})

test('everybody on a board is there once, under the name that the server knows', () => {
  const row = (subject: string, id: string, name: string, known: string | null = null): Present =>
    ({ subject, name: known, state: { user: { id, name, color: '#112233' } } })
  const people = peopleIn([
    row('link:l', 'user:alice', 'Alice'), row('user:alice', 'user:alice', 'Not Alice', 'Alice A.'), row('user:alice', 'user:alice', 'x', 'Alice A.'),
    row('user:bob', 'user:alice', 'Alice'), { subject: 'anonymous', state: { hostile: [] } }
  ])
  expect(people.map(({ name }) => name)).toEqual(['Alice A.', 'bob', 'Alice', 'Guest'])
})

test('an excerpt has the words that were looked for, on one line', () => {
  expect(excerptOf({ id: 'n', content: { text: 'Ship it on\nFriday' } }, 'friday')).toBe('Ship it on Friday')
  const long = excerptOf({ id: 'n', content: { title: 'no', text: 'word '.repeat(100) + 'FRIDAY' + ' more'.repeat(100) } }, 'friday')
  expect(long).toContain('FRIDAY')
  expect(long.length).toBeLessThan(110)
  expect(excerptOf({ id: 'n' }, 'x')).toBe('')
})
