// Reads `.excalidraw` files (JSON, format version 2) into records of tldraw. Pure: whatever a file says, what
// comes out is valid, or is counted as left out. Rotations turn about an element's middle there, and about
// its upper left corner here; a group there is a name that elements share, and a shape here.
import {
  AssetRecordType, createBindingId, createShapeId, getIndices, toRichText, type IndexKey, type TLAsset, type TLBinding, type TLShape, type TLShapeId
} from 'tldraw'
import { isVisible, isPale, nearestColor } from './colors'
import { BadFile, Left, type Drawing } from './drawing'

/** Longer strokes and lines are thinned out: tldraw draws each point. */
const POINTS_MAX = 2_000

/** Groups within groups: deeper ones are left out, the things in them are not. */
const GROUPS_MAX = 16

const GREATEST = 1e7

type Members = Readonly<Record<string, unknown>>
interface Point { readonly x: number, readonly y: number }

/** An element that becomes a shape. */
interface Element {
  readonly id: string
  readonly raw: Members
  readonly shapeId: TLShapeId
  /** The upper left corner before it is turned, in the file's own coordinates. */
  readonly x: number
  readonly y: number
  readonly w: number
  readonly h: number
  readonly angle: number
}

/** What becomes of the file with this content; throws a `BadFile` where it is none. */
export function readExcalidraw (text: string): Drawing {
  return new Reader(parse(text)).read()
}

function parse (text: string): Members {
  let file: unknown
  try {
    file = JSON.parse(text)
  } catch {
    throw new BadFile('This is no Excalidraw file: it cannot be read as JSON. It may be cut off.')
  }
  if (!isObject(file) || file['type'] !== 'excalidraw' || !Array.isArray(file['elements'])) {
    throw new BadFile('This is no Excalidraw file: it has no list of elements.')
  }
  if (typeof file['version'] === 'number' && file['version'] > 2) {
    throw new BadFile('This Excalidraw file is of a newer version than this page knows (2).')
  }
  return file
}

class Reader {
  readonly #left = new Left()
  readonly #files: Members
  readonly #elements: readonly Element[]
  readonly #byId: ReadonlyMap<string, Element>
  readonly #labels = new Map<string, Members>()
  readonly #assets: TLAsset[] = []
  readonly #bindings: TLBinding[] = []
  readonly #shapes = new Map<string, TLShape>()

  constructor (file: Members) {
    this.#files = isObject(file['files']) ? file['files'] : {}
    const raws = (file['elements'] as unknown[]).filter((raw): raw is Members => isObject(raw) && raw['isDeleted'] !== true)
    this.#elements = raws.map(elementOf)
    this.#byId = new Map(this.#elements.map(element => [element.id, element]))
    for (const { id, raw } of this.#elements) {
      const holder = this.#byId.get(string(raw['containerId']))?.raw['type']
      if (raw['type'] !== 'text' || typeof holder !== 'string' || !LABELLED.has(holder)) continue
      this.#labels.set(string(raw['containerId']), raw)
      this.#labels.set(id, raw)
    }
  }

  read (): Drawing {
    for (const element of this.#elements) {
      // The words of a shape are a part of it.
      if (this.#labels.get(element.id) === element.raw) continue
      const shape = this.#shapeOf(element)
      if (shape !== null) this.#shapes.set(element.id, shape)
    }
    for (const element of this.#elements) if (this.#shapes.get(element.id)?.type === 'arrow') this.#bind(element)
    return {
      shapes: this.#nested(), bindings: this.#bindings, assets: this.#assets, pages: [], left: this.#left.counts
    }
  }

  #shapeOf (element: Element): TLShape | null {
    switch (element.raw['type']) {
      case 'rectangle': case 'diamond': case 'ellipse': return this.#geo(element)
      case 'text': return textShape(element)
      case 'freedraw': return drawShape(element)
      case 'line': return this.#line(element)
      case 'arrow': return this.#arrow(element)
      case 'image': return this.#image(element)
      case 'frame': case 'magicframe': return shapeOf(element, 'frame', { w: element.w, h: element.h, name: string(element.raw['name']), color: 'black' })
      case 'embeddable': case 'iframe': this.#left.add('page of another server'); return null
      case 'selection': return null
      default: this.#left.add('thing of an unknown kind'); return null
    }
  }

  #geo (element: Element): TLShape {
    const { raw, w, h, id } = element
    const label = this.#labels.get(id)
    return shapeOf(element, 'geo', {
      geo: raw['type'], w, h, growY: 0, url: linkOf(raw), scale: 1, ...strokeOf(raw), ...fillOf(raw),
      labelColor: nearestColor(label?.['strokeColor'] ?? raw['strokeColor']),
      font: fontOf(label), align: alignOf(label?.['textAlign'], 'middle'), verticalAlign: verticalOf(label?.['verticalAlign']),
      richText: toRichText(label === undefined ? '' : wordsOf(label))
    })
  }

