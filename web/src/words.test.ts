import { expect, test } from 'vitest'
import { ApiProblem } from './api'
import { explain } from './problems'
import { initials, relativeTime } from './words'

const NOW = Date.parse('2026-11-21T12:00:00.000Z')
const SECOND = 1000
const DAY = 86_400 * SECOND

test.each([
  [0, 'just now'],
  [-29 * SECOND, 'just now'],
  [-31 * SECOND, '1 minute ago'],
  [-60 * SECOND, '1 minute ago'],
  [-3569 * SECOND, '59 minutes ago'],
  [-3600 * SECOND, '1 hour ago'],
  [-DAY, 'yesterday'],
  [-8 * DAY, 'last week'],
  [-400 * DAY, 'last year'],
  [29 * SECOND, 'in less than a minute'],
  [DAY - SECOND, 'tomorrow'],
  [3 * DAY, 'in 3 days']
])('%d ms from now reads "%s"', (offset, words) => {
  expect(relativeTime(new Date(NOW + offset).toISOString(), NOW)).toBe(words)
})

test.each([
  ['alice', 'A'], ['Alice Doe', 'AD'], ['alice.b.doe', 'AD'], ['zo\u00eb', 'Z'], ['\u5c71\u7530', '\u5c71'], ['42', '4'], [' - ', '?'], ['', '?']
])('the initials of "%s" are %s', (name, letters) => {
  expect(initials(name)).toBe(letters)
})

test('a problem is told in words', () => {
  expect(explain(new ApiProblem('forbidden', 403, 'no permission on this board'))).toMatch(/owner/)
  expect(explain(new ApiProblem('unheard_of', 503, 'x'))).toMatch(/later/)
  expect(explain(new ApiProblem('invalid_value', 422, 'the title is too long'))).toBe('The title is too long.')
  expect(explain(new TypeError('x'))).toMatch(/Reload/)
})
