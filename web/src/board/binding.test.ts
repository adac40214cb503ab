import { describe, expect, test, vi } from 'vitest'
import { createShapeId, type TLStore } from 'tldraw'
import * as Y from 'yjs'
import { Binding, type BindingOptions, type RemoteChange } from './binding'
import { arrow, binding, docWith, documentOf, exchange, frame, geo, imageAsset, newStore, page } from './testing'

interface Side { store: TLStore, doc: Y.Doc, binding: Binding, map: Y.Map<unknown> }

function side (doc = new Y.Doc(), options: Partial<BindingOptions> = {}): Side {
  const store = newStore()
  return { store, doc, binding: new Binding({ store, doc, writable: () => true, ...options }), map: doc.getMap('tldraw') }
}

/** What goes over the wire while `act` runs and is written. */
function updatesOf ({ doc, binding }: Side, act: () => void): Uint8Array[] {
  const updates: Uint8Array[] = []
  const note = (update: Uint8Array): void => { updates.push(update) }
  doc.on('update', note)
  act()
  binding.flush()
  doc.off('update', note)
  return updates
}

describe('both ways', () => {
  test('what is drawn here is in the map, in one update', () => {
    const one = side()
    const updates = updatesOf(one, () => one.store.put([geo('a'), geo('b')]))
    expect(updates).toHaveLength(1)
    expect(one.map.get('shape:a')).toEqual(geo('a'))
  })

  test('what others draw is in the store', () => {
    const one = side()
    one.doc.transact(() => one.map.set('shape:a', geo('a')), 'wire')
    expect(one.store.get(createShapeId('a'))).toEqual(geo('a'))
    one.doc.transact(() => one.map.delete('shape:a'), 'wire')
    expect(one.store.get(createShapeId('a'))).toBeUndefined()
  })

  test('nothing echoes', () => {
    const [one, other] = [side(), side()]
    updatesOf(one, () => one.store.put([geo('a')]))
    const answers = updatesOf(other, () => exchange(one.doc, other.doc))
    // The one update is what was applied; the store's change brings no second.
    expect(answers).toHaveLength(1)
    expect(updatesOf(one, () => exchange(other.doc, one.doc))).toHaveLength(0)
    expect(documentOf(one.store)).toEqual(documentOf(other.store))
  })

  test('opening writes nothing', () => {
    const doc = docWith(geo('a'))
    const before = Y.encodeStateVector(doc)
    const one = side(doc)
    one.binding.flush()
    expect(Y.encodeStateVector(doc)).toEqual(before)
  })

  test('a page that may not write does not', () => {
    const one = side(new Y.Doc(), { writable: () => false })
    expect(updatesOf(one, () => one.store.put([geo('a')]))).toHaveLength(0)
  })

  test('what was not written is taken back', () => {
    let writable = true
    const one = side(docWith(geo('a')), { writable: () => writable })
    one.store.put([geo('a', { x: 5 }), geo('b')])
    writable = false
    one.binding.revert()
    expect(one.store.get(createShapeId('a'))).toEqual(geo('a'))
    expect(one.store.has(createShapeId('b'))).toBe(false)
  })

  test('a member without value is not written, as JSON has none', () => {
    const one = side()
    updatesOf(one, () => one.store.put([imageAsset('i', 'data:,')]))
    expect(one.map.get('asset:i')).toHaveProperty('props.src')
    expect(one.map.get('asset:i')).not.toHaveProperty('props.fileSize')
  })

  test('it is told who changed what, and not of oneself', () => {
    const told: RemoteChange[] = []
    const one = side(docWith(geo('a')), { onRemote: changes => told.push(...changes) })
    updatesOf(one, () => one.store.put([geo('b')]))
    expect(told).toEqual([])
    const other = new Y.Doc()
    exchange(one.doc, other)
    other.getMap('tldraw').set('shape:a', geo('a', { x: 7 }))
    exchange(other, one.doc)
    expect(told).toMatchObject([{ id: 'shape:a', client: other.clientID, before: { x: 0 }, record: { x: 7 } }])
  })
})