  #line (element: Element): TLShape | null {
    const points = pointsOf(element.raw)
    if (points.length < 2) return null
    if (isVisible(element.raw['backgroundColor']) && isClosed(points)) this.#left.add('filling of a line')
    const indices = getIndices(points.length)
    return shapeOf(element, 'line', {
      ...strokeOf(element.raw),
      spline: element.raw['roundness'] == null ? 'line' : 'cubic',
      points: Object.fromEntries(points.map(({ x, y }, n) => [indices[n], { id: indices[n], index: indices[n], x, y }])),
      scale: 1
    })
  }

  #arrow (element: Element): TLShape | null {
    const { raw, id } = element
    const points = pointsOf(raw)
    const [start, end] = [points[0], points.at(-1)]
    if (start === undefined || end === undefined || points.length < 2) return null
    const isElbow = raw['elbowed'] === true
    if (points.length > 3 && !isElbow) this.#left.add('bend of an arrow')
    const label = this.#labels.get(id)
    return shapeOf(element, 'arrow', {
      kind: isElbow ? 'elbow' : 'arc', ...strokeOf(raw), fill: 'none', labelColor: nearestColor(label?.['strokeColor'] ?? raw['strokeColor']),
      arrowheadStart: headOf(raw['startArrowhead']), arrowheadEnd: headOf(raw['endArrowhead']), font: fontOf(label),
      start, end, bend: isElbow ? 0 : bendOf(start, points[Math.floor(points.length / 2)] ?? end, end, points.length),
      text: label === undefined ? '' : wordsOf(label), labelPosition: 0.5, scale: 1, elbowMidPoint: 0.5
    })
  }

  #image (element: Element): TLShape | null {
    const { raw, w, h } = element
    const file = Object.hasOwn(this.#files, string(raw['fileId'])) ? this.#files[string(raw['fileId'])] : undefined
    const src = isObject(file) ? string(file['dataURL']) : ''
    const mimeType = /^data:(image\/[a-z+]+)[;,]/i.exec(src)?.[1]?.toLowerCase()
    if (mimeType === undefined) {
      this.#left.add('image without its file')
      return null
    }
    const id = AssetRecordType.createId()
    this.#assets.push({
      id, typeName: 'asset', type: 'image', meta: {}, props: { name: 'image', src, w, h, mimeType, isAnimated: mimeType === 'image/gif' }
    })
    const scale = Array.isArray(raw['scale']) ? raw['scale'] as unknown[] : []
    return shapeOf(element, 'image', {
      w, h, playing: true, url: linkOf(raw), assetId: id, crop: cropOf(raw['crop']), flipX: scale[0] === -1, flipY: scale[1] === -1, altText: ''
    })
  }

  #bind ({ id, raw, x, y, angle }: Element): void {
    const arrow = this.#shapes.get(id)
    if (arrow === undefined) return
    if (angle !== 0) {
      // Where its ends would be tied, they would move.
      if (isObject(raw['startBinding']) || isObject(raw['endBinding'])) this.#left.add('tie of a turned arrow')
      return
    }
    const points = pointsOf(raw)
    for (const [terminal, point] of [['start', points[0]], ['end', points.at(-1)]] as const) {
      const binding = raw[`${terminal}Binding`]
      const target = isObject(binding) ? this.#byId.get(string(binding['elementId'])) : undefined
      const shape = target === undefined ? undefined : this.#shapes.get(target.id)
      if (target === undefined || shape === undefined || point === undefined || !BINDABLE.has(shape.type)) continue
      this.#bindings.push({
        id: createBindingId(), typeName: 'binding', type: 'arrow', fromId: arrow.id, toId: shape.id, meta: {},
        props: { terminal, normalizedAnchor: anchorOf({ x: x + point.x, y: y + point.y }, target), isPrecise: true, isExact: false, snap: 'none' }
      })
    }
  }

  // Groups become shapes, and everything gets its parent, its place in it and its order there.
  #nested (): TLShape[] {
    const groups = new Map<string, { shape: TLShape, parent: string | null, members: number, corner: { x: number, y: number } }>()
    const parents = new Map<string, string>()
    for (const { id, raw, x, y } of this.#elements) {
      if (!this.#shapes.has(id)) continue
      const frame = !isFrame(raw) && this.#shapes.get(string(raw['frameId']))?.type === 'frame' ? string(raw['frameId']) : null
      const path = groupsOf(raw)
      path.forEach((group, n) => {
        const known = groups.get(group) ?? {
          shape: { ...EMPTY, id: createShapeId(), type: 'group', props: {} } as TLShape,
          parent: path[n + 1] ?? frame, members: 0, corner: { x: Infinity, y: Infinity }
        }
        known.members++
        known.corner = { x: Math.min(known.corner.x, x), y: Math.min(known.corner.y, y) }
        groups.set(group, known)
      })
      const parent = path[0] ?? frame
      if (parent !== null) parents.set(id, parent)
    }
    const placed = new Map<string, TLShape[]>()
    const seen = new Set<string>()
    const out: TLShape[] = []
    const place = (shape: TLShape, parent: string | undefined): void => {
      const holder = parent === undefined ? undefined : groups.get(parent)?.shape ?? this.#shapes.get(parent)
      const corner = parent === undefined ? { x: 0, y: 0 } : groups.get(parent)?.corner ?? this.#shapes.get(parent) ?? { x: 0, y: 0 }
      const at = { ...shape, x: shape.x - corner.x, y: shape.y - corner.y, ...(holder !== undefined && { parentId: holder.id }) } as TLShape
      out.push(at)
      const siblings = placed.get(parent ?? '') ?? []
      siblings.push(at)
      placed.set(parent ?? '', siblings)
    }
    for (const { id, raw } of this.#elements) {
      const shape = this.#shapes.get(id)
      if (shape === undefined) continue
      for (const group of groupsOf(raw).toReversed()) {
        const known = groups.get(group)
        if (known === undefined || seen.has(group)) continue
        seen.add(group)
        place({ ...known.shape, x: known.corner.x, y: known.corner.y }, known.parent ?? undefined)
      }
      place(shape, parents.get(id))
    }
    const order = new Map<TLShapeId, IndexKey>()
    for (const children of placed.values()) {
      const indices = getIndices(children.length)
      children.forEach((child, n) => { const index = indices[n]; if (index !== undefined) order.set(child.id, index) })
    }
    return out.map(shape => ({ ...shape, index: order.get(shape.id) ?? shape.index }))
  }
}

