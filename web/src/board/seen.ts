// What was never in view is not drawn: of a board of thousands of shapes one sees some dozens, and tldraw
// would make an element, its inside and three reactions for each, and hide it. What was seen once stays, as
// there. And what is in view is found without asking every shape anew for each step of the camera.
import { atom, computed, react, type Box, type Editor, type TLShapeId } from 'tldraw'

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
  const drawn = computed('drawn', () => {
    const ids = seen.get()
    return all().filter(({ id }) => ids.has(id))
  })
  editor.getRenderingShapes = () => drawn.get()
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

function isSame (one: ReadonlySet<unknown>, other: ReadonlySet<unknown>): boolean {
  if (one.size !== other.size) return false
  for (const member of one) if (!other.has(member)) return false
  return true
}
