import { expect, test } from 'vitest'
import { apart, credentialParams, findToken, onward, parseCredentials, switchTo, takeCredentials, withoutSignIn } from './credentials'
import { GUEST, type Session } from './session'

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
function tabAt (address: string, kept: Record<string, string> = {}, fleeting = false) {
  const url = new URL(address, 'http://x.example')
  const store = new Map(Object.entries(kept))
  const shown = { address: url.pathname + url.search + url.hash }
  const tab = {
    getItem: (name: string) => store.get(name) ?? null,
    setItem: (name: string, value: string) => { store.set(name, value) },
    removeItem: (name: string) => { store.delete(name) },
    fleeting
  }
  const taken = (ambient?: Session) => takeCredentials(
    url as unknown as Location,
    { state: null, replaceState: (_: unknown, __: string, to: string) => { shown.address = to } } as unknown as History,
    tab,
    ambient
  )
  const take = () => taken().credentials
  return { take, taken, tab, store, shown }
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

test('who is signed in stays who they are behind a share link or key, which stays in the address', () => {
  for (const [query, credentials] of [['?share=s', { share: 's' }], ['?apiKey=k', { apiKey: 'k' }]] as const) {
    const address = '/board/plan' + query
    const kept = tokenOf('alice')
    const tab = tabAt(address, { 'boardwire.token': kept })
    expect(tab.take()).toEqual({ token: kept, ...credentials })
    expect(tab.shown.address).toBe(address)
    expect(tab.store.size).toBe(1)
    expect(tabAt(address).take()).toEqual(credentials)
  }
})

test('a sign-in that has expired does not keep a link shut', () => {
  const seconds = Math.floor(Date.now() / 1000)
  const until = (exp: number) => `e30.${btoa(JSON.stringify({ sub: 'alice', exp }))}.c2ln`
  expect(tabAt('/board/plan?share=s', { 'boardwire.token': until(seconds - 60) }).take()).toEqual({ share: 's' })
  expect(tabAt('/board/plan?share=s', { 'boardwire.token': until(seconds + 60) }).take()).toEqual({ token: until(seconds + 60), share: 's' })
  // Alone it is sent all the same: the server says that it has expired.
  expect(tabAt('/board/plan', { 'boardwire.token': until(seconds - 60) }).take()).toEqual({ token: until(seconds - 60) })
})

test('where the tab keeps nothing the token travels in addresses', () => {
  const { tab } = tabAt('/')
  expect(onward('/board/plan', { token: 'a.b.c' }, tab)).toBe('/board/plan')
  expect(onward('/board/plan', { token: 'a.b.c', share: 's' }, { ...tab, fleeting: true })).toBe('/board/plan?token=a.b.c')
  expect(onward('/board/plan', { share: 's' }, { ...tab, fleeting: true })).toBe('/board/plan')
  const bare = tabAt('/board/plan?token=t&share=s', {}, true)
  expect(bare.take()).toEqual({ token: 't', share: 's' })
  expect(bare.shown.address).toBe('/board/plan?token=t&share=s')
})

test('several credentials are told apart, one is not', () => {
  expect(apart({ token: 't', share: 's', apiKey: 'k' })).toEqual([{ token: 't' }, { share: 's' }, { apiKey: 'k' }])
  for (const single of [{}, { token: 't' }, { share: 's' }, { apiKey: 'k' }]) expect(apart(single)).toEqual([])
})

test('a newer token replaces the one that was kept', () => {
  const tab = tabAt('/?token=new', { 'boardwire.token': 'old' })
  expect(tab.take()).toEqual({ token: 'new' })
  expect([...tab.store.values()]).toEqual(['new'])
})

/** A token that names a user; `n` sets those of one user apart. */
const tokenOf = (sub: string, n = 0) => `e30.${btoa(JSON.stringify({ sub, n })).replace(/=+$/, '')}.c2ln`

test('a link does not replace the sign-in of another user unasked', () => {
  const [alice, bob] = [tokenOf('alice'), tokenOf('bob')]
  const tab = tabAt(`/board/plan?x=1&token=${bob}#here`, { 'boardwire.token': alice })
  const { credentials, rival } = tab.taken()
  expect(credentials, 'to stay is the default').toEqual({ token: alice })
  expect(rival).toEqual({ credentials: { token: bob }, here: 'alice', there: 'bob' })
  expect([...tab.store.values()], 'nothing is kept of it, so a reload stays').toEqual([alice])
  expect(tab.shown.address).toBe('/board/plan?x=1#here')
  if (rival === null) throw new Error('no question')
  expect(switchTo(rival, tab.tab)).toEqual({ token: bob })
  expect([...tab.store.values()]).toEqual([bob])
})

test('nor does one whose token names nobody, or that brings a share link along', () => {
  const alice = tokenOf('alice')
  expect(tabAt('/?token=a.b.c', { 'boardwire.token': alice }).taken()).toEqual({
    credentials: { token: alice }, rival: { credentials: { token: 'a.b.c' }, here: 'alice', there: null }
  })
  const bob = tokenOf('bob')
  expect(tabAt(`/board/plan?share=s&token=${bob}`, { 'boardwire.token': alice }).taken()).toEqual({
    credentials: { token: alice, share: 's' }, rival: { credentials: { token: bob, share: 's' }, here: 'alice', there: 'bob' }
  })
})

test('nobody is asked where nobody is signed in, nor for a new token of the same user', () => {
  const bob = tokenOf('bob')
  const before: Array<Record<string, string>> = [{}, ...['', 'a.b.c', tokenOf('bob', 1)].map(token => ({ 'boardwire.token': token }))]
  for (const kept of before) {
    const tab = tabAt(`/?token=${bob}`, kept)
    expect(tab.taken()).toEqual({ credentials: { token: bob }, rival: null })
    expect([...tab.store.values()]).toEqual([bob])
  }
})

test('a link to this server loses its token, and no other link anything', () => {
  const here = 'https://boards.example/board/plan'
  for (const [address, safe] of [
    ['https://boards.example/board/x?token=a.b.c', 'https://boards.example/board/x'],
    ['https://BOARDS.example:443/board/x?a=1&token=a&token=b&share=s#c', 'https://boards.example/board/x?a=1&share=s#c'],
    ['/board/x?%74oken=a.b.c', 'https://boards.example/board/x'],
    ['//boards.example/?token=', 'https://boards.example/'],
    ['https://boards.example/board/x?share=s', 'https://boards.example/board/x?share=s'],
    ['https://boards.example/board/x?a=1#token=a.b.c', 'https://boards.example/board/x?a=1'],
    ['https://boards.example/board/x#token', 'https://boards.example/board/x'],
    ['https://other.example/?token=t', 'https://other.example/?token=t'],
    ['http://boards.example/?token=t', 'http://boards.example/?token=t'],
    ['mailto:a@b.example?token=t', 'mailto:a@b.example?token=t'],
    ['https://', 'https://'],
    ['', '']
  ] as const) expect(withoutSignIn(address, here), address).toBe(safe)
})

test('a token is found in what was pasted', () => {
  expect(findToken(' aa.bb-_.cc\n')).toBe('aa.bb-_.cc')
  expect(findToken('http://127.0.0.1:8080/board/demo?x=1&token=aa.bb.cc#top')).toBe('aa.bb.cc')
  expect(findToken('ws://127.0.0.1:8080/ws/canvas/demo?token=aa.bb.cc')).toBe('aa.bb.cc')
  expect(findToken('https://boards.example/board/x#token=aa.bb.cc')).toBe('aa.bb.cc')
  for (const text of ['', 'aa.bb', 'aa.bb.cc.dd', 'hello', 'bwl_abc', 'https://x.example/?share=aa.bb.cc']) expect(findToken(text), text).toBeNull()
})

test('a token that comes back in the fragment is taken like one in the query', () => {
  const tab = tabAt('/board/plan?share=s#token=t')
  expect(tab.take()).toEqual({ token: 't', share: 's' })
  expect(tab.shown.address).toBe('/board/plan?share=s')
  expect([...tab.store.values()]).toEqual(['t'])
})

test('a link with a token does not replace the sign-in of the browser either', () => {
  const alice = { ...GUEST, sub: 'alice', name: 'Alice', by: 'session' as const }
  const bob = tokenOf('bob')
  const tab = tabAt(`/#token=${bob}`)
  expect(tab.taken(alice)).toMatchObject({ credentials: {}, rival: { here: 'alice', there: 'bob' } })
  expect(tab.store.size).toBe(0)
  expect(tabAt(`/?token=${tokenOf('alice')}`).taken(alice).rival).toBeNull()
})

test('where a link is not valid, the sign-in of the browser is tried without it', () => {
  const alice = { ...GUEST, sub: 'alice', by: 'proxy' as const }
  expect(apart({ share: 's' }, alice)).toEqual([{}])
  expect(apart({}, alice)).toEqual([])
  expect(apart({ token: 't', share: 's' }, alice)).toEqual([{ token: 't' }, { share: 's' }])
})
