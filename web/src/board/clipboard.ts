// Copying and cutting shapes. tldraw writes to `navigator.clipboard` and does not look whether that worked:
// where there is none (plain http) it throws, and where the browser refuses, what was cut is nowhere. The
// browser's own event takes both.
import { type Editor, isDefined, type TLContent } from 'tldraw'
import { type Copied, copyByCommand, putInto } from '../browser'

/** Answers the copy and cut of the keyboard and of the browser's menu. Returns how to stop. */
export function copyShapes (editor: Editor): () => void {
  const life = new AbortController()
  const answer = (event: ClipboardEvent): void => {
    if (!isMeant(editor)) return
    const copied = copiedFrom(editor)
    if (copied === null) return
    // Before tldraw, which listens to the document.
    event.stopImmediatePropagation()
    if (putInto(event, copied) && event.type === 'cut') deleteCut(editor)
  }
  for (const type of ['copy', 'cut'] as const) addEventListener(type, answer, { capture: true, signal: life.signal })
  return () => life.abort()
}

/** Copies or cuts from tldraw's own menu; false where the browser does not let us, and then everything is as it was. */
export function copyFromMenu (editor: Editor, act: 'copy' | 'cut'): boolean {
  const copied = copiedFrom(editor)
  if (copied === null) return true
  if (!copyByCommand(copied)) return false
  if (act === 'cut') deleteCut(editor)
  return true
}

// As tldraw decides it for its own listeners.
function isMeant (editor: Editor): boolean {
  return editor.getInstanceState().isFocused && editor.getEditingShapeId() === null && !editor.menus.hasAnyOpenMenus() &&
    editor.user.getAreKeyboardShortcutsEnabled()
}

function deleteCut (editor: Editor): void {
  editor.markHistoryStoppingPoint('cut')
  editor.deleteShapes(editor.getSelectedShapeIds())
}

/** The selected shapes as they travel; null where none are. */
function copiedFrom (editor: Editor): Copied | null {
  const content = editor.getContentFromCurrentPage(editor.getSelectedShapeIds())
  if (content === undefined) return null
  const texts = content.shapes.map(shape => editor.getShapeUtil(shape).getText(shape)).filter(isDefined)
  // An empty text would be no text to some browsers, and then they paste nothing at all.
  return { 'text/html': `<div data-tldraw>${clipboardJson(content)}</div>`, 'text/plain': texts.join(' ').trim() || ' ' }
}

/** What tldraw reads as its own, in letters that no reader of HTML changes. */
export function clipboardJson (data: TLContent): string {
  const json = JSON.stringify({ type: 'application/tldraw', kind: 'content', version: 2, data })
  return json.replace(/[<>&\u0080-\uffff]| (?= )/g, one => '\\u' + one.charCodeAt(0).toString(16).padStart(4, '0'))
}
