import { describe, expect, test } from 'vitest'
import { actorName, createdBy, updatedBy } from './authorship'
import type { RemoteChange } from './binding'
import { awayFrom, CONFLICT_MS, Conflicts } from './changes'
import { geo, page } from './testing'

const byBob = { updated_by: 'user:bob' }

function change (before: RemoteChange['before'], record: RemoteChange['record'], client: number | null = 2): RemoteChange {
  return { id: (record ?? before)!.id, before, record, client }
}

describe('while one was away', () => {
  test('shapes that others made, changed or deleted count', () => {
    expect(awayFrom([
      change(null, geo('new', { meta: byBob })),
      change(geo('moved'), geo('moved', { x: 1, meta: { updated_by: 'key:1' } })),
      change(geo('gone'), null)
    ], 'user:alice')).toEqual({ marks: [{ id: 'shape:new', who: 'bob' }, { id: 'shape:moved', who: 'An agent' }], deleted: 1 })
  })

  test('what one did oneself elsewhere, pages, and what is the same do not', () => {
    expect(awayFrom([
      change(geo('mine'), geo('mine', { x: 1, meta: { updated_by: 'user:alice' } })),
      change(null, page('p')),
      change(geo('same'), geo('same'))
    ], 'user:alice')).toBeNull()
  })

  test('two without a name may be two people', () => {
    expect(awayFrom([change(null, geo('a', { meta: { updated_by: 'anonymous' } }))], 'anonymous')?.marks).toHaveLength(1)
  })
})

describe('at the same shape', () => {
  const name = (_client: number | null, actor: string | null): string => actorName(actor)
  const moved = change(geo('a'), geo('a', { x: 5, meta: byBob }))

  test('a change just after one\'s own is a conflict', () => {
    const conflicts = new Conflicts()
    conflicts.did(['shape:a'], 1000)
    expect(conflicts.seen([moved], new Set(), 1000 + CONFLICT_MS, name)).toEqual({ id: 'shape:a', who: 'bob', text: 'bob moved this too' })
    expect(conflicts.seen([moved], new Set(), 1001 + CONFLICT_MS, name)).toBeNull()
  })

  test('a change to what one holds is one at any time', () => {
    expect(new Conflicts().seen([moved], new Set(['shape:a']), 0, name)?.text).toBe('bob moved this too')
    expect(new Conflicts().seen([moved], new Set(['shape:b']), 0, name)).toBeNull()
  })

  test('it says what was done', () => {
    const seen = (record: RemoteChange['record']) => new Conflicts().seen([change(geo('a'), record)], new Set(['shape:a']), 0, name)?.text
    expect(seen(geo('a', { opacity: 0.5, meta: byBob }))).toBe('bob changed this too')
    expect(seen(geo('a', { meta: byBob }))).toBeUndefined()
    expect(seen(null)).toBe('Somebody else deleted what you were changing.')
  })
})

describe('who did it', () => {
  test('is written into new and changed shapes', () => {
    expect(createdBy(geo('a'), 'user:alice', 'T').meta)
      .toEqual({ item_id: 'a', created_by: 'user:alice', created_at: 'T', updated_by: 'user:alice', updated_at: 'T' })
    expect(updatedBy(geo('a', { meta: { created_by: 'user:bob', created_at: 'S' } }), 'user:alice', 'T').meta)
      .toEqual({ created_by: 'user:bob', created_at: 'S', updated_by: 'user:alice', updated_at: 'T' })
  })

  test('a copy of an item is not the item', () => {
    expect(createdBy(geo('a', { meta: { item_id: 'i', item_type: 'document', request: 'r' } }), 'user:alice', 'T').meta)
      .toEqual({ item_id: 'a', item_type: 'document', created_by: 'user:alice', created_at: 'T', updated_by: 'user:alice', updated_at: 'T' })
  })

  test.each([
    ['user:alice', 'alice'], ['user:a:b', 'a:b'], ['key:1', 'An agent'], ['link:1', 'A guest'], ['anonymous', 'Somebody'], [null, 'Somebody']
  ])('%s reads %s', (actor, words) => {
    expect(actorName(actor)).toBe(words)
  })
})
