import { expect, test } from 'vitest'
import { boardPath, parseRoute, publicPath, shareUrl } from './route'

test('the start page', () => {
  expect(parseRoute('/')).toEqual({ name: 'start' })
})

test('a board, by credentials or as everybody', () => {
  expect(parseRoute('/board/plan')).toEqual({ name: 'board', id: 'plan', by: 'credentials' })
  expect(parseRoute('/board/plan/')).toEqual({ name: 'board', id: 'plan', by: 'credentials' })
  expect(parseRoute('/board/plan/public')).toEqual({ name: 'board', id: 'plan', by: 'public' })
  expect(parseRoute('/board/public')).toEqual({ name: 'board', id: 'public', by: 'credentials' })
})

test('a board id is percent-decoded once', () => {
  expect(parseRoute('/board/a%2Db')).toEqual({ name: 'board', id: 'a-b', by: 'credentials' })
  expect(parseRoute('/board/a%252Db')).toEqual({ name: 'unknown' })
})

test('what the server would refuse as a board id is no page', () => {
  for (const path of ['/board/', '/board/.', '/board/..', '/board/a%2Fb', '/board/a%20b', '/board/%', '/board/%E0%A4', '/board/\u00e9']) {
    expect(parseRoute(path), path).toEqual({ name: 'unknown' })
  }
})

test('a board id has 1 to 128 characters', () => {
  expect(parseRoute('/board/' + 'a'.repeat(128)).name).toBe('board')
  expect(parseRoute('/board/' + 'a'.repeat(129)).name).toBe('unknown')
})

test('other paths are no pages', () => {
  for (const path of ['', '/boards', '/board', '/board/plan/private', '/board/plan/public/x', '/x/board/plan']) {
    expect(parseRoute(path), path).toEqual({ name: 'unknown' })
  }
})

test('the paths of a board lead back to it', () => {
  const id = 'A.z_9~-'
  expect(parseRoute(boardPath(id))).toEqual({ name: 'board', id, by: 'credentials' })
  expect(parseRoute(publicPath(id))).toEqual({ name: 'board', id, by: 'public' })
  expect(shareUrl('https://x.example', id, 'bwl_a')).toBe(`https://x.example/board/${id}?share=bwl_a`)
})

test('under a base path every address is the same behind it', () => {
  const base = '/a/wb/'
  for (const path of ['/', '/board/plan', '/board/plan/public', '/boards']) {
    expect(parseRoute('/a/wb' + path, base), path).toEqual(parseRoute(path))
    // Who comes past the proxy has none.
    expect(parseRoute(path, base), path).toEqual(parseRoute(path))
  }
  expect(parseRoute('/a/wb', base)).toEqual({ name: 'start' })
  expect(parseRoute('/a/wbx', base)).toEqual({ name: 'unknown' })
  expect(parseRoute(boardPath('plan', base), base)).toEqual({ name: 'board', id: 'plan', by: 'credentials' })
  expect(boardPath('plan', base)).toBe('/a/wb/board/plan')
})
