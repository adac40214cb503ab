// A board as teams have them, only large: notes, texts, boxes, arrows between them, strokes, frames with what
// is in them, images. The same records on each call, as tldraw 3.15 writes them.
import assert from 'node:assert/strict'
import * as Y from 'yjs'

const PAGE = 'page:page'
const COLOURS = ['blue', 'red', 'green', 'yellow', 'orange', 'violet', 'light-blue', 'grey']
const GEOS = ['rectangle', 'ellipse', 'diamond', 'cloud', 'hexagon']
const WORDS = 'the board is where a team draws what it means and finds it again the day after when somebody asks'.split(' ')

/** Shapes in a row of the board, and from one to the next. */
const COLUMNS = 100
const PITCH = 240

// Of a hundred shapes: the rest of a frame's places are its children.
const KINDS = [[30, geo], [50, note], [65, text], [80, arrow], [90, stroke], [98, framed], [100, image]]
const CHILDREN = 3

/** A PNG of one colour, 8 by 8. */
const PICTURE = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEklEQVR42mNgaPiPHQ0tCQYAlXt/gTEi6rAAAAAASUVORK5CYII='

/** Records of a board with so many shapes, the first of them at the top left. */
export function mixedRecords (shapes) {
  const records = [page()]
  for (let n = 0; n < shapes; n++) records.push(...KINDS.find(([end]) => place(n) < end)[1](n))
  return records
}

/** Puts records on a board through the API, some hundreds a call. */
export async function putRecords (api, board, records, batch = 500) {
  for (let at = 0; at < records.length; at += batch) {
    const doc = new Y.Doc()
    const map = doc.getMap('tldraw')
    doc.transact(() => { for (const record of records.slice(at, at + batch)) map.set(record.id, record) })
    const answer = await api.call('POST', `/v1/boards/${board}/document`, Y.encodeStateAsUpdate(doc), { 'Content-Type': 'application/octet-stream' })
    assert.equal(answer.status, 204, JSON.stringify(answer.body))
    doc.destroy()
  }
}

// Spreads the kinds over the board: 37 times 73 is 1 more than a multiple of 100.
const place = n => (n * 37) % 100
const withPlace = (n, place) => n - n % 100 + (place * 73) % 100
const colour = n => COLOURS[n % COLOURS.length]
const words = (n, count) => Array.from({ length: count }, (_, at) => WORDS[(n + at) % WORDS.length]).join(' ')
const rich = text => ({ type: 'doc', content: [{ type: 'paragraph', ...(text !== '' && { content: [{ type: 'text', text }] }) }] })
const at = n => ({ x: (n % COLUMNS) * PITCH + 20, y: Math.floor(n / COLUMNS) * PITCH + 20 })
const idOf = n => `shape:m${n}`

function page () {
  return { id: PAGE, typeName: 'page', name: 'Page 1', index: 'a1', meta: {} }
}

function shape (n, type, props, more = {}) {
  const index = `a${String(n).padStart(5, '0')}V`
  return { id: idOf(n), typeName: 'shape', type, ...at(n), rotation: 0, index, parentId: PAGE, isLocked: false, opacity: 1, meta: {}, props, ...more }
}

function geo (n) {
  return [shape(n, 'geo', {
    geo: GEOS[n % GEOS.length], dash: 'draw', url: '', w: 160, h: 120, growY: 0, scale: 1, labelColor: 'black', color: colour(n), fill: 'semi', size: 'm',
    font: 'draw', align: 'middle', verticalAlign: 'middle', richText: rich(n % 2 === 0 ? words(n, 3) : '')
  })]
}

function note (n) {
  return [shape(n, 'note', {
    color: colour(n), labelColor: 'black', size: 's', font: 'draw', fontSizeAdjustment: 0, align: 'middle', verticalAlign: 'middle', growY: 0, url: '',
    richText: rich(words(n, 8)), scale: 1
  })]
}

function text (n) {
  return [shape(n, 'text', { color: 'black', size: 's', font: 'sans', textAlign: 'start', w: 180, richText: rich(words(n, 10)), scale: 1, autoSize: false })]
}

// From the shape before it in the row to the one after, where these are of kinds that arrows are bound to.
function arrow (n) {
  const ends = [n - 1, n + 1].filter(end => Math.floor(end / COLUMNS) === Math.floor(n / COLUMNS) && place(end) < 65)
  const own = shape(n, 'arrow', {
    kind: 'arc', labelColor: 'black', color: colour(n), fill: 'none', dash: 'draw', size: 's', arrowheadStart: 'none', arrowheadEnd: 'arrow', font: 'draw',
    start: { x: 0, y: 0 }, end: { x: 180, y: 90 }, bend: 12, text: n % 3 === 0 ? words(n, 2) : '', labelPosition: 0.5, scale: 1, elbowMidPoint: 0.5
  })
  return [own, ...ends.map((end, order) => ({
    id: `binding:m${n}-${order}`, typeName: 'binding', type: 'arrow', fromId: own.id, toId: idOf(end), meta: {},
    props: { terminal: end < n ? 'start' : 'end', normalizedAnchor: { x: 0.5, y: 0.5 }, isExact: false, isPrecise: false, snap: 'none' }
  }))]
}

function stroke (n) {
  const points = Array.from({ length: 40 }, (_, at) => ({ x: at * 4, y: Math.round(40 * Math.sin((n + at) / 5)) + 50, z: 0.5 }))
  return [shape(n, 'draw', {
    color: colour(n), fill: 'none', dash: 'draw', size: 'm', segments: [{ type: 'free', points }], isComplete: true, isClosed: false, isPen: false, scale: 1
  })]
}

// The first of each four is a frame, the others are in it.
function framed (n) {
  const seat = (place(n) - 90) % (CHILDREN + 1)
  const frame = withPlace(n, place(n) - seat)
  if (seat === 0) return [shape(n, 'frame', { w: 200, h: 200, name: words(n, 2), color: 'black' })]
  const [child] = geo(n)
  return [{ ...child, parentId: idOf(frame), x: 10, y: 10 + (seat - 1) * 60, props: { ...child.props, w: 180, h: 50 } }]
}

function image (n) {
  const assetId = `asset:m${n}`
  const asset = { id: assetId, typeName: 'asset', type: 'image', props: { name: 'picture.png', src: PICTURE, w: 8, h: 8, mimeType: 'image/png', isAnimated: false }, meta: {} }
  return [asset, shape(n, 'image', { w: 160, h: 160, playing: true, url: '', assetId, crop: null, flipX: false, flipY: false, altText: 'A picture' })]
}
