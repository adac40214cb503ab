// Pictures of a board, saved under its title. tldraw would call them "shapes at" and the time.
import { exportAs, type Editor, type TLShapeId } from 'tldraw'
import { stemOf } from './files'

const FORMATS = ['svg', 'png'] as const

/** Tells that a picture could not be made. */
type OnFail = () => void

/** What tldraw's actions of these names are to do instead. */
export function exportActions (editor: Editor, title: () => string, onFail: OnFail): Record<string, { onSelect: () => void }> {
  const save = (format: typeof FORMATS[number], ids: readonly TLShapeId[]): void => {
    if (ids.length === 0) return
    exportAs(editor, [...ids], { format, name: stemOf(title(), 'board'), scale: 1 }).catch(onFail)
  }
  const all = (): TLShapeId[] => [...editor.getCurrentPageShapeIds()]
  const chosen = (): readonly TLShapeId[] => editor.getSelectedShapeIds().length > 0 ? editor.getSelectedShapeIds() : all()
  return Object.fromEntries(FORMATS.flatMap(format => [
    [`export-as-${format}`, { onSelect: () => save(format, chosen()) }],
    [`export-all-as-${format}`, { onSelect: () => save(format, all()) }]
  ]))
}
