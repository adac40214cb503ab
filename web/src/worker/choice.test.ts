import { expect, test } from 'vitest'
import { choose, isAway, isKeepable } from './choice'

const ORIGIN = 'https://boards.example'

function chosen (path: string, mode = 'cors', method = 'GET') {
  return choose({ method, mode, url: new URL(path, ORIGIN).href }, ORIGIN)
}

test('pages go to the network first', () => {
  expect(chosen('/', 'navigate')).toBe('page')
  expect(chosen('/board/plan', 'navigate')).toBe('page')
  expect(chosen('/board/plan/public', 'navigate')).toBe('page')
  expect(chosen('/board/plan?token=secret', 'navigate')).toBe('page')
})

test('hashed files are kept', () => {
  expect(chosen('/assets/index-Ab12Cd34.js')).toBe('asset')
  expect(chosen('/assets/index-Ab12Cd34.js', 'no-cors')).toBe('asset')
})

test('an address with a query is never kept', () => {
  expect(chosen('/assets/index-Ab12Cd34.js?token=secret')).toBe('leave')
})

test('the server speaks for itself', () => {
  for (const path of ['/v1/boards', '/v1/boards/plan/items', '/ws/canvas/plan', '/health', '/metrics', '/sw.js', '/favicon.svg']) {
    expect(chosen(path), path).toBe('leave')
    expect(chosen(path, 'navigate'), path).toBe('leave')
  }
})

test('other origins and other methods are left alone', () => {
  expect(chosen('https://elsewhere.example/assets/a-1.js')).toBe('leave')
  expect(chosen('https://elsewhere.example/', 'navigate')).toBe('leave')
  expect(chosen('http://boards.example/assets/a-1.js')).toBe('leave')
  expect(chosen('/assets/a-1.js', 'cors', 'HEAD')).toBe('leave')
  expect(chosen('/', 'navigate', 'POST')).toBe('leave')
})

test('a page that is fetched by a script is no navigation', () => {
  expect(chosen('/')).toBe('leave')
  expect(chosen('/board/plan')).toBe('leave')
})

test('a path that only begins like ours is left alone', () => {
  expect(chosen('/boards', 'navigate')).toBe('leave')
  expect(chosen('/assetsx/a-1.js')).toBe('leave')
  expect(chosen('/board/../v1/boards', 'navigate')).toBe('leave')
})

test('only answers of a proxy count as away', () => {
  expect([200, 401, 404, 500, 502, 503, 504].filter(isAway)).toEqual([502, 503, 504])
})

test('only whole answers of our own are kept', () => {
  const kept = { status: 200, type: 'basic', redirected: false } as const
  expect(isKeepable(kept)).toBe(true)
  expect(isKeepable({ ...kept, status: 206 })).toBe(false)
  expect(isKeepable({ ...kept, status: 404 })).toBe(false)
  expect(isKeepable({ ...kept, type: 'opaque' })).toBe(false)
  expect(isKeepable({ ...kept, redirected: true })).toBe(false)
})

test('only what is under the own base path is touched', () => {
  const under = (path: string, mode = 'navigate') =>
    choose({ method: 'GET', mode, url: new URL(path, ORIGIN).href }, ORIGIN + '/wb/')
  expect(under('/wb/')).toBe('page')
  expect(under('/wb/board/plan')).toBe('page')
  expect(under('/wb/assets/a-1.js', 'cors')).toBe('asset')
  for (const path of ['/', '/board/plan', '/wbx/board/plan', '/other/', '/wb/v1/boards']) expect(under(path), path).toBe('leave')
  expect(under('/assets/a-1.js', 'cors')).toBe('leave')
})
