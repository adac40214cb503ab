import { expect, test } from 'vitest'
import { actingBy } from './agents'

test('who acts by a key is who the server says', () => {
  const state = (id: unknown) => ({ user: { id } })
  expect([...actingBy([
    { subject: 'key:A', state: state('key:A') },
    // Somebody who calls itself as the agent does, and an agent that calls itself as somebody.
    { subject: 'user:eve', state: state('key:B') },
    { subject: 'link:C', state: state('key:C') },
    { subject: 'key:D', state: state('user:bob') },
    { subject: 'key:D', state: state('user:bob') },
    { subject: 'key:E', state: state('user:bob') },
    { subject: 'key:F', state: null },
    { subject: 'key:F', state: state(7) },
    { subject: 'key:F', state: { user: null } }
  ])]).toEqual([['key:A', ['A']], ['user:bob', ['D', 'E']]])
})