describe('a new board', () => {
  test('gets its document and page with the first change', () => {
    const one = side()
    updatesOf(one, () => one.store.put([geo('a')]))
    expect([...one.map.keys()].sort()).toEqual(['document:document', 'page:page', 'shape:a'])
  })

  test('made by two at once is one board', () => {
    const [one, other] = [side(), side()]
    updatesOf(one, () => one.store.put([geo('a')]))
    updatesOf(other, () => other.store.put([geo('b')]))
    exchange(one.doc, other.doc)
    expect(documentOf(one.store)).toEqual(documentOf(other.store))
    expect(Object.keys(documentOf(one.store)).sort()).toEqual(['document:document', 'page:page', 'shape:a', 'shape:b'])
    expect(one.map.toJSON()).toEqual(other.map.toJSON())
  })

  test('shows what agents draw on the default page before there is one', () => {
    const one = side(docWith(geo('a')))
    expect(one.store.get(createShapeId('a'))).toEqual(geo('a'))
  })

  test('with a page of another name shows no second one', () => {
    const one = side(docWith(page('mine')))
    expect(one.store.query.ids('page').get()).toEqual(new Set(['page:mine']))
  })
})

describe('values that are no records of this page', () => {
  const strange: Record<string, unknown> = {
    'shape:text': 'text',
    'shape:number': 7,
    'shape:null': null,
    'shape:list': [],
    'shape:empty': {},
    'shape:unknown': geo('unknown', { type: 'hologram' } as never),
    'shape:wrong': geo('right'),
    'shape:huge': geo('huge', { x: 1e300 }),
    'shape:newer': geo('newer', { props: { ...geo('newer').props, future: 1 } } as never),
    'shape:stroke': geo('stroke', {
      type: 'draw',
      props: {
        color: 'black', fill: 'none', dash: 'draw', size: 'm', segments: [{ type: 'free', points: [] }], isComplete: true,
        isClosed: false, isPen: false, scale: 1
      }
    } as never),
    'page:broken': { typeName: 'page', id: 'page:broken' },
    'camera:page:page': { typeName: 'camera', id: 'camera:page:page', x: 0, y: 0, z: 1, meta: {} },
    'toString': { typeName: 'toString', id: 'toString' }
  }

  test('are neither shown nor touched, and hide nothing else', () => {
    const doc = docWith(geo('a'))
    const map = doc.getMap('tldraw')
    for (const [key, value] of Object.entries(strange)) map.set(key, value)
    map.set('shape:type', new Y.Map())
    const one = side(doc)
    expect(Object.keys(documentOf(one.store)).sort()).toEqual(['document:document', 'page:page', 'shape:a'])
    expect(Object.keys(one.binding.hidden())).toHaveLength(Object.keys(strange).length + 1)
    updatesOf(one, () => one.store.put([geo('b')]))
    expect(map.get('shape:newer')).toEqual(strange['shape:newer'])
    expect(map.size).toBe(Object.keys(strange).length + 5)
  })

  test('that come while one draws do no harm', () => {
    const one = side(docWith(geo('a')))
    for (const [key, value] of Object.entries(strange)) one.doc.transact(() => one.map.set(key, value), 'wire')
    one.doc.transact(() => one.map.set('shape:a', { broken: true }), 'wire')
    expect(one.store.has(createShapeId('a'))).toBe(false)
    one.doc.transact(() => one.map.set('shape:a', geo('a')), 'wire')
    expect(one.store.has(createShapeId('a'))).toBe(true)
  })

  test('are counted aloud, whoever wrote them, and can be had', () => {
    const told: number[] = []
    const one = side(docWith({ ...geo('first'), x: 1e300 } as never), { onHidden: count => told.push(count) })
    expect(told).toEqual([1])
    // By this page itself, past the editor.
    one.doc.transact(() => one.map.set('shape:second', 7), one.binding)
    one.doc.transact(() => one.map.set('shape:third', new Y.Map([['x', 1]])), 'wire')
    expect(told).toEqual([1, 2, 3])
    expect(one.binding.hidden()).toMatchObject({ 'shape:first': { x: 1e300 }, 'shape:second': 7, 'shape:third': { x: 1 } })
    one.doc.transact(() => one.map.delete('shape:first'), 'wire')
    expect(told).toEqual([1, 2, 3, 2])
  })

  test('a record that makes the store throw is left out alone', () => {
    const one = side()
    const { put } = one.store
    one.store.put = (records, phase) => {
      if (records.some(({ id }) => id === 'shape:bad')) throw new Error('cannot')
      put.call(one.store, records, phase)
    }
    one.doc.transact(() => {
      for (const name of ['a', 'bad', 'b']) one.map.set(`shape:${name}`, geo(name))
    }, 'wire')
    expect(one.store.query.ids('shape').get()).toEqual(new Set(['shape:a', 'shape:b']))
    expect(Object.keys(one.binding.hidden())).toHaveLength(1)
  })

  test('a shape that cannot be drawn is taken out again', () => {
    const one = side(docWith(geo('a'), geo('bad')), { undrawable: ids => ids.filter(id => id === 'shape:bad') })
    expect(one.store.query.ids('shape').get()).toEqual(new Set(['shape:a']))
    expect(one.map.has('shape:bad')).toBe(true)
  })

  test('what older pages wrote is brought up to date', () => {
    const { richText: _, ...props } = geo('old').props as unknown as Record<string, unknown>
    const one = side(docWith(geo('old', { props: { ...props, text: 'before rich text' } } as never)))
    const shown = one.store.get(createShapeId('old'))
    expect(JSON.stringify(shown?.props)).toContain('before rich text')
    // Only a change of one's own writes it.
    expect(one.map.get('shape:old')).toHaveProperty('props.text')
  })
})

