import { expect, test } from 'vitest'
import { visitorsOf } from './visitors'

test('whoever did anything on a board is offered once, the last first, but not its owner, keys, or who was refused', () => {
  const entry = (actor: string, action = 'board.access') => ({ actor, action })
  expect(visitorsOf([
    entry('user:bob'), entry('user:alice'), entry('key:k'), entry('link:l'), entry('anonymous'), entry('user:a:b'),
    entry('user:mallory', 'access.denied'), entry('user:bob', 'board.update')
  ], 'alice')).toEqual(['bob', 'a:b'])
})
