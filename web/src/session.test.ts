import { expect, test } from 'vitest'
import { editableByToken, manages, readSession } from './session'

function token (claims: unknown): string {
  const bytes = new TextEncoder().encode(JSON.stringify(claims))
  const base64 = btoa(String.fromCharCode(...bytes))
  return 'e30.' + base64.replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '') + '.c2ln'
}

test('without a token one is a guest', () => {
  expect(readSession(undefined)).toEqual({ sub: null, name: 'Guest', admin: false, expires: null, by: null })
  expect(readSession('').name).toBe('Guest')
})

test('the name is the claim name, else the user id', () => {
  expect(readSession(token({ sub: 'u1', name: ' Alice Doe ' }))).toMatchObject({ sub: 'u1', name: 'Alice Doe' })
  expect(readSession(token({ sub: 'u1', name: ' ' })).name).toBe('u1')
  expect(readSession(token({ sub: 'u1', name: 7 })).name).toBe('u1')
})

test('letters outside of ASCII survive', () => {
  expect(readSession(token({ sub: 'zo\u00eb \u5c71 \u{1f600}' })).name).toBe('zo\u00eb \u5c71 \u{1f600}')
})

test('an integer subject is its decimal string', () => {
  expect(readSession(token({ sub: 42 }))).toMatchObject({ sub: '42', name: '42' })
})

test('when it ends is in milliseconds', () => {
  expect(readSession(token({ sub: 'a', exp: 1_700_000_000 })).expires).toBe(1_700_000_000_000)
})

test('what cannot be read is a guest', () => {
  const bad = ['', 'x', 'a.b.c', 'a.!!.c', 'e30..x', token(null), token(7), token({}), token({ sub: '' }), token({ sub: 1.5 }), token({ sub: ['a'] })]
  for (const one of bad) expect(readSession(one).sub, one).toBeNull()
})

test('owners and admins manage', () => {
  const alice = readSession(token({ sub: 'alice' }))
  expect(manages({ owner: 'alice' }, alice)).toBe(true)
  expect(manages({ owner: 'bob' }, alice)).toBe(false)
  expect(manages({ owner: null }, readSession(undefined))).toBe(false)
  expect(manages({ owner: 'bob' }, readSession(token({ sub: 'alice', role: 'admin' })))).toBe(true)
  expect(manages({ owner: 'bob' }, readSession(token({ sub: 'alice', role: 'viewer' })))).toBe(false)
})

test('a token may name boards of its own', () => {
  const boards = { plan: 'edit', notes: 'view', odd: 1 }
  expect(editableByToken(token({ sub: 'a', boards }))).toEqual(['plan'])
  for (const bad of [undefined, null, 'plan', 7]) expect(editableByToken(token({ sub: 'a', boards: bad }))).toEqual([])
  expect(editableByToken(undefined)).toEqual([])
})
