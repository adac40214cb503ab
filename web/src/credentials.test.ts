import { expect, test } from 'vitest'
import { credentialParams, findToken, parseCredentials, takeCredentials } from './credentials'

test('each credential is read from the query', () => {
  expect(parseCredentials('?token=t&share=s&apiKey=k&other=o')).toEqual({ token: 't', share: 's', apiKey: 'k' })
})

test('an empty parameter counts as not sent', () => {
  expect(parseCredentials('?token=&share=&apiKey=')).toEqual({})
  expect(parseCredentials('')).toEqual({})
})

test('as parameters they have the names that the server reads', () => {
  expect(credentialParams({ token: 't', share: 's', apiKey: 'k' })).toEqual({ token: 't', share: 's', apiKey: 'k' })
  expect(credentialParams({})).toEqual({})
})

/** A window at an address, with what its tab keeps. */
function tabAt (address: string, kept: Record<string, string> = {}) {
  const url = new URL(address, 'http://x.example')
  const store = new Map(Object.entries(kept))
  const shown = { address: url.pathname + url.search + url.hash }
  const take = () => takeCredentials(
    url as unknown as Location,
    { state: null, replaceState: (_: unknown, __: string, to: string) => { shown.address = to } } as unknown as History,
    {
      getItem: name => store.get(name) ?? null,
      setItem: (name, value) => { store.set(name, value) },
      removeItem: name => { store.delete(name) }
    }
  )
  return { take, store, shown }
}

test('a token is taken out of the address and kept for the tab', () => {
  const tab = tabAt('/board/plan?token=t&share=s#here')
  expect(tab.take()).toEqual({ token: 't', share: 's' })
  expect(tab.shown.address).toBe('/board/plan?share=s#here')
  expect([...tab.store.values()]).toEqual(['t'])
})

test('a page without credentials uses the token of its tab', () => {
  const first = tabAt('/?token=t')
  first.take()
  expect(first.shown.address).toBe('/')
  expect(tabAt('/board/plan', Object.fromEntries(first.store)).take()).toEqual({ token: 't' })
  expect(tabAt('/board/plan').take()).toEqual({})
})

test('a share link or key stands alone and stays in the address', () => {
  const kept = Object.fromEntries((() => { const tab = tabAt('/?token=t'); tab.take(); return tab.store })())
  for (const [address, credentials] of [['/board/plan?share=s', { share: 's' }], ['/board/plan?apiKey=k', { apiKey: 'k' }]] as const) {
    const tab = tabAt(address, kept)
    expect(tab.take()).toEqual(credentials)
    expect(tab.shown.address).toBe(address)
    expect(tab.store.size).toBe(1)
  }
})

test('a newer token replaces the one that was kept', () => {
  const tab = tabAt('/?token=new', { 'boardwire.token': 'old' })
  expect(tab.take()).toEqual({ token: 'new' })
  expect([...tab.store.values()]).toEqual(['new'])
})

test('a token is found in what was pasted', () => {
  expect(findToken(' aa.bb-_.cc\n')).toBe('aa.bb-_.cc')
  expect(findToken('http://127.0.0.1:8080/board/demo?x=1&token=aa.bb.cc#top')).toBe('aa.bb.cc')
  expect(findToken('ws://127.0.0.1:8080/ws/canvas/demo?token=aa.bb.cc')).toBe('aa.bb.cc')
  for (const text of ['', 'aa.bb', 'aa.bb.cc.dd', 'hello', 'bwl_abc', 'https://x.example/?share=aa.bb.cc']) expect(findToken(text), text).toBeNull()
})