describe('records whose support is gone', () => {
  test('a shape drawn in a frame that another deleted meanwhile stands on the page, for both', () => {
    const [one, other] = [side(docWith(page('page', 'a1'), frame('f'))), side()]
    exchange(one.doc, other.doc)
    one.store.remove([createShapeId('f')])
    one.binding.flush()
    other.store.put([geo('in', { parentId: createShapeId('f') })])
    other.binding.flush()
    exchange(one.doc, other.doc)
    for (const { store } of [one, other]) expect(store.get(createShapeId('in'))?.parentId).toBe('page:page')
    expect(documentOf(one.store)).toEqual(documentOf(other.store))
  })

  test('a shape drawn on a page that another deleted meanwhile stands on the page that is left', () => {
    const [one, other] = [side(docWith(page('left'), page('gone', 'a3'))), side()]
    exchange(one.doc, other.doc)
    one.store.remove([page('gone').id])
    one.binding.flush()
    other.store.put([geo('lost', { parentId: page('gone').id })])
    other.binding.flush()
    exchange(one.doc, other.doc)
    for (const { store } of [one, other]) expect(store.get(createShapeId('lost'))?.parentId).toBe('page:left')
    expect(documentOf(one.store)).toEqual(documentOf(other.store))
  })

  test('it goes back when its parent comes', () => {
    const one = side(docWith(geo('child', { parentId: createShapeId('late') })))
    expect(one.store.get(createShapeId('child'))?.parentId).toBe('page:page')
    one.doc.transact(() => one.map.set('shape:late', frame('late')), 'wire')
    expect(one.store.get(createShapeId('child'))?.parentId).toBe('shape:late')
  })

  test('a shape without a parent moves on when the page that took it in goes', () => {
    const one = side(docWith(page('first', 'a1'), page('second'), geo('stray', { parentId: createShapeId('none') })))
    expect(one.store.get(createShapeId('stray'))?.parentId).toBe('page:first')
    one.doc.transact(() => one.map.delete('page:first'), 'wire')
    expect(one.store.get(createShapeId('stray'))?.parentId).toBe('page:second')
  })

  test('pages deleted by two at once leave a board that works', () => {
    const [one, other] = [side(docWith(page('one'), page('other', 'a3'), geo('a', { parentId: page('one').id }))), side()]
    exchange(one.doc, other.doc)
    one.store.remove([page('other').id])
    one.binding.flush()
    other.store.remove([createShapeId('a'), page('one').id])
    other.binding.flush()
    exchange(one.doc, other.doc)
    for (const { binding } of [one, other]) binding.flush()
    exchange(one.doc, other.doc)
    for (const { store } of [one, other]) expect(store.query.ids('page').get()).toEqual(new Set(['page:page']))
    expect(documentOf(one.store)).toEqual(documentOf(other.store))
  })

  test('circles of parents are cut', () => {
    const one = side(docWith(
      frame('a', { parentId: createShapeId('b') }), frame('b', { parentId: createShapeId('a') }),
      frame('self', { parentId: createShapeId('self') })
    ))
    for (const name of ['a', 'b', 'self']) expect(one.store.get(createShapeId(name))?.parentId).toBe('page:page')
  })

  test('endless chains of parents are cut', () => {
    const chain = Array.from({ length: 500 }, (_, n) =>
      frame(`f${n}`, n === 0 ? {} : { parentId: createShapeId(`f${n - 1}`) }))
    const one = side(docWith(...chain))
    let depth = 0
    for (let id = one.store.get(createShapeId('f499'))?.parentId; id?.startsWith('shape:') === true; depth++) {
      id = one.store.get(id as ReturnType<typeof createShapeId>)?.parentId
    }
    expect(depth).toBeLessThanOrEqual(64)
  })

  test('an arrow is bound only while both ends are there, and never to an arrow', () => {
    const one = side(docWith(arrow('r'), geo('a'), binding('b', 'r', 'a'), binding('x', 'r', 'r'), binding('y', 'a', 'r')))
    expect(one.store.query.ids('binding').get()).toEqual(new Set(['binding:b']))
    one.doc.transact(() => one.map.delete('shape:a'), 'wire')
    expect(one.store.query.ids('binding').get()).toEqual(new Set())
    one.doc.transact(() => one.map.set('shape:a', geo('a')), 'wire')
    expect(one.store.query.ids('binding').get()).toEqual(new Set(['binding:b']))
  })
})