const LABELLED = new Set(['rectangle', 'diamond', 'ellipse', 'arrow'])
const BINDABLE = new Set<string>(['geo', 'text', 'image', 'frame'])

const EMPTY = {
  typeName: 'shape', parentId: 'page:page', index: 'a1' as IndexKey, x: 0, y: 0, rotation: 0, isLocked: false, opacity: 1, meta: {}
}

function elementOf (raw: Members): Element {
  const isLinear = raw['type'] === 'line' || raw['type'] === 'arrow' || raw['type'] === 'freedraw'
  const size = (name: string): number => Math.max(1, Math.abs(number(raw[name], 1)))
  return {
    id: string(raw['id']), raw, shapeId: createShapeId(), x: number(raw['x']), y: number(raw['y']),
    w: isLinear ? 0 : size('width'), h: isLinear ? 0 : size('height'), angle: number(raw['angle']) % (2 * Math.PI)
  }
}

function shapeOf (element: Element, type: string, props: Record<string, unknown>): TLShape {
  const { raw, shapeId, angle } = element
  return {
    ...EMPTY, ...corner(element), id: shapeId, type, rotation: angle, isLocked: raw['locked'] === true,
    opacity: Math.min(1, Math.max(0, number(raw['opacity'], 100) / 100)), props
  } as unknown as TLShape
}

