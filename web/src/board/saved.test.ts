import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { Unsaved } from './saved'

const WIRE = 'wire'

interface Author { doc: Y.Doc, map: Y.Map<unknown>, unsaved: Unsaved, sent: Uint8Array[] }

function author (doc = new Y.Doc()): Author {
  const unsaved = new Unsaved(doc, ({ origin }) => origin !== WIRE, () => {})
  const sent: Uint8Array[] = []
  doc.on('update', (update, origin) => { if (origin !== WIRE) sent.push(update) })
  return { doc, map: doc.getMap('tldraw'), unsaved, sent }
}

/** As the provider does: heard first, then applied, unless it is known. */
function receive ({ doc, unsaved }: Author, update: Uint8Array): void {
  if (!unsaved.received(update).isKnown) Y.applyUpdate(doc, update, WIRE)
}

describe('what one did', () => {
  test('is pending until it comes back', () => {
    const one = author()
    one.map.set('a', 1)
    expect(one.unsaved.isEmpty).toBe(false)
    receive(one, one.sent[0]!)
    expect(one.unsaved.isEmpty).toBe(true)
  })

  test('is told from changes of others, which are no reason to wait for an echo', () => {
    const one = author()
    const other = author()
    other.map.set('b', 1)
    one.map.set('a', 1)
    expect(one.unsaved.received(other.sent[0]!)).toEqual({ isEcho: false, isKnown: false })
    expect(one.unsaved.received(one.sent[0]!)).toEqual({ isEcho: true, isKnown: true })
  })

  test('is confirmed also by who brings it along with a deletion of their own, which is applied', () => {
    const one = author()
    const other = author()
    one.map.set('a', 1)
    one.map.set('b', 2)
    Y.applyUpdate(other.doc, Y.mergeUpdates(one.sent), WIRE)
    other.map.delete('a')
    const brought = Y.mergeUpdates([...one.sent, ...other.sent])
    receive(one, brought)
    expect(one.unsaved.isEmpty).toBe(true)
    expect(one.map.toJSON()).toEqual({ b: 2 })
  })

  test('is confirmed by one echo of several updates', () => {
    const one = author()
    one.map.set('a', 1)
    one.map.set('b', 2)
    one.map.delete('a')
    receive(one, Y.mergeUpdates(one.sent))
    expect(one.unsaved.isEmpty).toBe(true)
  })

  test('is confirmed bit by bit', () => {
    const one = author()
    one.map.set('a', 1)
    one.map.set('b', 2)
    receive(one, one.sent[0]!)
    expect(one.unsaved.isEmpty).toBe(false)
    receive(one, one.sent[1]!)
    expect(one.unsaved.isEmpty).toBe(true)
  })

  test('is confirmed by what came after it: a client is heard in order', () => {
    const one = author()
    one.map.set('a', 1)
    one.map.set('b', 2)
    receive(one, one.sent[1]!)
    expect(one.unsaved.isEmpty).toBe(true)
  })

  test('is not confirmed by changes of others', () => {
    const one = author()
    const other = author()
    other.map.set('theirs', 1)
    one.map.set('a', 1)
    receive(one, other.sent[0]!)
    expect(one.unsaved.isEmpty).toBe(false)
  })

  test('is not confirmed by what others relay together with their own', () => {
    const one = author()
    const other = author()
    one.map.set('a', 1)
    Y.applyUpdate(other.doc, one.sent[0]!, WIRE)
    other.map.set('b', 2)
    receive(one, Y.encodeStateAsUpdate(other.doc))
    expect(one.unsaved.isEmpty).toBe(false)
  })

  test('what came over the wire is not pending', () => {
    const [one, other] = [author(), author()]
    other.map.set('a', 1)
    receive(one, other.sent[0]!)
    expect(one.unsaved.isEmpty).toBe(true)
  })
})

describe('deletions', () => {
  test('are pending until they come back', () => {
    const one = author()
    one.map.set('a', 1)
    receive(one, one.sent[0]!)
    one.map.delete('a')
    expect(one.unsaved.isEmpty).toBe(false)
    receive(one, one.sent[1]!)
    expect(one.unsaved.isEmpty).toBe(true)
  })

  test('of something else do not confirm them', () => {
    const one = author()
    one.map.set('a', 1)
    one.map.set('b', 1)
    receive(one, Y.mergeUpdates(one.sent))
    const other = author()
    Y.applyUpdate(other.doc, Y.encodeStateAsUpdate(one.doc), WIRE)
    one.map.delete('a')
    other.map.delete('b')
    receive(one, other.sent[0]!)
    expect(one.unsaved.isEmpty).toBe(false)
  })
})

describe('after a connect', () => {
  test('what the server lacks of earlier visits is pending', () => {
    const earlier = author()
    earlier.map.set('known', 1)
    const server = new Y.Doc()
    Y.applyUpdate(server, Y.encodeStateAsUpdate(earlier.doc))
    earlier.map.set('offline', 1)
    const one = author()
    Y.applyUpdate(one.doc, Y.encodeStateAsUpdate(earlier.doc), WIRE)
    expect(one.unsaved.isEmpty).toBe(true)
    one.unsaved.serverHas(Y.encodeStateVector(server))
    expect(one.unsaved.isEmpty).toBe(false)
    receive(one, Y.encodeStateAsUpdate(one.doc, Y.encodeStateVector(server)))
    expect(one.unsaved.isEmpty).toBe(true)
  })

  test('what was deleted offline is pending', () => {
    const server = author()
    server.map.set('a', 1)
    const one = author()
    Y.applyUpdate(one.doc, Y.encodeStateAsUpdate(server.doc), WIRE)
    one.doc.transact(() => one.map.delete('a'), WIRE)
    one.unsaved.serverHas(Y.encodeStateVector(server.doc))
    expect(one.unsaved.isEmpty).toBe(true)
    one.unsaved.serverDeleted(Y.encodeStateAsUpdate(server.doc))
    expect(one.unsaved.isEmpty).toBe(false)
  })

  test('what the server has and has deleted is not', () => {
    const server = author()
    server.map.set('a', 1)
    server.map.delete('a')
    const one = author()
    Y.applyUpdate(one.doc, Y.encodeStateAsUpdate(server.doc), WIRE)
    one.unsaved.serverHas(Y.encodeStateVector(server.doc))
    one.unsaved.serverDeleted(Y.encodeStateAsUpdate(server.doc))
    expect(one.unsaved.isEmpty).toBe(true)
  })

  test('what was sent and not echoed can be asked for again, and later changes stay pending', () => {
    const one = author()
    one.map.set('a', 1)
    one.map.delete('a')
    one.unsaved.serverHas(Y.encodeStateVector(one.doc))
    const { update, confirmed } = one.unsaved.again()
    const other = new Y.Doc()
    Y.applyUpdate(other, update)
    expect(Y.encodeStateVector(other)).toEqual(Y.encodeStateVector(one.doc))
    one.map.set('later', 1)
    confirmed()
    expect(one.unsaved.isEmpty).toBe(false)
    receive(one, one.sent[2]!)
    expect(one.unsaved.isEmpty).toBe(true)
  })
})

test('changes are counted by record, until all is saved', () => {
  const one = author()
  one.map.set('a', 1)
  one.unsaved.name(['a'])
  one.map.set('a', 2)
  one.map.set('b', 1)
  one.unsaved.name(['a', 'b'])
  expect(one.unsaved.count).toBe(2)
  receive(one, Y.mergeUpdates(one.sent))
  expect(one.unsaved.count).toBe(0)
})
