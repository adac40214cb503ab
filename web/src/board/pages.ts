// Pages take their shapes with them. tldraw leaves these in the store when a page is deleted, where nobody
// sees them; on other people's canvases they would look like shapes that were drawn while the page was
// deleted.
import type { Editor } from 'tldraw'

/** Deletes the shapes of a page that the person here deletes. Undo brings both back. Returns how to stop. */
export function deleteShapesWithPage (editor: Editor): () => void {
  return editor.sideEffects.registerBeforeDeleteHandler('page', (page, source) => {
    if (source === 'user') editor.store.remove([...editor.getPageShapeIds(page)])
  })
}
