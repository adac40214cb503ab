import { expect, test } from 'vitest'
import { editableByToken, manages, readSession } from './session'

function token (claims: unknown): string {
  const bytes = new TextEncoder().encode(JSON.stringify(claims))
  const base64 = btoa(String.fromCharCode(...bytes))
  return 'e30.' + base64.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '') + '.c2ln'
}

test('without a token one is a guest', () => {
  expect(readSession({})).toEqual({ sub: null, name: 'Guest', admin: false, expires: null })
  expect(readSession({ share: 'bwl_x' }).name).toBe('Guest')
})

test('the name is the claim name, else the user id', () => {
  expect(readSession({ token: token({ sub: 'u1', name: ' Alice Doe ' }) })).toMatchObject({ sub: 'u1', name: 'Alice Doe' })
  expect(readSession({ token: token({ sub: 'u1', name: ' ' }) }).name).toBe('u1')
  expect(readSession({ token: token({ sub: 'u1', name: 7 }) }).name).toBe('u1')
})

test('letters outside of ASCII survive', () => {
  expect(readSession({ token: token({ sub: 'zo\u00eb \u5c71 \u{1f600}' }) }).name).toBe('zo\u00eb \u5c71 \u{1f600}')
})

test('an integer subject is its decimal string', () => {
  expect(readSession({ token: token({ sub: 42 }) })).toMatchObject({ sub: '42', name: '42' })
})

test('when it ends is in milliseconds', () => {
  expect(readSession({ token: token({ sub: 'a', exp: 1_700_000_000 }) }).expires).toBe(1_700_000_000_000)
})

test('what cannot be read is a guest', () => {
  const bad = ['', 'x', 'a.b.c', 'a.!!.c', 'e30..x', token(null), token(7), token({}), token({ sub: '' }), token({ sub: 1.5 }), token({ sub: ['a'] })]
  for (const one of bad) expect(readSession({ token: one }).sub, one).toBeNull()
})

test('owners and admins manage', () => {
  const alice = readSession({ token: token({ sub: 'alice' }) })
  expect(manages({ owner: 'alice' }, alice)).toBe(true)
  expect(manages({ owner: 'bob' }, alice)).toBe(false)
  expect(manages({ owner: null }, readSession({}))).toBe(false)
  expect(manages({ owner: 'bob' }, readSession({ token: token({ sub: 'alice', role: 'admin' }) }))).toBe(true)
  expect(manages({ owner: 'bob' }, readSession({ token: token({ sub: 'alice', role: 'viewer' }) }))).toBe(false)
})

test('a token may name boards of its own', () => {
  const boards = { plan: 'edit', notes: 'view', odd: 1 }
  expect(editableByToken({ token: token({ sub: 'a', boards }) })).toEqual(['plan'])
  for (const bad of [undefined, null, 'plan', 7]) expect(editableByToken({ token: token({ sub: 'a', boards: bad }) })).toEqual([])
  expect(editableByToken({})).toEqual([])
})
