import { expect, test } from 'vitest'
import { along, lengthOf, someOf } from './glide'

const way = [{ x: 0, y: 0 }, { x: 100, y: -40 }, { x: 100, y: 60 }]

test('a cursor begins where it is, passes each place and stays at the last', () => {
  expect([-5, 0, 450, 900, 1e9].map(ms => along(way, ms))).toEqual([way[0], way[0], way[1], way[2], way[2]])
  const between = along(way, 200)
  expect(between.x).toBeGreaterThan(50)
  expect(between.x).toBeLessThan(100)
  expect(between.y).toBeCloseTo(-0.4 * between.x)
})

test('a way of many places takes no longer than the agent is shown', () => {
  expect(lengthOf(way)).toBe(900)
  expect(lengthOf(Array(50).fill(way[0]))).toBe(2_400)
})

test('a way to where the cursor is, and one without places, are no trouble', () => {
  expect(along([way[1]!], 7)).toEqual(way[1])
  expect(along([], 7)).toEqual({ x: 0, y: 0 })
})

test('some of many are the first and others, evenly', () => {
  expect(someOf([1, 2, 3], 3)).toEqual([1, 2, 3])
  expect(someOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 4)).toEqual([0, 2, 5, 7])
  expect(someOf([], 4)).toEqual([])
})
