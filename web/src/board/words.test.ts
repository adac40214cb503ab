import { describe, expect, test } from 'vitest'
import { awayWords } from './AwayChip'
import type { ConnectionState } from './connection'
import { fileName, isLinkable, isLocal } from './external'
import { COLORS, colorOf, identityOf } from './identity'
import { indicatorWords } from './Indicator'
import { safeLink } from './links'
import { readPreferences } from './preferences'
import { storageName } from './storage'
import { isThere, verdict, verdictOf, verdictOfRefusal, verdictOfStatus, type Sent, type Verdict } from './verdict'

const state: ConnectionState = {
  link: 'connected', level: 'edit', title: null, owner: null, saving: 'saved', waiting: 0, verdict: null, open: true, loaded: true
}

test.each<[Partial<ConnectionState>, string]>([
  [{}, 'Saved'],
  [{ saving: 'saving', waiting: 1 }, 'Saving'],
  [{ level: 'view' }, 'Connected'],
  [{ link: 'opening' }, 'Connecting'],
  [{ link: 'reconnecting' }, 'Reconnecting'],
  [{ link: 'offline', lapsed: true }, 'Signed out'],
  [{ link: 'offline', lapsed: true, saving: 'waiting', waiting: 2 }, 'Signed out, 2 changes waiting'],
  [{ link: 'offline', saving: 'waiting', waiting: 1 }, 'Offline, 1 change waiting'],
  [{ link: 'reconnecting', saving: 'waiting', waiting: 3 }, 'Reconnecting, 3 changes waiting'],
  [{ level: 'view', saving: 'refused', waiting: 3 }, 'Not saved']
])('the indicator for %j reads %s', (part, words) => {
  expect(indicatorWords({ ...state, ...part }).short).toBe(words)
})

test('offline never reads as saved while something waits', () => {
  expect(indicatorWords({ ...state, link: 'offline', saving: 'waiting', waiting: 2 }).long).not.toContain('Everything is saved')
})

test('what is not saved says why', () => {
  expect(indicatorWords({ ...state, saving: 'refused' }).long).toBe('Not saved: you may only view this board.')
  expect(indicatorWords({ ...state, saving: 'refused', verdict: verdictOf(4013, '') }).long).toBe('Not saved: This board is full.')
})

test('what costs too much is not called a full board, and says what becomes of the changes', () => {
  const verdict = verdictOf(4013, 'update costs too much work')
  expect(verdict?.title).not.toContain('full')
  for (const words of ['kept in this browser', 'cannot be said', 'another board']) expect(verdict?.text).toContain(words)
  expect(indicatorWords({ ...state, saving: 'refused', verdict }).long).toBe('Not saved: The server does not take your last changes.')
})

test.each([
  [1, 0, '1 change while you were away'],
  [2, 1, '3 changes while you were away, 1 deleted'],
  [0, 2, '2 changes while you were away, all deleted']
])('%i changed and %i deleted reads %s', (changed, deleted, words) => {
  expect(awayWords(changed, deleted)).toBe(words)
})

describe('close codes', () => {
  test.each([
    [4001, 'credential expired or revoked', 'credential'], [4401, '', 'credential'], [4003, '', 'forbidden'], [4403, '', 'forbidden'],
    [4003, 'agent_paused: the board\'s owner paused this key', 'paused'],
    [4004, 'board deleted', 'deleted'], [4004, 'no such board', 'missing'], [4404, '', 'missing'], [4013, '', 'full'], [4413, '', 'full'],
    [4013, 'update costs too much work', 'costly'], [4413, 'update costs too much work', 'costly'], [4413, 'message too large', 'broken'],
    [1007, '', 'broken'], [1009, '', 'broken'], [1002, '', 'broken'], [1003, '', 'broken'], [4400, '', 'broken']
  ])('%i "%s" ends it: %s', (code, reason, kind) => {
    expect(verdictOf(code, reason)?.kind).toBe(kind)
  })

  test.each([1000, 1001, 1006, 1011, 1012, 1013, 4503])('%i comes back', code => {
    expect(verdictOf(code, '')).toBeNull()
  })

  test.each([[401, 'credential'], [403, 'forbidden'], [410, 'deleted'], [503, undefined]])('HTTP %i is %s', (status, kind) => {
    expect(verdictOfStatus(status)?.kind).toBe(kind)
  })
})

