// Points out shapes on the canvas: what others changed while one was away, and what they change at the same
// moment.
import { createContext, use } from 'react'
import { useEditor, useValue, type Editor } from 'tldraw'
import type { Mark } from './changes'
import type { Signals } from './signals'

/** Where the marks come from: tldraw renders its parts without props. */
export const MarksContext = createContext<Signals | null>(null)

/** More are counted in the chip, not drawn. */
const DRAWN_MAX = 200

interface Placed extends Mark {
  readonly x: number
  readonly y: number
  readonly w: number
  readonly h: number
}

export function Marks () {
  const editor = useEditor()
  const signals = use(MarksContext)
  const away = useValue('away', () => placed(editor, signals?.away.get()?.marks ?? []), [editor, signals])
  const conflict = useValue('conflict', () => {
    const now = signals?.conflict.get() ?? null
    return now === null ? null : { ...now, place: placed(editor, [now])[0] ?? null }
  }, [editor, signals])
  return (
    <>
      {away.map(mark => (
        <div key={mark.id} className='bw-mark' data-testid='away-mark' style={styleOf(mark)}>
          <span className='bw-mark-who'>{mark.who}</span>
        </div>
      ))}
      {conflict?.place != null && (
        <div className='bw-mark bw-conflict' style={styleOf(conflict.place)}>
          <span className='bw-mark-who' role='status' data-testid='conflict-hint'>{conflict.text}</span>
        </div>
      )}
    </>
  )
}

function styleOf ({ x, y, w, h }: Placed) {
  return { transform: `translate(${x}px, ${y}px)`, width: w, height: h }
}

function placed (editor: Editor, marks: readonly Mark[]): Placed[] {
  const zoom = editor.getZoomLevel()
  const places: Placed[] = []
  for (const mark of marks) {
    if (places.length === DRAWN_MAX) break
    const box = isOnPage(editor, mark) ? editor.getShapePageBounds(mark.id) : undefined
    if (box === undefined) continue
    const { x, y } = editor.pageToViewport(box.point)
    places.push({ ...mark, x, y, w: box.w * zoom, h: box.h * zoom })
  }
  return places
}

function isOnPage (editor: Editor, { id }: Mark): boolean {
  return editor.getAncestorPageId(id) === editor.getCurrentPageId()
}
