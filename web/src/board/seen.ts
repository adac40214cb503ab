// What was never in view is not drawn: of a board of thousands of shapes one sees some dozens, and tldraw
// would make an element, its inside and three reactions for each, and hide it. What was seen once stays, as
// there. What only moves is not drawn anew. And what is in view is found without asking every shape anew for
// each step of the camera.
import { atom, computed, react, type Box, type Editor, type TLRenderingShape, type TLShapeId } from 'tldraw'

/** Draws only what was in view at some time. Returns how to stop. */
export function drawSeen (editor: Editor): () => void {
  const stop = findInView(editor)
  const all = editor.getRenderingShapes.bind(editor)
  const seen = computed<ReadonlySet<TLShapeId>>('seen', before => {
    const known: ReadonlySet<TLShapeId> = before instanceof Set ? before : new Set()
    const culled = editor.getCulledShapes()
    const found = [...editor.getCurrentPageShapeIds()].filter(id => !known.has(id) && !culled.has(id))
    return found.length === 0 && before === known ? known : new Set([...known, ...found])
  })
  const drawn = computed<readonly TLRenderingShape[]>('drawn', before => {
    const [ids, known] = [seen.get(), Array.isArray(before) ? before as TLRenderingShape[] : []]
    const byId = new Map(known.map(one => [one.id, one]))
    const now = all().filter(({ id }) => ids.has(id)).map(one => {
      const same = byId.get(one.id)
      return same !== undefined && looksTheSame(same, one) ? same : one
    })
    return now.length === known.length && now.every((one, at) => one === known[at]) ? known : now
  })
  editor.getRenderingShapes = () => drawn.get() as TLRenderingShape[]
  return stop
}

// tldraw's own goes through all that the bounds of every shape depend on. These change with the shapes, not
// with the camera. Shapes that are so new that their bounds are not known are asked.
function findInView (editor: Editor): () => void {
  const bounds = atom<ReadonlyMap<TLShapeId, Box | undefined>>('bounds', new Map())
  const stop = react('bounds', () => {
    bounds.set(new Map([...editor.getCurrentPageShapeIds()].map(id => [id, editor.getShapePageBounds(id)])))
  })
  const outside = computed<Set<TLShapeId>>('outside', before => {
    const [view, known, now] = [editor.getViewportPageBounds(), bounds.get(), new Set<TLShapeId>()]
    for (const id of editor.getCurrentPageShapeIds()) {
      const box = known.has(id) ? known.get(id) : editor.getShapePageBounds(id)
      if (box === undefined || !view.includes(box)) now.add(id)
    }
    return before instanceof Set && isSame(before, now) ? before : now
  })
  editor.getNotVisibleShapes = () => outside.get()
  return stop
}

// A shape that only moved is moved by tldraw's own reaction to its place, and what is inside of it reads the
// store: React need not look at it.
function looksTheSame (one: TLRenderingShape, other: TLRenderingShape): boolean {
  return one.shape.props === other.shape.props && one.shape.meta === other.shape.meta && one.shape.type === other.shape.type &&
    one.util === other.util && one.index === other.index && one.backgroundIndex === other.backgroundIndex &&
    one.opacity === other.opacity
}

function isSame (one: ReadonlySet<unknown>, other: ReadonlySet<unknown>): boolean {
  if (one.size !== other.size) return false
  for (const member of one) if (!other.has(member)) return false
  return true
}
