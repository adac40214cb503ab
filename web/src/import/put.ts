// Puts a drawing onto the canvas: at a place, selected, as one step that can be undone. Nothing that was
// there is touched.
import {
  Box, getIndexAbove, getIndicesAbove, type Editor, type IndexKey, type TLAsset, type TLRecord, type TLShape, type TLShapeId, type VecLike
} from 'tldraw'
import { DATA_URL_MAX, withKnownText } from '../board/external'
import { isTame, tamed } from '../board/tame'
import { BadFile, Left, type Drawing } from './drawing'

/** What became of it. */
export interface Put {
  readonly count: number
  readonly pages: number
  /** What is not on the board, in words, and how many of each. */
  readonly left: ReadonlyMap<string, number>
}

/** Throws a `BadFile`, with nothing changed, where the page has no room for it or nothing of it can be drawn. */
export function putDrawing (editor: Editor, drawing: Drawing, point: VecLike): Put {
  // Counted before anything costly is done with them.
  const { maxShapesPerPage } = editor.options
  const room = Math.max(0, maxShapesPerPage - editor.getCurrentPageShapeIds().size)
  const things = drawing.shapes.length
  if (things > room) {
    throw new BadFile(`This file has ${things} things, and a page of a board has room for ${maxShapesPerPage}; ${room} are left here.`)
  }
  const left = new Left()
  for (const [what, count] of drawing.left) left.counts.set(what, count)
  const records = prepared(editor, drawing, left)
  const here = records.shapes.filter(({ parentId }) => parentId === editor.getCurrentPageId())
  if (records.shapes.length === 0) throw new BadFile(nothingWords(left.counts))
  const before = [...editor.getSelectedShapeIds()]
  const mark = editor.markHistoryStoppingPoint('import')
  // What throws in here takes the whole editor down: nothing does.
  const gone = new Set<string>()
  editor.run(() => {
    editor.store.put(records.all)
    for (const { id, parentId } of records.shapes) if (gone.has(parentId) || !canDraw(editor, id)) gone.add(id)
    for (const _ of gone) left.add('thing that cannot be drawn')
    editor.store.remove([...gone] as TLShapeId[])
    const roots = here.filter(({ id }) => !gone.has(id))
    move(editor, roots, point)
    editor.setCurrentTool('select')
    editor.setSelectedShapes(roots.map(({ id }) => id))
  }, { ignoreShapeLock: true })
  const count = records.shapes.length - gone.size
  if (count === 0) {
    editor.bailToMark(mark)
    editor.setSelectedShapes(before)
    throw new BadFile(nothingWords(left.counts))
  }
  return { count, pages: records.pages, left: left.counts }
}

