// Promise: whatever is drawn over HTTP is a valid record for the tldraw that web/ pins: its own validators
// take every one.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { ArrowShapeArrowheadEndStyle, ArrowShapeArrowheadStartStyle, ArrowShapeKindStyle, createTLSchema, DefaultColorStyle, DefaultDashStyle, DefaultFillStyle, DefaultFontStyle, DefaultHorizontalAlignStyle, DefaultSizeStyle, DefaultTextAlignStyle, GeoShapeGeoStyle, DocumentRecordType, PageRecordType, TLDOCUMENT_ID, toRichText } from '@tldraw/tlschema'
import { Store } from '@tldraw/store'
import { T } from '@tldraw/validate'
import * as Y from 'yjs'
import { Api } from './support/api.mjs'
import { Server } from './support/server.mjs'

const STYLES = {
  color: DefaultColorStyle.values,
  size: DefaultSizeStyle.values,
  font: DefaultFontStyle.values,
  fill: DefaultFillStyle.values,
  dash: DefaultDashStyle.values,
  align: DefaultHorizontalAlignStyle.values,
  geo: GeoShapeGeoStyle.values
}
const CONNECTOR_STYLES = {
  color: STYLES.color,
  size: STYLES.size,
  font: STYLES.font,
  dash: STYLES.dash,
  arrow_start: ArrowShapeArrowheadStartStyle.values,
  arrow_end: ArrowShapeArrowheadEndStyle.values,
  kind: ArrowShapeKindStyle.values
}
const TYPES = ['sticky', 'text', 'shape', 'frame', 'image', 'document']

/** Puts records into a store of tldraw's, which validates each. */
function validate (records) {
  const store = new Store({ schema: createTLSchema(), props: { defaultName: '', assets: {}, onMount: () => {} } })
  for (const [key, record] of Object.entries(records)) {
    assert.equal(record.id, key)
    assert.doesNotThrow(() => store.put([record]), undefined, JSON.stringify(record))
    assert.deepEqual(store.get(key), record)
  }
  return store
}