describe('two at the same shape', () => {
  test('end in one state, and whoever lost sees it', () => {
    const told: RemoteChange[][] = [[], []]
    const [one, other] = told.map(list => side(new Y.Doc(), { onRemote: changes => list.push(...changes) })) as [Side, Side]
    updatesOf(one, () => one.store.put([geo('a')]))
    exchange(one.doc, other.doc)
    for (const list of told) list.length = 0
    one.store.put([geo('a', { x: 1 })])
    other.store.put([geo('a', { x: 2 })])
    for (const { binding } of [one, other]) binding.flush()
    exchange(one.doc, other.doc)
    expect(documentOf(one.store)).toEqual(documentOf(other.store))
    expect(told.filter(list => list.length > 0)).toHaveLength(1)
  })

  test('what waits to be written wins over what comes', () => {
    const one = side(docWith(geo('a')))
    one.store.put([geo('a', { x: 1 })])
    one.doc.transact(() => one.map.set('shape:a', geo('a', { x: 2 })), 'wire')
    expect(one.store.get(createShapeId('a'))?.x).toBe(1)
    one.binding.flush()
    expect(one.map.get('shape:a')).toMatchObject({ x: 1 })
  })
})

test('a shape that others move keeps its props as they are, so that it is not measured anew', () => {
  const one = side(docWith(geo('a')))
  const props = one.store.get(createShapeId('a'))?.props
  one.doc.transact(() => one.map.set('shape:a', structuredClone(geo('a', { x: 9 }))), 'wire')
  expect(one.store.get(createShapeId('a'))?.x).toBe(9)
  expect(one.store.get(createShapeId('a'))?.props).toBe(props)
})

