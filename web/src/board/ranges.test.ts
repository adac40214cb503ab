import { describe, expect, test } from 'vitest'
import { IdSet } from './ranges'

function setOf (...ranges: ReadonlyArray<readonly [number, number]>): IdSet {
  const set = new IdSet()
  for (const [start, end] of ranges) set.add(1, start, end)
  return set
}

const spans = (set: IdSet): Array<readonly [number, number]> => [...set.ranges()].map(([, start, end]) => [start, end])

describe('a set of ids', () => {
  test('joins what touches and keeps apart what does not', () => {
    expect(spans(setOf([0, 2], [2, 4], [6, 8]))).toEqual([[0, 4], [6, 8]])
    expect(spans(setOf([6, 8], [0, 2], [1, 7]))).toEqual([[0, 8]])
  })

  test('loses a part, a middle, or all', () => {
    const set = setOf([0, 10])
    set.remove(1, 3, 5)
    expect(spans(set)).toEqual([[0, 3], [5, 10]])
    set.remove(1, 0, 4)
    expect(spans(set)).toEqual([[5, 10]])
    set.remove(2, 0, 100)
    expect(set.isEmpty).toBe(false)
    set.remove(1, 0, 100)
    expect(set.isEmpty).toBe(true)
  })

  test('covers what lies within one range', () => {
    const set = setOf([2, 5])
    expect(set.covers(1, 2, 5)).toBe(true)
    expect(set.covers(1, 1, 3)).toBe(false)
    expect(set.covers(2, 2, 3)).toBe(false)
  })

  test('agrees with a plain set of numbers', () => {
    let seed = 7
    const random = (below: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % below
    const set = new IdSet()
    const plain = new Set<number>()
    for (let n = 0; n < 500; n++) {
      const start = random(60)
      const end = start + random(12)
      const isAdded = random(2) === 0
      if (isAdded) set.add(1, start, end)
      else set.remove(1, start, end)
      for (let clock = start; clock < end; clock++) {
        if (isAdded) plain.add(clock)
        else plain.delete(clock)
      }
      const listed = spans(set).flatMap(([from, to]) => Array.from({ length: to - from }, (_, offset) => from + offset))
      expect(listed).toEqual([...plain].sort((one, other) => one - other))
    }
  })
})
