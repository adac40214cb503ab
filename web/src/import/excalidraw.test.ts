import { createTLSchema, defaultBindingSchemas, defaultShapeSchemas, type TLArrowShape, type TLShape } from 'tldraw'
import { expect, test } from 'vitest'
import { nearestColor } from './colors'
import { readExcalidraw } from './excalidraw'

const schema = createTLSchema({ shapes: defaultShapeSchemas, bindings: defaultBindingSchemas })

const base = {
  x: 0, y: 0, width: 100, height: 50, angle: 0, strokeColor: '#1e1e1e', backgroundColor: 'transparent', fillStyle: 'solid', strokeWidth: 2,
  strokeStyle: 'solid', roughness: 1, opacity: 100, groupIds: [], frameId: null, roundness: null, isDeleted: false, boundElements: null, link: null, locked: false
}
const read = (elements: ReadonlyArray<Record<string, unknown>>, files = {}) => {
  const drawing = readExcalidraw(JSON.stringify({ type: 'excalidraw', version: 2, elements: elements.map((element, n) => ({ ...base, id: `e${n}`, ...element })), files }))
  // Whatever comes out is valid.
  for (const shape of drawing.shapes) schema.types.shape.validate(shape)
  for (const binding of drawing.bindings) schema.types.binding.validate(binding)
  for (const asset of drawing.assets) schema.types.asset.validate(asset)
  return drawing
}
const props = (shape: TLShape | undefined) => shape?.props as Record<string, unknown>

test('rectangles, diamonds and ellipses keep colour, filling, stroke, opacity, lock and their words', () => {
  const { shapes } = read([
    { type: 'rectangle', id: 'r', backgroundColor: '#ffc9c9', strokeStyle: 'dashed', strokeWidth: 4, opacity: 40, locked: true },
    { type: 'diamond', strokeColor: '#1971c2', backgroundColor: '#1971c2', fillStyle: 'hachure', roughness: 0 }, { type: 'ellipse' },
    { type: 'text', containerId: 'r', text: 'two\nlines', originalText: 'two lines', fontSize: 20, fontFamily: 3, textAlign: 'left', verticalAlign: 'top' }
  ])
  expect(shapes.map(({ type, props }) => [type, (props as { geo: string }).geo])).toEqual([['geo', 'rectangle'], ['geo', 'diamond'], ['geo', 'ellipse']])
  expect(shapes[0]).toMatchObject({ opacity: 0.4, isLocked: true, props: { color: 'red', fill: 'solid', dash: 'dashed', size: 'l', font: 'mono', align: 'start', verticalAlign: 'start' } })
  expect(JSON.stringify(props(shapes[0])['richText'])).toContain('two lines')
  expect(props(shapes[1])).toMatchObject({ color: 'blue', fill: 'pattern', dash: 'solid' })
  expect(props(shapes[2])).toMatchObject({ color: 'black', fill: 'none', dash: 'draw' })
})

test('an arrow is bound to what it was bound to, bent as it was, and has its label', () => {
  const { shapes, bindings } = read([
    { type: 'rectangle', id: 'a' }, { type: 'rectangle', id: 'b', x: 300 },
    {
      type: 'arrow', id: 'to', x: 100, y: 25, points: [[0, 0], [100, 40], [200, 0]], endArrowhead: 'triangle',
      startBinding: { elementId: 'a', focus: 0, gap: 1 }, endBinding: { elementId: 'b', focus: 0, gap: 1 }
    },
    { type: 'text', containerId: 'to', text: 'leads to', originalText: 'leads to' }
  ])
  const arrow = shapes[2] as TLArrowShape
  expect(arrow.props).toMatchObject({ text: 'leads to', arrowheadStart: 'none', arrowheadEnd: 'triangle', bend: 40 })
  expect(bindings.map(({ fromId, toId, props }) => [fromId, toId, props])).toEqual([
    [arrow.id, shapes[0]?.id, expect.objectContaining({ terminal: 'start', normalizedAnchor: { x: 0.98, y: 0.5 } })],
    [arrow.id, shapes[1]?.id, expect.objectContaining({ terminal: 'end', normalizedAnchor: { x: 0.02, y: 0.5 } })]
  ])
})

test('an arrow that is turned lies where it lay, and that it is tied no more is said', () => {
  const { bindings, left } = read([
    { type: 'rectangle', id: 'a' },
    { type: 'arrow', x: 100, y: 25, angle: 1, points: [[0, 0], [50, 0]], startBinding: { elementId: 'a', focus: 0, gap: 1 } },
    { type: 'arrow', x: 100, y: 25, angle: 1, points: [[0, 0], [50, 0]] }
  ])
  expect([bindings.length, [...left]]).toEqual([0, [['tie of a turned arrow', 1]]])
})

