import { expect, test } from 'vitest'
import { accessAfter, accessAtOnce } from './access'
import { isEmbedded, onHandedToken } from './frame'
import { returnAddress, takeReturn } from './handover'
import { readInvite, takeInvite } from './invite'
import { GUEST, type Session } from './session'
import { forgetSession, loginAddress, recallSession, rememberSession, standingOf } from './standing'

const text = (claims: unknown) => 'e30.' + btoa(JSON.stringify(claims)).replace(/=+$/, '') + '.c2ln'
const token = (sub: string, seconds = 3600) => text({ sub, exp: Math.floor(Date.now() / 1000) + seconds })
const answer = { user: null, name: null, admin: false, by: null, id: null, expires_at: null, login_url: null }
const alice: Session = { sub: 'alice', name: 'Alice', admin: false, expires: Date.now() + 60_000, by: 'session' }

function keeping (kept: Record<string, string> = {}) {
  const store = new Map(Object.entries(kept))
  return {
    store,
    getItem: (name: string) => store.get(name) ?? null,
    setItem: (name: string, value: string) => { store.set(name, value) },
    removeItem: (name: string) => { store.delete(name) }
  }
}

/** A window at an address, as far as these functions look. */
function at (address: string) {
  const url = new URL(address, 'http://x.example')
  const shown = { address: url.pathname + url.search + url.hash }
  const history = { state: null, replaceState: (_: unknown, __: string, to: string) => { shown.address = to } }
  return { location: url as unknown as Location, history: history as unknown as History, shown }
}

test('the server says who one is, and where to sign in', () => {
  expect(standingOf(answer)).toEqual({ session: GUEST, loginUrl: null })
  const said = { ...answer, user: 'alice', name: ' Alice ', admin: true, by: 'session', expires_at: '2030-01-01T00:00:00Z', login_url: 'https://id.example/in' } as const
  expect(standingOf(said)).toEqual({
    session: { sub: 'alice', name: 'Alice', admin: true, expires: Date.UTC(2030, 0), by: 'session' }, loginUrl: 'https://id.example/in'
  })
  expect(standingOf({ ...said, name: null }).session.name).toBe('alice')
  expect(standingOf({ ...said, by: 'token' }).session, 'a token says it itself').toEqual(GUEST)
  for (const login_url of ['javascript:alert(1)', '/in', 'data:text/html,x']) expect(standingOf({ ...said, login_url }).loginUrl).toBeNull()
})

test('whom the server named is remembered until that ends, and what cannot be read is nobody', () => {
  const keep = keeping()
  rememberSession(alice, keep)
  expect(recallSession(keep)).toEqual(alice)
  rememberSession({ ...alice, expires: Date.now() - 1 }, keep)
  expect(recallSession(keep)).toEqual(GUEST)
  rememberSession(GUEST, keep)
  expect(keep.store.size).toBe(0)
  for (const bad of ['', 'x', '7', 'null', '{}', '{"sub":""}', '{"sub":"a","name":7,"by":"session"}', '{"sub":"a","name":"a","by":"token"}']) {
    expect(recallSession(keeping({ 'boardwire.session': bad })), bad).toEqual(GUEST)
  }
  rememberSession(alice, keep)
  forgetSession(keep)
  expect(recallSession(keep)).toEqual(GUEST)
})

test('who signs in comes back to where they wanted, and nothing secret goes along', () => {
  const wanted = 'https://boards.example/board/plan?token=t&share=s&apiKey=k&embed=1#x'
  const back = encodeURIComponent('https://boards.example/board/plan?embed=1')
  expect(loginAddress('https://id.example/in', wanted)).toBe(`https://id.example/in?return=${back}`)
  expect(loginAddress('https://id.example/in?a=b', wanted)).toBe(`https://id.example/in?a=b&return=${back}`)
  expect(loginAddress('https://id.example/in#top', wanted)).toBe(`https://id.example/in?return=${back}#top`)
})

