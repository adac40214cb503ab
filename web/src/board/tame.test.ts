// What a page takes from its own editor it shows, and everybody else's page too: a property over whatever the
// store takes.
import { describe, expect, test } from 'vitest'
import {
  AssetRecordType, createShapeId, defaultShapeUtils, toRichText, type Editor, type TLRecord, type TLRichText, type TLShape, type TLStore
} from 'tldraw'
import * as Y from 'yjs'
import { Binding } from './binding'
import { arrow, binding, docWith, frame, geo, imageAsset, newStore, page } from './testing'

/** What the server lets through. */
const SERVER_DEPTH_MAX = 64

const WORDS = [
  '', 'a', 'x'.repeat(1_001), 'x'.repeat(12_000), 'https://example.com/?signature=' + 'a1%2F'.repeat(300), '{"a":[1,2]},'.repeat(400),
  '\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35'.repeat(500), '\u0301'.repeat(2_000), '\u00a0'.repeat(2_000), '\u{1d431}'.repeat(2_000), '\ud800', 'a\0b', 'line\nline'
]
const NUMBERS = [0, -0, 1, -1, 0.1, 1e8, 1e8 + 1, -1e9, 1e300, Number.MAX_VALUE, 5e-324]

/** Numbers from 0 to 1, the same for the same seed. */
function random (seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

class Hand {
  readonly #random: () => number

  constructor (seed: number) {
    this.#random = random(seed)
  }

  below (max: number): number {
    return Math.floor(this.#random() * max)
  }

  one <T> (choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T
  }

  /** The value, or another one of its kind. */
  altered (value: unknown, rarely: number): unknown {
    if (Array.isArray(value)) {
      if (this.below(rarely) === 0) return this.one([[], [...value, ...value]])
      return value.map(member => this.altered(member, rarely))
    }
    if (typeof value === 'object' && value !== null) {
      if ('type' in value && value.type === 'doc') return this.richText()
      return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, this.altered(member, rarely)]))
    }
    if (this.below(rarely) > 0) return value
    return typeof value === 'number' ? this.one(NUMBERS) : typeof value === 'string' ? this.one(WORDS) : value
  }

  richText (): TLRichText {
    return this.one([() => toRichText(this.one(WORDS)), () => listOf(this.below(40)), () => strange(this.below(120)), () => marked(this.one(WORDS))])()
  }
}

/** Lists in lists, as Tab makes them. */
function listOf (levels: number): TLRichText {
  const paragraph = (n: number): object => ({ type: 'paragraph', attrs: { dir: 'auto' }, content: [{ type: 'text', text: `level ${n}` }] })
  let inner: object[] = [{ type: 'bulletList', content: [{ type: 'listItem', content: [paragraph(levels)] }] }]
  for (let n = levels - 1; n >= 0; n--) inner = [{ type: 'bulletList', content: [{ type: 'listItem', content: [paragraph(n), ...inner] }] }]
  return { type: 'doc', content: inner }
}

/** What no editor writes, and a paste may bring. */
function strange (depth: number): TLRichText {
  let value: unknown = { type: 'text', text: 'deep' }
  for (let n = 0; n < depth; n++) value = { type: 'teapot', attrs: { value } }
  return { type: 'doc', content: [value] }
}

function marked (text: string): TLRichText {
  const marks = [{ type: 'bold' }, { type: 'link', attrs: { href: 'https://example.com', target: '_blank' } }]
  return { type: 'doc', content: [{ type: 'paragraph', content: [...text.slice(0, 3_000)].map((letter, n) => ({ type: 'text', text: letter, marks: n % 2 === 0 ? marks : [] })) }] }
}

function deep (levels: number): object {
  let value = {}
  for (let n = 0; n < levels; n++) value = { value }
  return value
}

function depthOf (value: unknown): number {
  return typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0
}

const ONE_OF_EACH: readonly TLShape[] = defaultShapeUtils.map(Util => {
  const { type } = Util as { type: TLShape['type'] }
  const props = new (Util as unknown as new (editor: Editor) => { getDefaultProps: () => object })({} as Editor).getDefaultProps()
  return geo(type, { type, props } as Partial<TLShape>)
})

const STROKE = { type: 'free', points: [{ x: 1, y: 2, z: 0.5 }, { x: 3, y: 4, z: 0.5 }] }

function seeds (): TLRecord[] {
  return [
    ...ONE_OF_EACH,
    ...ONE_OF_EACH.filter(({ props }) => 'segments' in props).map(shape => ({ ...shape, props: { ...shape.props, segments: [STROKE, STROKE] } }) as TLShape),
    frame('f'), arrow('r'), geo('g'), binding('b', 'r', 'g'), page('p'), imageAsset('i', 'data:image/png;base64,AA=='),
    AssetRecordType.create({
      id: AssetRecordType.createId('k'), type: 'bookmark', props: { title: 'a', description: 'b', image: '', favicon: '', src: 'https://example.com' }
    }),
    geo('deep', { meta: { kept: 1, deep: deep(80) } as TLShape['meta'] })
  ]
}