test('a shape that is only changed again keeps its `meta` as it is, here and where it is shown', () => {
  const at = (x: number, updated_at: string) => geo('a', { x, meta: { updated_by: 'user:alice', updated_at } })
  let times = 0
  const signed: BindingOptions['signed'] = record => ({ ...record, meta: { ...record.meta, updated_at: `${++times}` } }) as typeof record
  const one = side(docWith(at(0, 'T')), { signed })
  const other = side()
  exchange(one.doc, other.doc)
  const metas = [one, other].map(({ store }) => store.get(createShapeId('a'))?.meta)
  one.store.put([at(5, 'T')].map(shape => ({ ...shape, meta: metas[0]! })))
  one.binding.flush()
  exchange(one.doc, other.doc)
  expect(one.map.get('shape:a')).toEqual(at(5, '1'))
  for (const [n, { store }] of [one, other].entries()) {
    const shape = store.get(createShapeId('a'))
    expect([shape?.x, shape?.meta === metas[n]]).toEqual([5, true])
  }
  // What follows from others is written as it is signed there.
  other.store.put([at(7, 'T')].map(shape => ({ ...shape, meta: metas[1]! })))
  other.binding.flush()
  expect(other.map.get('shape:a')).toEqual(at(7, '1'))
  exchange(other.doc, one.doc)
  // Another name is another `meta`.
  one.doc.transact(() => one.map.set('shape:a', geo('a', { meta: { updated_by: 'user:bob' } })), 'wire')
  expect(one.store.get(createShapeId('a'))?.meta).toEqual({ updated_by: 'user:bob' })
})

describe('pace', () => {
  test('changes are written with the next microtask, large ones less often', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      const one = side()
      const many = Array.from({ length: 600 }, (_, n) => geo(`g${n}`))
      one.store.put(many)
      await Promise.resolve()
      expect(one.map.has('shape:g599')).toBe(true)
      one.store.put(many.map(shape => ({ ...shape, x: 1 })))
      await Promise.resolve()
      expect(one.map.get('shape:g0')).toMatchObject({ x: 0 })
      vi.advanceTimersByTime(200)
      expect(one.map.get('shape:g0')).toMatchObject({ x: 1 })
      // A page that was busy for as long does not wait once more.
      vi.advanceTimersByTime(200)
      one.store.put(many.map(shape => ({ ...shape, x: 2 })))
      await Promise.resolve()
      expect(one.map.get('shape:g0')).toMatchObject({ x: 2 })
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('a large board', () => {
  const many = Array.from({ length: 1_000 }, (_, n) => geo(`n${n}`, { x: n * 10 }))
  const sight = () => ({ page: 'page:page', x: 5_000, y: 0, w: 300, h: 300 })

  test('comes piece by piece, what is in view first, until all of it is there', async () => {
    const one = side(docWith(page('page', 'a1'), ...many), { sight })
    const ids = one.store.query.ids('shape')
    expect(ids.get().has('shape:n510' as never)).toBe(true)
    expect(ids.get().size).toBeLessThan(100)
    await vi.waitFor(() => expect(ids.get().size).toBe(1_000), 10_000)
    expect(one.binding.arriving).toBe(0)
  })

  test('what others change and draw meanwhile is there at once, and nothing is lost', () => {
    const one = side(docWith(page('page', 'a1'), frame('frame', { x: 90_000 }), ...many), { sight })
    one.doc.transact(() => { one.map.set('shape:child', geo('child', { parentId: 'shape:frame' as never })) }, 'wire')
    expect(one.store.has('shape:child' as never)).toBe(true)
    expect(one.store.has('shape:frame' as never)).toBe(true)
    one.doc.transact(() => { one.map.delete('shape:n999') }, 'wire')
    one.binding.whole()
    expect(one.store.query.ids('shape').get().size).toBe(1_001)
  })

  test('a page that one deletes takes along what was still to come onto it', async () => {
    const one = side(docWith(page('page', 'a1'), page('other'), ...many), { sight })
    one.store.remove([...one.store.query.ids('shape').get(), 'page:page' as never])
    await Promise.resolve()
    expect([...one.map.keys()].filter(id => id.startsWith('shape:'))).toEqual([])
  })
})