test('a token says at once who one is, else what is remembered; otherwise the server is asked', () => {
  const [good, over] = [token('bob'), token('bob', -60)]
  const keep = keeping()
  expect(accessAtOnce({ token: good }, keep)?.session).toMatchObject({ sub: 'bob', by: 'token' })
  for (const credentials of [{}, { share: 's' }, { token: over }]) expect(accessAtOnce(credentials, keep)).toBeNull()
  rememberSession(alice, keep)
  expect(accessAtOnce({ share: 's' }, keep)).toEqual({ credentials: { share: 's' }, session: alice })
  expect(accessAtOnce({ apiKey: 'k' }, keep)?.session, 'a key acts for itself').toEqual(GUEST)
})

test('a board opens where the server does not say who one is, and a sign-in that is over is told', () => {
  expect(accessAfter({ share: 's' }, GUEST, null)).toEqual({ credentials: { share: 's' }, session: GUEST })
  expect(accessAfter({}, alice, null).session, 'offline').toEqual(alice)
  expect(accessAfter({}, alice, { session: GUEST, loginUrl: null }).session).toEqual({ ...GUEST, by: 'lapsed' })
  expect(accessAfter({}, GUEST, { session: alice, loginUrl: null }).session).toEqual(alice)
})

test('the browser goes on for a token that has ended only as the same person', () => {
  const standing = { session: alice, loginUrl: null }
  expect(accessAfter({ token: token('alice', -60), share: 's' }, GUEST, standing)).toEqual({ credentials: { share: 's' }, session: alice })
  const bob = { token: token('bob', -60) }
  expect(accessAfter(bob, GUEST, standing)).toMatchObject({ credentials: bob, session: { sub: 'bob' } })
})

test('an invitation is taken out of the address, and read without being used', () => {
  const invite = text({ invite: 'x', name: 'Bob', exp: 1, boards: { plan: 'edit' } })
  const { location, history, shown } = at('/#invite=' + invite)
  expect(takeInvite(location, history)).toEqual({ token: invite, name: 'Bob', board: 'plan' })
  expect(shown.address).toBe('/')
  for (const address of ['/', '/#invite=', '/#token=x', '/?invite=x']) {
    const page = at(address)
    expect(takeInvite(page.location, page.history), address).toBeNull()
  }
  expect(readInvite(text({ name: 'Bob', boards: { a: 'view', b: 'edit' } })).board).toBeNull()
  for (const bad of ['', 'x', 'a.b.c', text({ name: 7, boards: 'plan' })]) expect(readInvite(bad)).toMatchObject({ name: null, board: null })
})

test('what comes back for another window is taken out of the address whole', () => {
  const { location, history, shown } = at('/?renew=7#token=a.b.c')
  expect(takeReturn(location, history)).toEqual({ id: '7', token: 'a.b.c' })
  expect(shown.address).toBe('/')
  expect(takeReturn(at('/?renew=7').location, history)).toEqual({ id: '7', token: null })
  expect(takeReturn(at('/#token=a.b.c').location, history)).toBeNull()
  expect(returnAddress('7', 'https://boards.example')).toBe('https://boards.example/?renew=7')
})

test('only the page around hands in tokens', () => {
  const heard: string[] = []
  const here = Object.assign(new EventTarget(), { parent: {} }) as unknown as Window
  const say = (source: unknown, data: unknown) => here.dispatchEvent(Object.assign(new Event('message'), { source, data }))
  const stop = onHandedToken(given => heard.push(given), here)
  say(here.parent, { type: 'boardwire:token', token: 'good' })
  say({}, { type: 'boardwire:token', token: 'of a sibling' })
  say(here, { type: 'boardwire:token', token: 'of itself' })
  for (const data of [null, 'x', {}, { type: 'boardwire:token' }, { type: 'boardwire:token', token: '' }, { type: 'token', token: 'x' }, { type: 'boardwire:token', token: 7 }]) say(here.parent, data)
  stop()
  say(here.parent, { type: 'boardwire:token', token: 'late' })
  expect(heard).toEqual(['good'])
  const alone = new EventTarget() as unknown as { parent: unknown } & Window
  alone.parent = alone
  onHandedToken(given => heard.push(given), alone)
  alone.dispatchEvent(Object.assign(new Event('message'), { source: alone, data: { type: 'boardwire:token', token: 'x' } }))
  expect(heard).toEqual(['good'])
  expect([isEmbedded('?embed=1'), isEmbedded('?embed=0'), isEmbedded('')]).toEqual([true, false, false])
})
