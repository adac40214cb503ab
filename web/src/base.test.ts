import { expect, test } from 'vitest'
import { scoped, serverAddress, under } from './base'

test('our paths are put behind the base path', () => {
  expect(under('/v1/boards', '/')).toBe('/v1/boards')
  expect(under('/v1/boards', '/a/wb/')).toBe('/a/wb/v1/boards')
  expect(under('/', '/wb/')).toBe('/wb/')
})

test('the server as an address has no slash at its end', () => {
  expect(serverAddress('https://x.example', '/')).toBe('https://x.example')
  expect(serverAddress('https://x.example', '/a/wb/')).toBe('https://x.example/a/wb')
})

test('what is kept in the browser belongs to one server of the origin', () => {
  expect(scoped('boardwire', '/')).toBe('boardwire')
  expect(new Set(['/', '/a/', '/b/', '/a/b/'].map(base => scoped('boardwire', base))).size).toBe(4)
})
