import { describe, expect, test } from 'vitest'
import { peopleOf, readPeer, readPeers, tellLaser } from './presence'

const good = {
  user: { id: 'user:alice', name: 'Alice', color: '#00704a' },
  kind: 'person',
  page: 'page:page',
  cursor: { x: 1, y: 2 },
  selection: ['shape:a']
}

const silent = { laser: [], camera: null, following: '', doing: '', message: '' }
const camera = { x: 1, y: -2, z: 0.5, w: 1280, h: 700 }

describe('what another tells', () => {
  test('is read as it is', () => {
    expect(readPeer(7, good)).toEqual({ ...good, ...silent, client: 7 })
    expect(readPeer(7, { ...good, laser: [[1, 2, 3, 4]] })).toEqual({ ...good, ...silent, laser: [[1, 2, 3, 4]], client: 7 })
    expect(readPeer(7, { ...good, camera, following: 'user:bob#9' })).toEqual({ ...good, ...silent, camera, following: 'user:bob#9', client: 7 })
    const told = { kind: 'agent', doing: 'drawing 12 items', message: 'Look here' }
    expect(readPeer(7, { ...good, ...told })).toEqual({ ...good, ...silent, ...told, client: 7 })
  })

  test.each([null, 7, 'x', [], {}, { user: null }, { user: {} }, { user: { id: '' } }, { user: { id: 7 } }])('%j is nobody', state => {
    expect(readPeer(7, state)).toBeNull()
  })

  test.each([
    [{ cursor: { x: 'a', y: 1 } }, { cursor: null }],
    [{ cursor: { x: 1e300, y: 1 } }, { cursor: null }],
    [{ cursor: { x: NaN, y: 1 } }, { cursor: null }],
    [{ cursor: 7 }, { cursor: null }],
    [{ page: 'shape:a' }, { page: 'page:page' }],
    [{ page: 7 }, { page: 'page:page' }],
    [{ kind: 'king' }, { kind: 'person' }],
    [{ selection: 'shape:a' }, { selection: [] }],
    [{ selection: [1, 'page:a', 'shape:b'] }, { selection: ['shape:b'] }],
    [{ laser: 'red' }, { laser: [] }],
    [{ laser: [7, [1], [1, NaN], [1, 1e300], [1, '2'], Array(202).fill(0), [5, 6]].slice(3) }, { laser: [[5, 6]] }],
    [{ laser: Array(500).fill([1, 2]) }, { laser: Array(4).fill([1, 2]) }],
    [{ user: { ...good.user, color: 'red;background:url(//x)' } }, { user: { ...good.user, color: '#5f5f5f' } }],
    [{ user: { ...good.user, name: '' } }, { user: { ...good.user, name: 'alice' } }],
    [{ user: { ...good.user, name: 'a\u202eb\n' } }, { user: { ...good.user, name: 'ab' } }],
    [{ camera: 7 }, {}],
    [{ camera: { ...camera, z: 0 } }, {}],
    [{ camera: { ...camera, z: 1e9 } }, {}],
    [{ camera: { ...camera, x: 1e300 } }, {}],
    [{ camera: { ...camera, w: 0 } }, {}],
    [{ camera: { ...camera, h: '700' } }, {}],
    [{ following: 7 }, {}],
    [{ doing: 7, message: { text: 'x' } }, {}],
    [{ doing: ' a\u202eb\n', message: '<b>\u2028</b>' }, { doing: 'ab', message: '<b></b>' }],
    [{ doing: 'x'.repeat(500), message: '\u{1f600}'.repeat(500) }, { doing: 'x'.repeat(128), message: '\u{1f600}'.repeat(280) }],
    [{ user: { ...good.user, name: 'x'.repeat(500) } }, { user: { ...good.user, name: 'x'.repeat(64) } }]
  ])('%j is made harmless', (part, expected) => {
    expect(readPeer(7, { ...good, ...part })).toEqual({ ...good, ...silent, client: 7, ...expected })
  })

  test('of itself a client hears nothing', () => {
    expect(readPeers(new Map([[1, good], [2, good]]), 1).map(({ client }) => client)).toEqual([2])
  })
})

test('a laser is told as its newest points', () => {
  const stroke = Array.from({ length: 1_000 }, (_, n) => ({ x: n + 0.123, y: -n }))
  const told = tellLaser([[], stroke])
  expect(told[1]).toHaveLength(200)
  expect(told[1]?.slice(-2)).toEqual([999.1, -999])
  // A state has at most 16 KiB.
  expect(JSON.stringify(tellLaser(Array(20).fill(stroke))).length).toBeLessThan(8 * 1024)
  expect(readPeer(7, { ...good, laser: tellLaser([stroke]) })?.laser).toEqual(tellLaser([stroke]))
})

describe('the people', () => {
  const peer = (client: number, id: string, more: object = {}) => readPeer(client, { ...good, user: { ...good.user, id, name: id.slice(5) }, ...more })!

  test('stand once with a count, the tab with a cursor in front, agents last', () => {
    const people = peopleOf([
      peer(1, 'user:zoe', { cursor: null, doing: 'reading' }), peer(2, 'user:bot', { kind: 'agent' }), peer(3, 'user:amy'), peer(4, 'user:zoe')
    ])
    expect(people.map(({ name, tabs, kind, doing, peer }) => [name, tabs, kind, doing, peer.client]))
      .toEqual([['amy', 1, 'person', '', 3], ['zoe', 2, 'person', 'reading', 4], ['bot', 1, 'agent', '', 2]])
  })

  test('are not their agents, which act by their token', () => {
    const known = new Map([1, 2].map(client => [client, { subject: 'user:zoe', name: 'Zoe' }] as const))
    const people = peopleOf([peer(1, 'user:zoe'), peer(2, 'user:zoe', { kind: 'agent' })], known)
    expect(people.map(({ name, kind, verified }) => [name, kind, verified])).toEqual([['Zoe', 'person', 'yes'], ['zoe', 'agent', 'no']])
  })
})
