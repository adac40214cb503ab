import { expect, test } from 'vitest'
import { ApiProblem } from './api'
import { explain } from './problems'
import { browserWords, initials, relativeTime } from './words'

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

test.each([
  ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36', 'Chrome on Linux'],
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox on Windows'],
  ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1', 'Safari on iPhone'],
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0', 'Edge on Windows'],
  ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36', 'Chrome on Linux'],
  ['curl/8.5.0', 'curl/8.5.0'],
  ['', 'A browser that does not say which'],
  [null, 'A browser that does not say which']
])('the browser %j reads %s', (agent, words) => {
  expect(browserWords(agent)).toBe(words)
})