interface Side { store: TLStore, doc: Y.Doc, hidden: () => string[] }

function side (doc: Y.Doc): Side {
  const store = newStore()
  const bound = new Binding({ store, doc, writable: () => true })
  return { store, doc, hidden: () => { bound.flush(); return Object.keys(bound.hidden()) } }
}

/** Puts it as one's own hands would; null where the store itself says no. */
function put (store: TLStore, record: TLRecord): TLRecord | null {
  try {
    store.put([record])
  } catch {
    return null
  }
  return store.get(record.id) ?? null
}

describe('what one draws is shown', () => {
  test('to oneself and to others, whatever it is', () => {
    const taken = new Map<string, number>()
    for (let seed = 1; seed <= 150; seed++) {
      const hand = new Hand(seed)
      // What others wrote before may be anything; it takes nothing away from what is written now.
      const own = side(seed % 2 === 0 ? new Y.Doc() : docWith(geo('theirs')))
      const kept = new Set<string>()
      for (let n = 0; n < 12; n++) {
        const seeded = hand.one(seeds())
        const record = hand.altered(seeded, hand.one([2, 8, 30])) as TLRecord
        // Ids, kinds and parents are the editor's own.
        const { id, typeName } = seeded
        const whole = { ...record, id, typeName, ...('type' in seeded && { type: seeded.type }), ...('parentId' in seeded && { parentId: seeded.parentId }), ...('index' in seeded && { index: seeded.index }) } as TLRecord
        if (whole.typeName === 'binding') Object.assign(whole, { fromId: createShapeId('r'), toId: createShapeId('g') })
        if (put(own.store, whole) === null) continue
        if (whole.typeName !== 'binding') kept.add(id)
        const kind = 'type' in whole ? `${typeName} ${whole.type}` : typeName
        taken.set(kind, (taken.get(kind) ?? 0) + 1)
      }
      expect(own.hidden(), `seed ${seed}`).toEqual([])
      const other = new Y.Doc()
      Y.applyUpdate(other, Y.encodeStateAsUpdate(own.doc), 'wire')
      const theirs = side(other)
      expect(theirs.hidden(), `seed ${seed}, on another page`).toEqual([])
      for (const id of kept) {
        expect(own.store.has(id as TLRecord['id']), `seed ${seed}: ${id}`).toBe(true)
        expect(theirs.store.has(id as TLRecord['id']), `seed ${seed}: ${id}, on another page`).toBe(true)
        expect(depthOf(own.doc.getMap('tldraw').get(id)), `seed ${seed}: ${id}`).toBeLessThanOrEqual(SERVER_DEPTH_MAX)
      }
    }
    // No kind was left out.
    for (const record of seeds()) expect(taken.get('type' in record ? `${record.typeName} ${record.type}` : record.typeName) ?? 0).toBeGreaterThan(3)
  })

  test('and what is fine stays the same object', () => {
    const { store } = side(new Y.Doc())
    const shape = geo('a', { props: { ...geo('a').props, richText: toRichText('x'.repeat(12_000)) } } as Partial<TLShape>)
    put(store, shape)
    expect(store.get(shape.id)).toBe(shape)
  })
})

describe('what could not be shown', () => {
  const shown = (shape: TLShape): TLShape => put(side(new Y.Doc()).store, shape) as TLShape
  const { props } = geo('a')

  test('lists in lists end somewhere, and every line of them stays', () => {
    const list = shown(geo('a', { props: { ...props, richText: listOf(30) } } as Partial<TLShape>))
    const text = JSON.stringify(list)
    for (let n = 0; n <= 30; n++) expect(text).toContain(`level ${n}"`)
    // Twelve of them are lists still.
    expect(text.match(/bulletList/g)).toHaveLength(12)
    expect(shown(geo('b', { props: { ...props, richText: listOf(11) } } as Partial<TLShape>))).toMatchObject({ props: { richText: listOf(11) } })
  })

  test('far away is as far as one can see', () => {
    expect(shown(geo('a', { x: 1e300, y: -1e9 }))).toMatchObject({ x: 1e8, y: -1e8 })
    expect(shown(geo('a', { x: 1e8 }))).toMatchObject({ x: 1e8 })
    expect(shown(geo('a', { meta: { at: 1e12 } }))).toMatchObject({ meta: { at: 1e12 } })
  })
})
