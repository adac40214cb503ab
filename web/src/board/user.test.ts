import { expect, test } from 'vitest'
import { react } from 'tldraw'
import { userOf } from './user'

test('what somebody likes changes in the same object, and is kept without who they are', () => {
  const kept = new Map<string, string>()
  const storage = { getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, value: string) => { kept.set(name, value) } }
  const alice = { id: 'user:alice', name: 'Alice', color: '#00629d', actor: 'user:alice' }
  const user = userOf(alice, storage)
  const seen: unknown[] = []
  const stop = react('look', () => { seen.push(user.userPreferences.get().colorScheme) })
  user.setUserPreferences({ ...user.userPreferences.get(), colorScheme: 'dark', name: 'Mallory' })
  stop()
  expect(seen).toEqual(['system', 'dark'])
  expect(user.userPreferences.get()).toMatchObject({ id: 'user:alice', name: 'Alice' })
  expect([...kept.values()].join()).not.toMatch(/alice|mallory/i)
  expect(userOf(alice, storage).userPreferences.get().colorScheme).toBe('dark')
})
