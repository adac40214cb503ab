import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { Inbox } from './inbox'

/** A document that is shown by something that takes so long, and what it showed. */
function reader (takes: number) {
  const doc = new Y.Doc()
  const shown: Array<Record<string, unknown>> = []
  doc.getMap('m').observe(event => {
    vi.setSystemTime(Date.now() + takes)
    shown.push(event.target.toJSON())
  })
  return { doc, inbox: new Inbox(doc, 'wire'), shown }
}

/** What somebody wrote, update by update. */
function written (...values: number[]): Uint8Array[] {
  const doc = new Y.Doc()
  const updates: Uint8Array[] = []
  doc.on('update', update => { updates.push(update) })
  for (const value of values) doc.getMap('m').set('a', value)
  return updates
}

describe('changes of others', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    vi.spyOn(performance, 'now').mockImplementation(() => Date.now())
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })

  test('are shown one by one while that is quick', () => {
    const { inbox, shown } = reader(1)
    for (const update of written(1, 2, 3)) inbox.take(update)
    expect(shown).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }])
  })

  test('are shown together where they come faster than that takes, and none is passed over at the end', () => {
    const { inbox, shown } = reader(40)
    for (const update of written(1, 2, 3, 4)) inbox.take(update)
    expect(shown).toEqual([{ a: 1 }])
    vi.advanceTimersByTime(19)
    expect(shown).toHaveLength(1)
    vi.advanceTimersByTime(1)
    expect(shown).toEqual([{ a: 1 }, { a: 4 }])
    vi.advanceTimersByTime(1_000)
    expect(shown).toHaveLength(2)
  })

  test('wait in memory up to a bound only', () => {
    const { inbox, shown, doc } = reader(40)
    const other = new Y.Doc()
    const updates: Uint8Array[] = []
    other.on('update', update => { updates.push(update) })
    for (let n = 0; n < 6; n++) other.getMap('m').set(`${n}`, 'x'.repeat(1024 * 1024))
    for (const update of updates) inbox.take(update)
    expect(shown).toHaveLength(2)
    expect(doc.getMap('m').size).toBe(5)
  })

  test('that cannot be read do not take the others with them', () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => {})
    const { inbox, shown } = reader(40)
    const [first, second] = written(1, 2)
    inbox.take(first!)
    inbox.take(new Uint8Array([1, 1, 1]))
    inbox.take(second!)
    inbox.flush()
    expect(shown).toEqual([{ a: 1 }, { a: 2 }])
    expect(said).toHaveBeenCalledOnce()
  })
})