// Where the upper left corner comes to lie when the element turns about its middle.
function corner ({ raw, x, y, w, h, angle }: Element): Point {
  if (angle === 0) return { x, y }
  let middle = { x: w / 2, y: h / 2 }
  if (w === 0) {
    const points = pointsOf(raw)
    const mean = (values: readonly number[]): number => (Math.min(...values) + Math.max(...values)) / 2
    if (points.length > 0) middle = { x: mean(points.map(point => point.x)), y: mean(points.map(point => point.y)) }
  }
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  return { x: x + middle.x - (cos * middle.x - sin * middle.y), y: y + middle.y - (sin * middle.x + cos * middle.y) }
}

function textShape (element: Element): TLShape | null {
  const { raw, w } = element
  const words = wordsOf(raw)
  if (words === '') return null
  const fontSize = Math.min(2_000, Math.max(1, number(raw['fontSize'], 20)))
  const [size, own] = TEXT_SIZES.reduce((best, one) => Math.abs(one[1] - fontSize) < Math.abs(best[1] - fontSize) ? one : best)
  const scale = fontSize / own
  return shapeOf(element, 'text', {
    color: nearestColor(raw['strokeColor']), size, font: fontOf(raw), textAlign: alignOf(raw['textAlign'], 'start'),
    w: w / scale, richText: toRichText(words), scale, autoSize: raw['autoResize'] !== false
  })
}

function drawShape (element: Element): TLShape | null {
  const { raw } = element
  const points = pointsOf(raw)
  if (points.length === 0) return null
  const isPen = raw['simulatePressure'] === false && Array.isArray(raw['pressures']) && raw['pressures'].length > 0
  const isFilled = isVisible(raw['backgroundColor']) && isClosed(points)
  return shapeOf(element, 'draw', {
    ...strokeOf(raw), fill: isFilled ? fillOf(raw).fill : 'none',
    segments: [{ type: 'free', points }], isComplete: true, isClosed: isFilled, isPen, scale: 1
  })
}

/** The points of a line, arrow or stroke, from the element's own corner; `z` is the pressure. */
function pointsOf (raw: Members): Array<Point & { readonly z?: number }> {
  const points = Array.isArray(raw['points']) ? raw['points'] as unknown[] : []
  const isStroke = raw['type'] === 'freedraw'
  const pressures = Array.isArray(raw['pressures']) ? raw['pressures'] as unknown[] : []
  const step = Math.max(1, Math.ceil(points.length / POINTS_MAX))
  return points.flatMap((point, n) => {
    if (!Array.isArray(point) || (n % step !== 0 && n !== points.length - 1)) return []
    const at = { x: number(point[0]), y: number(point[1]) }
    return [isStroke ? { ...at, z: Math.min(1, Math.max(0, number(pressures[n], 0.5))) } : at]
  })
}

function isClosed (points: readonly Point[]): boolean {
  const [first, last] = [points[0], points.at(-1)]
  return points.length > 2 && first !== undefined && last !== undefined && Math.hypot(first.x - last.x, first.y - last.y) < 12
}

// tldraw's arrows are arcs: how far the middle of this one lies beside the straight way.
function bendOf (start: Point, middle: Point, end: Point, count: number): number {
  const length = Math.hypot(end.x - start.x, end.y - start.y)
  if (count < 3 || length === 0) return 0
  const along = { x: (end.x - start.x) / length, y: (end.y - start.y) / length }
  return (middle.y - (start.y + end.y) / 2) * along.x - (middle.x - (start.x + end.x) / 2) * along.y
}

// Where on a shape an arrow ends, as a share of its width and height.
function anchorOf (point: Point, { x, y, w, h, angle }: Element): Point {
  const [dx, dy] = [point.x - x - w / 2, point.y - y - h / 2]
  const [cos, sin] = [Math.cos(-angle), Math.sin(-angle)]
  const share = (value: number, size: number): number => Math.min(0.98, Math.max(0.02, value / size + 0.5))
  return { x: share(cos * dx - sin * dy, w), y: share(sin * dx + cos * dy, h) }
}

