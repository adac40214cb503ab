import { expect, test } from 'vitest'
import { createQueue } from './queue'

test('so much is done at a time, in order, and what nobody wants any more is not begun', async () => {
  const queue = createQueue(2)
  const begun: number[] = []
  const ends: Array<() => void> = []
  const wanted = new AbortController().signal
  const unwanted = new AbortController()
  const work = (n: number) => async () => {
    begun.push(n)
    await new Promise<void>(resolve => ends.push(resolve))
    return n
  }
  const done = [queue(work(1), wanted), queue(work(2), wanted), queue(work(3), unwanted.signal), queue(work(4), wanted)]
  const refused = expect(done[2]).rejects.toThrow()
  await Promise.resolve()
  expect(begun).toEqual([1, 2])
  unwanted.abort()
  ends[0]?.()
  expect(await done[0]).toBe(1)
  await refused
  await new Promise(resolve => setTimeout(resolve))
  expect(begun).toEqual([1, 2, 4])
  for (const end of ends) end()
  expect(await Promise.all([done[1], done[3]])).toEqual([2, 4])
})

test('work that fails makes room for the next', async () => {
  const queue = createQueue(1)
  const { signal } = new AbortController()
  await expect(queue(async () => { throw new Error('no') }, signal)).rejects.toThrow('no')
  expect(await queue(async () => 'next', signal)).toBe('next')
})
