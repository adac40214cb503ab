import { describe, expect, test } from 'vitest'
import { createShapeId, type TLRecord, type TLShape } from 'tldraw'
import { geo, newStore } from './testing'
import { ownPart, undoOwnOnly } from './undo'

const empty = { added: {}, updated: {}, removed: {} }

/** What undoing the change from `before` to `after` makes of `now`. */
function undone (before: TLShape, after: TLShape, now: TLShape | undefined): TLRecord | undefined {
  const { updated } = ownPart({ ...empty, updated: { [after.id]: [after, before] } }, () => now)
  return Object.values(updated)[0]?.[1]
}

describe('undoing a move', () => {
  const [before, after] = [geo('a'), geo('a', { x: 10, y: 10 })]

  test('puts the shape back', () => {
    expect(undone(before, after, after)).toEqual(before)
  })

  test('keeps the colour that another gave it since', () => {
    const props = { ...after.props, color: 'red' }
    expect(undone(before, after, { ...after, props } as TLShape)).toEqual({ ...before, props })
  })

  test('does not bring back what another deleted', () => {
    expect(undone(before, after, undefined)).toBeUndefined()
  })

  test('keeps what another wrote into meta', () => {
    expect(undone(before, after, geo('a', { x: 10, y: 10, meta: { item_id: 'i' } }))).toEqual(geo('a', { meta: { item_id: 'i' } }))
  })
})

test('a member that the change brought is taken away again', () => {
  const [before, after] = [geo('a'), geo('a', { meta: { mine: 1 } })]
  expect(undone(before, after, geo('a', { meta: { mine: 1, theirs: 2 } }))).toEqual(geo('a', { meta: { theirs: 2 } }))
})

test('the store applies only the own part, and says so while it does', () => {
  const store = newStore()
  const undo = undoOwnOnly(store)
  const seen: boolean[] = []
  store.sideEffects.registerAfterChangeHandler('shape', () => { seen.push(undo.active) })
  store.put([geo('a', { x: 10, opacity: 0.5 })])
  store.applyDiff({ ...empty, updated: { ['shape:a' as TLShape['id']]: [geo('a', { x: 10 }), geo('a')] } } as never)
  expect(store.get(createShapeId('a'))).toMatchObject({ x: 0, opacity: 0.5 })
  expect(seen).toEqual([true])
  expect(undo.active).toBe(false)
})
