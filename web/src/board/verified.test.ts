import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Present } from '../api'
import { keepGuest, readGuest } from './guest'
import { peopleOf, readPeer, type Known, type Peer } from './presence'
import { Asker, knownClients } from './verified'

beforeEach(() => { vi.useFakeTimers() })
afterEach(() => { vi.useRealTimers() })

const peer = (client: number, id: string, name = id.replace(/^\w+:/, '')): Peer => readPeer(client, {
  user: { id, name, color: '#00704a' }, kind: 'person', page: 'page:page', cursor: null, selection: []
})!
const row = (subject: string, clients: number[], name: string | null = null): Present => ({ subject, state: null, name, clients })

test('who has a user is known by the name that the server gives, else by their id; others are not known', () => {
  const known = knownClients([row('user:alice', [1, 2], 'Alice \u202eLiddell'), row('user:bob', [3]), row('link:x', [4], 'Alice'), row('public', [5])])
  expect([1, 2, 3, 4, 5].map(client => known.get(client)?.name)).toEqual(['Alice Liddell', 'Alice Liddell', 'bob', null, null])
})

test('a client that two connections claim is nobody', () => {
  expect(knownClients([row('user:alice', [1]), row('link:x', [1])]).get(1)).toEqual({ subject: '', name: null })
})

test('a server that does not say who speaks for whom makes nobody known', () => {
  expect(knownClients([{ subject: 'user:alice', state: null }]).size).toBe(0)
})

test('who calls itself like somebody verified stands alone, under words of its own', () => {
  const known = new Map<number, Known>([
    [1, { subject: 'user:alice', name: 'Alice' }], [2, { subject: 'user:alice', name: 'Alice' }], [3, { subject: 'link:x', name: null }],
    [5, { subject: 'user:eve', name: 'eve' }]
  ])
  const people = peopleOf([
    peer(1, 'user:alice'), peer(2, 'user:alice'), peer(3, 'user:alice', 'Alice'), peer(4, 'user:alice', 'Alice'), peer(5, 'user:alice', 'Alice')
  ], known)
  expect(people.map(({ name, verified, tabs }) => [name, verified, tabs])).toEqual([
    ['Alice', 'asking', 1], ['Alice', 'no', 1], ['Alice', 'yes', 2], ['eve', 'yes', 1]
  ])
})

function asking (rows: () => readonly Present[] | Error) {
  const [asked, told] = [vi.fn(), [] as Array<ReadonlyMap<number, Known>>]
  const asker = new Asker(async () => {
    asked()
    const answer = rows()
    if (answer instanceof Error) throw answer
    return answer
  }, known => told.push(known))
  return { asker, asked, told }
}

test('the server is asked once for many, some time after they came', async () => {
  const everybody = Array.from({ length: 50 }, (_, n) => peer(n, `user:p${n}`))
  const { asker, asked, told } = asking(() => everybody.map(({ client, user }) => row(user.id, [client])))
  for (let n = 1; n <= 50; n++) asker.look(everybody.slice(0, n))
  await vi.advanceTimersByTimeAsync(1_019)
  expect(asked).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(10_000)
  asker.look(everybody)
  await vi.advanceTimersByTimeAsync(10_000)
  expect(asked).toHaveBeenCalledTimes(1)
  expect(told.at(-1)?.size).toBe(50)
})

test('who is never listed is asked about a few times, and then is not verified', async () => {
  const { asker, asked, told } = asking(() => [])
  asker.look([peer(1, 'user:alice')])
  await vi.advanceTimersByTimeAsync(1_020)
  expect(told.at(-1)?.has(1)).toBe(false)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked).toHaveBeenCalledTimes(3)
  expect(told.at(-1)?.get(1)?.name).toBeNull()
})

test('where the server does not answer nobody counts as known, and it is left alone', async () => {
  const { asker, asked, told } = asking(() => new Error('away'))
  asker.look([peer(1, 'user:alice')])
  await vi.advanceTimersByTimeAsync(60_000)
  expect([asked.mock.calls.length, told.length]).toEqual([3, 0])
})

test('another connection that comes back under an id of somebody who left is not taken for them', async () => {
  let rows = [row('user:alice', [1])]
  const { asker, told } = asking(() => rows)
  asker.look([peer(1, 'user:alice')])
  await vi.advanceTimersByTimeAsync(1_020)
  expect(told.at(-1)?.get(1)?.name).toBe('alice')
  asker.forget([1])
  expect(told.at(-1)?.has(1)).toBe(false)
  rows = [row('link:x', [1])]
  asker.look([peer(1, 'user:alice')])
  await vi.advanceTimersByTimeAsync(1_020)
  expect(told.at(-1)?.get(1)).toEqual({ subject: 'link:x', name: null })
})

test('a guest is asked for a name once, and keeps it', () => {
  const kept = new Map<string, string>()
  const keep = { getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, value: string) => { kept.set(name, value) } }
  expect(readGuest(keep)).toEqual({ name: null, asked: false })
  expect(keepGuest(' Mi\u202ea ', keep)).toBe('Mia')
  expect(readGuest(keep)).toEqual({ name: 'Mia', asked: true })
  expect(keepGuest('  ', keep)).toBeNull()
  expect(readGuest(keep)).toEqual({ name: null, asked: true })
})