// Everything as it may be written, under the page that is shown or under new ones.
function prepared (editor: Editor, drawing: Drawing, left: Left) {
  const page = editor.getCurrentPageId()
  const room = Math.max(0, editor.options.maxPages - editor.getPages().length)
  const last = editor.getPages().at(-1)?.index ?? 'a1' as IndexKey
  const newPages = drawing.pages.slice(0, room)
  const pageIndices = getIndicesAbove(last, newPages.length)
  const pages = newPages.map((one, n) => ({ ...one, index: pageIndices[n] ?? one.index }))
  for (const _ of drawing.pages.slice(room)) left.add('page, as the board has no room for more')
  const lost = new Set<string>(drawing.pages.slice(room).map(({ id }) => id))
  const assets = drawing.assets.filter(asset => {
    const isGood = (asset.props.src ?? '').length <= DATA_URL_MAX
    if (!isGood) left.add('image of more than 1 MiB')
    return isGood
  })
  const known = new Set<string>(assets.map(({ id }) => id))
  const kept: TLShape[] = []
  // Parents before children: whatever is in what is left out is left out, too.
  for (const shape of parentsFirst(drawing.shapes)) {
    const { assetId } = shape.props as { assetId?: string | null }
    if (lost.has(shape.parentId) || (typeof assetId === 'string' && !known.has(assetId))) lost.add(shape.id)
    else kept.push(shape)
  }
  let index = editor.getHighestIndexForParent(page)
  const shapes = kept.flatMap(shape => {
    if (lost.has(shape.parentId)) {
      lost.add(shape.id)
      return []
    }
    const onPage = shape.parentId === 'page:page'
    const placed = tamed(withKnownText(editor, (onPage ? { ...shape, parentId: page, index } : shape) as TLShape))
    if (!isTame(placed as unknown as Record<string, unknown>) || !isValid(editor, placed)) {
      lost.add(shape.id)
      left.add('thing that cannot be drawn')
      return []
    }
    if (onPage) index = getIndexAbove(index)
    return placed
  })
  const there = new Set<string>(shapes.map(({ id }) => id))
  const bindings = drawing.bindings.filter(({ fromId, toId }) => there.has(fromId) && there.has(toId))
  const used = new Set(shapes.map(({ props }) => (props as { assetId?: string | null }).assetId))
  const all: TLRecord[] = [...pages, ...assets.filter(({ id }: TLAsset) => used.has(id)), ...shapes, ...bindings]
  return { all, shapes, pages: pages.length }
}

function parentsFirst (shapes: readonly TLShape[]): TLShape[] {
  const children = new Map<string, TLShape[]>()
  const ids = new Set<string>(shapes.map(({ id }) => id))
  const roots: TLShape[] = []
  for (const shape of shapes.toSorted((one, other) => one.index < other.index ? -1 : one.index > other.index ? 1 : 0)) {
    if (!ids.has(shape.parentId)) {
      roots.push(shape)
      continue
    }
    const siblings = children.get(shape.parentId)
    if (siblings === undefined) children.set(shape.parentId, [shape])
    else siblings.push(shape)
  }
  // What goes round in a circle has no root, and is not reached.
  const out = [...roots]
  for (let n = 0; n < out.length; n++) out.push(...children.get(out[n]?.id ?? '') ?? [])
  return out
}

function isValid (editor: Editor, shape: TLShape): boolean {
  try {
    editor.store.schema.types.shape.validate(shape)
    return true
  } catch {
    return false
  }
}

function move (editor: Editor, roots: readonly TLShape[], point: VecLike): void {
  const boxes = roots.flatMap(({ id }) => editor.getShapePageBounds(id) ?? [])
  if (boxes.length === 0) return
  const { center } = Box.Common(boxes)
  const [dx, dy] = [point.x - center.x, point.y - center.y]
  editor.store.put(roots.flatMap(({ id }) => {
    const shape = editor.getShape(id)
    return shape === undefined ? [] : [{ ...shape, x: shape.x + dx, y: shape.y + dy }]
  }))
}

function canDraw (editor: Editor, id: TLShapeId): boolean {
  try {
    const bounds = editor.getShapePageBounds(id)
    return bounds !== undefined && [bounds.x, bounds.y, bounds.w, bounds.h].every(Number.isFinite)
  } catch {
    return false
  }
}

/** "12 things were imported. Not imported: 1 image without its file." */
export function putWords ({ count, pages, left }: Put): string {
  const things = `${count.toLocaleString('en')} ${count === 1 ? 'thing was' : 'things were'} imported`
  const onPages = pages === 0 ? '' : `, on ${pages + 1} pages`
  return `${things}${onPages}.${left.size === 0 ? '' : ` Not imported: ${leftWords(left)}.`}`
}

function nothingWords (left: ReadonlyMap<string, number>): string {
  return left.size === 0 ? 'There is nothing in this file that could be drawn.' : `Nothing in this file could be imported: ${leftWords(left)}.`
}

function leftWords (left: ReadonlyMap<string, number>): string {
  return [...left].map(([what, count]) => `${count} x ${what}`).join(', ')
}