test('what is turned about its middle lies where it lay', () => {
  const [shape] = read([{ type: 'rectangle', x: 10, y: 20, angle: Math.PI / 2 }]).shapes
  // Of 100 x 50 about (60, 45): the upper left corner comes to lie at (85, -5).
  expect([Math.round(shape?.x ?? 0), Math.round(shape?.y ?? 0), shape?.rotation]).toEqual([85, -5, Math.PI / 2])
})

test('groups in groups and frames hold what they held, in its order', () => {
  const { shapes } = read([
    { type: 'rectangle', id: 'in', x: 110, y: 120, groupIds: ['inner', 'outer'], frameId: 'f' },
    { type: 'ellipse', id: 'in2', x: 150, y: 100, groupIds: ['inner', 'outer'], frameId: 'f' },
    { type: 'rectangle', id: 'out', x: 105, y: 130, groupIds: ['outer'], frameId: 'f' },
    { type: 'frame', id: 'f', x: 100, y: 90, width: 400, height: 300, name: 'Plan', groupIds: ['outer'], frameId: 'f' }
  ])
  const by = (type: string) => shapes.filter(shape => shape.type === type)
  const [outer, inner] = by('group')
  const [frame] = by('frame')
  expect([frame?.parentId, outer?.parentId, inner?.parentId]).toEqual(['page:page', frame?.id, outer?.id])
  expect(by('geo').map(({ parentId }) => parentId)).toEqual([inner?.id, inner?.id, outer?.id])
  expect(props(frame)['name']).toBe('Plan')
  // From the page to the corner of each: the frame, the outer group, the inner one, the thing.
  const at = [frame, outer, inner, by('geo')[0]].reduce((sum, shape) => ({ x: sum.x + (shape?.x ?? 0), y: sum.y + (shape?.y ?? 0) }), { x: 0, y: 0 })
  expect(at).toEqual({ x: 110, y: 120 })
})

test('strokes, lines, words and images come along; what cannot is counted', () => {
  const { shapes, assets, left } = read([
    { type: 'freedraw', points: [[0, 0], [5, 5]], pressures: [0.2, 0.9], simulatePressure: false },
    { type: 'line', points: [[0, 0], [10, 0], [10, 10]], roundness: { type: 2 } },
    { type: 'text', text: 'Alone', fontSize: 36, fontFamily: 5 },
    { type: 'image', fileId: 'i', scale: [-1, 1] }, { type: 'image', fileId: 'lost' },
    { type: 'embeddable', link: 'https://example.com' }, { type: 'hologram' }, { type: 'rectangle', isDeleted: true }
  ], { i: { id: 'i', mimeType: 'image/png', dataURL: 'data:image/png;base64,AAAA' } })
  expect(shapes.map(({ type }) => type)).toEqual(['draw', 'line', 'text', 'image'])
  expect(props(shapes[0])).toMatchObject({ isPen: true, segments: [{ points: [{ z: 0.2 }, { z: 0.9 }] }] })
  expect(props(shapes[1])['spline']).toBe('cubic')
  expect(props(shapes[2])).toMatchObject({ size: 'l', scale: 1, font: 'draw' })
  expect(props(shapes[3])).toMatchObject({ assetId: assets[0]?.id, flipX: true })
  expect(Object.fromEntries(left)).toEqual({ 'image without its file': 1, 'page of another server': 1, 'thing of an unknown kind': 1 })
})

test('whatever stands in a file, what comes out is valid, and what is no such file is refused in words', () => {
  const junk = [null, -1e300, 'x', [], {}, [[null]], { elementId: 'e0' }, '__proto__', [['a', {}], 3], true]
  const types = ['rectangle', 'ellipse', 'diamond', 'arrow', 'line', 'freedraw', 'text', 'image', 'frame']
  const names = [...Object.keys(base), 'points', 'pressures', 'text', 'fontSize', 'startBinding', 'containerId', 'fileId', 'scale', 'crop', 'link', 'id', 'name']
  for (const name of names) for (const value of junk) read(types.map(type => ({ type, points: [[0, 0], [1, 1]], text: 'x', [name]: value })))
  for (const text of ['', '{"type":"excalidraw"', '[]', '{"type":"tldraw","elements":[]}', '{"type":"excalidraw","elements":{}}']) expect(() => readExcalidraw(text)).toThrow(/no Excalidraw file/)
  expect(() => readExcalidraw('{"type":"excalidraw","version":3,"elements":[]}')).toThrow(/newer version/)
})

test('colours of Excalidraw find their like', () => {
  const colors = { '#1e1e1e': 'black', '#e03131': 'red', '#2f9e44': 'light-green', '#099268': 'green', '#1971c2': 'blue', '#f08c00': 'orange', '#ffec99': 'yellow', '#a5d8ff': 'light-blue', '#b2f2bb': 'light-green', '#eebefa': 'violet', '#868e96': 'grey', '#fff': 'white', nonsense: 'black' }
  expect(Object.fromEntries(Object.keys(colors).map(color => [color, nearestColor(color)]))).toEqual(colors)
})