function cropOf (crop: unknown): { topLeft: Point, bottomRight: Point } | null {
  if (!isObject(crop)) return null
  const [x, y, w, h] = ['x', 'y', 'width', 'height'].map(name => number(crop[name])) as [number, number, number, number]
  const [wide, high] = [number(crop['naturalWidth']), number(crop['naturalHeight'])]
  if (wide <= 0 || high <= 0 || w <= 0 || h <= 0) return null
  const within = (value: number): number => Math.min(1, Math.max(0, value))
  return { topLeft: { x: within(x / wide), y: within(y / high) }, bottomRight: { x: within((x + w) / wide), y: within((y + h) / high) } }
}

function strokeOf (raw: Members) {
  const width = number(raw['strokeWidth'], 2)
  const dashes: Record<string, string> = { dashed: 'dashed', dotted: 'dotted' }
  const style = string(raw['strokeStyle'])
  const isFilled = isVisible(raw['backgroundColor']) && raw['type'] !== 'arrow' && raw['type'] !== 'line'
  // One colour is for both here: what stands out is the one that is not plain black.
  const isPlain = !isVisible(raw['strokeColor']) || nearestColor(raw['strokeColor']) === 'black'
  return {
    color: nearestColor(isFilled && isPlain ? raw['backgroundColor'] : raw['strokeColor']),
    dash: (Object.hasOwn(dashes, style) ? dashes[style] : undefined) ?? (number(raw['roughness'], 1) === 0 ? 'solid' : 'draw'),
    size: width < 1.5 ? 's' : width < 3 ? 'm' : width < 5 ? 'l' : 'xl'
  }
}

function fillOf (raw: Members): { fill: string } {
  if (!isVisible(raw['backgroundColor'])) return { fill: 'none' }
  if (raw['fillStyle'] !== 'solid') return { fill: 'pattern' }
  return { fill: isPale(raw['backgroundColor']) ? 'solid' : 'fill' }
}

const TEXT_SIZES = [['s', 18], ['m', 24], ['l', 36], ['xl', 44]] as const

// 1, 5: by hand; 2, 6, 7 and what is new: plain; 3, 8: of one width.
function fontOf (raw: Members | undefined): string {
  const family = number(raw?.['fontFamily'], 1)
  return family === 3 || family === 8 ? 'mono' : family === 1 || family === 5 ? 'draw' : 'sans'
}

function alignOf (align: unknown, fallback: string): string {
  return align === 'left' ? 'start' : align === 'center' ? 'middle' : align === 'right' ? 'end' : fallback
}

function verticalOf (align: unknown): string {
  return align === 'top' ? 'start' : align === 'bottom' ? 'end' : 'middle'
}

const HEADS: Readonly<Record<string, string>> = {
  arrow: 'arrow', bar: 'bar', dot: 'dot', circle: 'dot', circle_outline: 'dot', triangle: 'triangle', triangle_outline: 'triangle',
  diamond: 'diamond', diamond_outline: 'diamond', crowfoot_one: 'bar', crowfoot_many: 'inverted', crowfoot_one_or_many: 'inverted'
}

function headOf (head: unknown): string {
  const name = string(head)
  return name === '' ? 'none' : Object.hasOwn(HEADS, name) ? HEADS[name] ?? 'arrow' : 'arrow'
}

/** The groups of an element, the innermost first. */
function groupsOf (raw: Members): string[] {
  // A frame in a group that is in the frame would go round in a circle.
  if (isFrame(raw)) return []
  const groups = Array.isArray(raw['groupIds']) ? raw['groupIds'] as unknown[] : []
  return [...new Set(groups.filter((group): group is string => typeof group === 'string' && group !== ''))].slice(0, GROUPS_MAX)
}

function isFrame ({ type }: Members): boolean {
  return type === 'frame' || type === 'magicframe'
}

// What was typed; `text` is that with the line breaks of the program that wrote it.
function wordsOf (raw: Members): string {
  return string(raw['containerId']) !== '' || raw['autoResize'] === false ? string(raw['originalText']) || string(raw['text']) : string(raw['text'])
}

function linkOf (raw: Members): string {
  const link = string(raw['link'])
  return /^https?:\/\//i.test(link) && URL.canParse(link) ? link : ''
}

function number (value: unknown, fallback = 0): number {
  return typeof value === 'number' && Number.isFinite(value) ? Math.min(GREATEST, Math.max(-GREATEST, value)) : fallback
}

function string (value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function isObject (value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
