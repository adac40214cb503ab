import { expect, test } from 'vitest'
import type { TLRecord } from 'tldraw'
import { byNearness, company, isUnder } from './arrival'
import { arrow, binding, frame, geo } from './testing'

const sight = { page: 'page:page', x: 0, y: 0, w: 1000, h: 800 }

function board (...records: TLRecord[]) {
  const all = new Map<string, TLRecord>(records.map(record => [record.id, record]))
  return { ids: [...all.keys()], lookup: (id: string) => all.get(id) ?? null }
}

test('what is in view comes first, then near by near, other pages and what has no place last', () => {
  const { ids, lookup } = board(
    binding('b', 'a', 'near'), geo('elsewhere', { parentId: 'page:other' as never }), geo('far', { x: 9000 }), geo('near', { x: 1200 }),
    geo('in', { x: 500, y: 500 }), geo('edge', { x: -90, y: 0 })
  )
  const { order, inView } = byNearness(ids, lookup, sight)
  expect(order).toEqual(['shape:in', 'shape:edge', 'shape:near', 'shape:far', 'shape:elsewhere', 'binding:b'])
  expect(inView).toBe(2)
})

test('a child is where its parents put it, and a circle of parents ends', () => {
  const { ids, lookup } = board(
    frame('frame', { x: 5000 }), geo('child', { x: 10, parentId: 'shape:frame' as never }), frame('round', { parentId: 'shape:round' as never })
  )
  const { order, inView } = byNearness(ids, lookup, sight)
  expect(inView).toBe(0)
  expect(order.slice(0, 2)).toEqual(['shape:frame', 'shape:child'])
})

test('a record brings those it needs that wait, and an arrow what it is bound to', () => {
  const { lookup } = board(frame('frame'), geo('end', { parentId: 'shape:frame' as never }), arrow('arrow'), binding('b', 'arrow', 'end'), geo('other'))
  const leaning = (id: string) => id === 'shape:arrow' || id === 'shape:end' ? ['binding:b'] : id === 'shape:frame' ? ['shape:end'] : []
  expect([...company('shape:arrow', () => true, lookup, leaning)].sort()).toEqual(['binding:b', 'page:page', 'shape:arrow', 'shape:end', 'shape:frame'].sort())
  expect([...company('shape:frame', () => true, lookup, leaning)]).toEqual(['shape:frame', 'page:page'])
  expect([...company('shape:arrow', () => false, lookup, leaning)]).toEqual(['shape:arrow'])
})

test('what is under a page or a frame is known by all that is above it', () => {
  const { lookup } = board(frame('frame'), geo('child', { parentId: 'shape:frame' as never }))
  expect(isUnder('shape:child', new Set(['page:page']), lookup)).toBe(true)
  expect(isUnder('shape:child', new Set(['shape:frame']), lookup)).toBe(true)
  expect(isUnder('shape:frame', new Set(['shape:frame']), lookup)).toBe(false)
})