describe('why a board does not open', () => {
  // As the server says it: the close reasons and problem codes of docs/protocol.md.
  test.each<[Sent, string, string, Verdict['kind']]>([
    ['nothing', 'authentication required', 'unauthenticated', 'signin'],
    ['token', 'credential expired or revoked', 'expired_credential', 'expired'],
    ['session', 'credential expired or revoked', 'invalid_credential', 'revoked'],
    ['session', 'authentication required', 'unauthenticated', 'revoked'],
    ['token', 'invalid credential', 'invalid_credential', 'token'],
    ['link', 'credential expired or revoked', 'expired_credential', 'credential'],
    ['link', 'invalid credential', 'invalid_credential', 'credential']
  ])('with %s, "%s" is told in words of its own', (sent, reason, code, kind) => {
    expect(verdictOf(4001, reason, sent)?.kind).toBe(kind)
    expect(verdictOf(4401, reason, sent)?.kind).toBe(kind)
    expect(verdictOfStatus(401, code, sent)?.kind).toBe(kind)
  })

  test('no two reasons read alike, and only a link is called one', () => {
    const kinds = ['signin', 'expired', 'revoked', 'token', 'credential', 'forbidden', 'paused', 'missing', 'deleted', 'origin', 'blocked'] as const
    const titles = kinds.map(kind => verdict(kind).title)
    expect(new Set(titles).size).toBe(kinds.length)
    expect(titles.filter(title => title.includes('link'))).toEqual([verdict('credential').title])
  })

  test.each([
    [403, 'origin_refused', 'origin'], [405, 'method_not_allowed', 'blocked'], [404, 'unexpected_answer', 'blocked'], [426, 'upgrade_required', 'blocked'],
    [401, 'unauthenticated', 'signin'], [403, 'forbidden', 'forbidden'], [403, 'agent_paused', 'paused'], [410, 'board_deleted', 'deleted'],
    [429, 'too_many_connections', undefined], [503, 'shutting_down', undefined], [502, 'unexpected_answer', undefined], [0, 'unreachable', undefined]
  ])('a WebSocket that does not open and HTTP %i %s is %s', (status, code, kind) => {
    expect(verdictOfRefusal(status, code, 'nothing')?.kind).toBe(kind)
  })

  test('what is gone is not shared', () => {
    for (const kind of ['deleted', 'missing', 'forbidden', 'paused', 'expired', 'revoked', 'token', 'signin', 'credential'] as const) expect(isThere(verdict(kind)), kind).toBe(false)
    for (const kind of ['full', 'costly', 'broken'] as const) expect(isThere(verdict(kind)), kind).toBe(true)
    expect(isThere(null)).toBe(true)
  })
})

test('only this server is asked for images', () => {
  const origin = 'https://boards.example'
  for (const src of ['data:image/png;base64,', 'blob:https://boards.example/1', '/logo.png', 'https://boards.example/a.png']) {
    expect(isLocal(src, origin)).toBe(true)
  }
  for (const src of ['https://other.example/a.png', '//other.example/a.png', 'http://boards.example/a.png', 'ftp://x', 'https://']) {
    expect(isLocal(src, origin)).toBe(false)
  }
  expect(isLinkable('https://x.example')).toBe(true)
  expect(isLinkable('javascript:alert(1)')).toBe(false)
})

test('a link on a board opens addresses of the web and of people, and signs nobody in', () => {
  const here = 'https://boards.example/board/plan'
  for (const [address, safe] of [
    ['https://x.example/?token=t', 'https://x.example/?token=t'],
    ['mailto:a@b.example', 'mailto:a@b.example'],
    ['', ''],
    ['/board/b?share=s', '/board/b?share=s'],
    ['/board/b?token=a.b.c', 'https://boards.example/board/b'],
    ['?token=a.b.c', 'https://boards.example/board/plan']
  ] as const) expect(safeLink(address, here), address).toBe(safe)
  for (const address of ['javascript:alert(1)', ' JavaScript:alert(1)', 'java\nscript:alert(1)', 'data:text/html,x', 'blob:https://boards.example/1', 'file:///etc/passwd', 'vbscript:x', 'https://']) {
    expect(safeLink(address, here), address).toBeNull()
  }
})

test('an image is saved under the ending of what it is, whatever it is called', () => {
  const png = 'data:image/png;base64,AA'
  for (const [name, saved] of [
    ['cat.png', 'cat.png'], ['page.html', 'page.png'], ['setup.exe.', 'setup exe.png'], ['../../.bashrc', 'image.png'],
    ['a\u202egnp.exe', 'a gnp.png'], ['', 'image.png'], ['\u732b.jpeg', '\u732b.png'], ['x'.repeat(300), `${'x'.repeat(80)}.png`]
  ] as const) expect(fileName(name, png), name).toBe(saved)
  expect(fileName('a', 'data:image/svg+xml,<svg/>')).toBe('a.svg')
  for (const src of ['data:text/html,<script>', 'data:image/html,x', 'data:,x', '/v1/boards/b/document', 'https://x.example/a.png', 'data:image/constructor;base64,']) {
    expect(fileName('a', src), src).toBeNull()
  }
})

test('everybody has a copy of their own', () => {
  const names = [
    storageName('b', 'alice', {}), storageName('b', 'bob', {}), storageName('b', null, { share: 'one' }),
    storageName('b', null, { share: 'two' }), storageName('b', null, {}), storageName('c', 'alice', {})
  ]
  expect(new Set(names).size).toBe(names.length)
  expect(storageName('b', null, { share: 'secret' })).not.toContain('secret')
})

test('a colour belongs to a person', () => {
  expect(colorOf('user:alice')).toBe(colorOf('user:alice'))
  expect(COLORS).toContain(colorOf('user:bob'))
  const session = { sub: null, name: 'Guest', admin: false, expires: null, by: null }
  expect(identityOf(session, 'tab')).toMatchObject({ id: 'guest:tab', name: 'Guest', actor: 'anonymous' })
  expect(identityOf(session, 'tab', 'Mia').name).toBe('Mia')
  expect(identityOf({ ...session, sub: 'alice', name: 'Alice' }, 'tab', 'Mia').name, 'who is signed in stays who they are').toBe('Alice')
})

test.each([null, '', 'x', '7', '[1', 'null'])('preferences kept as %j are the defaults', kept => {
  expect(readPreferences({ getItem: () => kept })).toEqual({ colorScheme: 'system' })
})