describe('records of items', () => {
  let server
  let alice
  const board = async name => {
    await alice.create(name)
    const path = `/v1/boards/${name}/items`
    return {
      add: item => alice.ok('POST', path, { x: 0, y: 0, ...item }),
      batch: operations => alice.ok('POST', `${path}/batch`, { operations }),
      patch: (id, patch) => alice.ok('PATCH', `${path}/${id}`, patch),
      refused: async item => {
        const answer = await alice.call('POST', path, { x: 0, y: 0, ...item })
        assert.equal(answer.status, 422, JSON.stringify(item))
        return answer.body.field
      },
      records: async () => {
        const doc = new Y.Doc()
        Y.applyUpdate(doc, await alice.document(name))
        return doc.getMap('tldraw').toJSON()
      }
    }
  }

  before(async () => {
    server = await Server.start()
    alice = Api.user(server)
  })
  after(() => server.dispose())

  test('are valid for every type, bare and with everything', async () => {
    const on = await board('types')
    for (const type of TYPES) await on.add({ type })
    const text = 'Some words\n\nthat are long enough to make a note grow, internationalization, \u{1f600} 漢字 '.repeat(12)
    const contents = { sticky: { text }, text: { text }, shape: { text }, frame: { title: 'Phase 1' }, document: { title: 'Plan', text, url: 'mailto:a@b.example' }, image: { url: 'https://example.com/a.png', alt: 'A' } }
    for (const type of TYPES) {
      for (const [width, height] of [[1, 1], [1e6, 1e6], [1, 1e6], [1e6, 1], [333.3, 77.7]]) await on.add({ type, width, height, x: -1e8, y: 1e8, content: contents[type] })
    }
    for (const url of ['/a.png', 'data:image/png;base64,AAAA', 'http://localhost:1/x']) await on.add({ type: 'image', content: { url } })
    const records = await on.records()
    assert.equal(Object.values(records).filter(({ typeName }) => typeName === 'shape').length, 6 * 6 + 3)
    validate(records)
    assert.ok(Object.values(records).some(({ props }) => props?.fontSizeAdjustment > 0), 'a long word made the font smaller')
  })

  test('are valid with every style word, and no other is taken', async () => {
    const on = await board('styles')
    const types = { sticky: ['color', 'size', 'font', 'align'], text: ['color', 'size', 'font'], shape: Object.keys(STYLES), frame: ['color'], document: ['color', 'size', 'font', 'align'] }
    for (const [type, styles] of Object.entries(types)) {
      for (const style of styles) {
        const items = STYLES[style].map((word, n) => ({ action: 'create', item: { id: `${type}.${style}.${n}`, type, x: 0, y: 0, style: { [style]: word } } }))
        const { results } = await on.batch(items)
        assert.deepEqual(results.map(({ item }) => item.style[style]), STYLES[style])
        assert.equal(await on.refused({ type, style: { [style]: 'tomorrow' } }), `style.${style}`)
      }
    }
    for (const align of DefaultTextAlignStyle.values) await on.add({ type: 'text', style: { align } })
    for (const align of STYLES.align.filter(word => !DefaultTextAlignStyle.values.includes(word))) assert.equal(await on.refused({ type: 'text', style: { align } }), 'style.align')
    validate(await on.records())
  })

  test('are valid for connectors and their bindings: every end, every style, patched and released', async () => {
    const on = await board('connected')
    const ends = [{ item: 'a' }, { item: 'b', anchor: { x: 0.25, y: 1 } }, { x: -9e7, y: 9e7 }, { x: 0.5, y: 0 }]
    const connector = (id, from, to, more) => ({ action: 'create', item: { id, type: 'connector', from, to, ...more } })
    const operations = ends.flatMap((from, n) => ends.filter(to => to !== from).map((to, m) => connector(`c${n}.${m}`, from, to)))
    for (const [style, words] of Object.entries(CONNECTOR_STYLES)) {
      words.forEach((word, n) => operations.push(connector(`${style}.${n}`, ends[0], ends[1], { content: { text: 'a\nb' }, style: { [style]: word, bend: -10_000 + n } })))
      assert.equal((await on.refused({ type: 'connector', x: undefined, y: undefined, from: ends[2], to: ends[3], style: { [style]: 'tomorrow' } })), `style.${style}`)
    }
    for (const [id, type, x] of [['a', 'sticky', 0], ['b', 'frame', 900], ['c', 'text', 2_000]]) operations.push({ action: 'create', item: { id, type, x, y: 0 } })
    const { results } = await on.batch(operations)
    assert.ok(results.length > 40)
    assert.equal(results[0].item.to.anchor.y, 1)
    const counted = async () => {
      const records = await on.records()
      const store = validate(records)
      const bindings = Object.values(records).filter(({ typeName }) => typeName === 'binding')
      for (const { fromId, toId } of bindings) assert.ok(store.has(fromId) && store.has(toId))
      return bindings.length
    }
    const before = await counted()
    await on.patch('c0.0', { to: { item: 'c' }, content: { text: 'x' }, style: null })
    await on.patch('c2.0', { from: { item: 'c' } })
    await on.patch('c0.1', { from: { x: 1, y: 2 } })
    assert.equal(await counted(), before)
    await on.batch([{ action: 'delete', item: { id: 'c' } }, { action: 'delete', item: { id: 'color.0' } }])
    assert.equal(await counted(), before - 4)
  })

  test('are valid after patches, and in the order of their index', async () => {
    const on = await board('patched')
    const operations = Array.from({ length: 130 }, (_, n) => ({ action: 'create', item: { id: `i${n}`, type: 'shape', x: n, y: 0 } }))
    await on.batch(operations)
    await on.patch('i3', { width: 7.5, content: { text: 'a longer text that makes the shape grow down' }, style: { geo: 'heart' } })
    await on.add({ id: 'note', type: 'sticky' })
    await on.patch('note', { width: 400, height: 100, content: { text: 'x' } })
    await on.add({ id: 'image', type: 'image' })
    await on.patch('image', { content: { url: '/a.png', alt: 'b' } })
    const records = await on.records()
    validate(records)
    const shapes = Object.values(records).filter(({ typeName, type }) => typeName === 'shape' && type === 'geo')
    shapes.sort((a, b) => (a.index < b.index ? -1 : 1))
    assert.deepEqual(shapes.map(({ id }) => id), operations.map(({ item }) => `shape:${item.id}`))
    for (const { index } of shapes) assert.ok(T.indexKey.isValid(index) && index.length <= 4, index)
  })

  test('are valid turned, faded, locked, in frames and in any order', async () => {
    const on = await board('arranged')
    await on.add({ id: 'frame', type: 'frame', width: 900, rotation: 0.3, opacity: 0.5 })
    await on.add({ id: 'first', type: 'sticky', x: 5000 })
    for (const type of TYPES) await on.add({ id: `in-${type}`, type, x: 5000, rotation: -6.2832, opacity: 0, locked: true, parent: 'frame', z: 'back' })
    let last = await on.add({ id: 'last', type: 'text', x: 5000, z: { above: 'first' } })
    // Each between two neighbours, so that the keys grow.
    const operations = Array.from({ length: 200 }, (_, n) => [
      { action: 'create', item: { id: `n${n}`, type: 'sticky', x: 5000, y: 0, z: { below: n === 0 ? 'last' : `n${n - 1}` } } },
      { action: 'create', item: { id: `m${n}`, type: 'sticky', x: 5000, y: 0, z: 'back' } }
    ]).flat()
    await on.batch(operations)
    for (const patch of [{ parent: 'frame' }, { z: 'back' }, { parent: null, z: 'front' }, { rotation: null, opacity: null, locked: null }]) last = await on.patch('last', patch)
    assert.deepEqual([last.parent, last.rotation], [undefined, undefined])
    const records = await on.records()
    validate(records)
    const order = Object.values(records).filter(({ parentId, typeName }) => typeName === 'shape' && parentId === 'page:page').sort((a, b) => (a.index < b.index ? -1 : 1)).map(({ id }) => id.slice('shape:'.length))
    const count = (letter, backwards) => Array.from({ length: 200 }, (_, n) => `${letter}${backwards ? 199 - n : n}`)
    assert.deepEqual(order, [...count('m', true), 'frame', 'first', ...count('n', true), 'last'])
    assert.deepEqual(Object.values(records).filter(({ parentId }) => parentId === 'shape:frame').map(({ isLocked, opacity }) => [isLocked, opacity]), TYPES.map(() => [true, 0]))
  })

  test('are valid where they are points', async () => {
    const on = await board('points')
    await on.add({ id: 'frame', type: 'frame', rotation: 1 })
    const wave = Array.from({ length: 1000 }, (_, n) => [n / 3, 100 * Math.sin(n / 50)])
    for (const type of ['line', 'highlight', 'draw']) {
      for (const points of [[[0, 0], [1, 1]], [[0, 0], [0, 0]], [[-1e8, -1e8], [1e8, 1e8]], [[5, 5], [9, 5], [9, 9], [5, 5]], wave]) {
        const { id } = await on.add({ type, points, x: undefined, y: undefined, style: { color: 'blue', size: 'xl', dash: type === 'highlight' ? undefined : 'dotted' } })
        await on.patch(id, { x: 50, rotation: 1, z: 'back', opacity: 0.5, parent: 'frame' })
        await on.patch(id, { points: points.slice(0, 2) })
      }
    }
    const records = await on.records()
    assert.equal(Object.values(records).filter(({ type }) => ['line', 'highlight', 'draw'].includes(type)).length, 15)
    validate(records)
  })

  test('a new board begins as tldraw begins it', async () => {
    const on = await board('begun')
    await on.add({ type: 'text', content: { text: 'a\n\nb' } })
    const records = await on.records()
    assert.deepEqual(records['document:document'], DocumentRecordType.create({ id: TLDOCUMENT_ID }))
    assert.deepEqual(records['page:page'], PageRecordType.create({ id: 'page:page', name: 'Page 1', index: 'a1', meta: {} }))
    const [text] = Object.values(records).filter(({ type }) => type === 'text')
    assert.deepEqual(text.props.richText, toRichText('a\n\nb'))
  })

  test('addresses that are taken are taken by tldraw', async () => {
    const on = await board('addresses')
    const lines = readFileSync(new URL('../../src/items/links.txt', import.meta.url), 'utf8').split('\n').filter(line => line !== '' && !line.startsWith('#'))
    assert.ok(lines.length > 40)
    for (const line of lines) {
      const [kind, url] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]
      for (const [type, taking, validator] of [['document', ['link', 'both'], T.linkUrl], ['image', ['source', 'both'], T.srcUrl]]) {
        if (!taking.includes(kind)) {
          assert.equal(await on.refused({ type, content: { url } }), 'content.url', line)
          continue
        }
        assert.ok(validator.isValid(url), `${type}: ${line}`)
        await on.add({ type, content: { url } })
      }
    }
    validate(await on.records())
  })
})
