// Where one looks: page and camera, kept for the tab, so that a reload shows the same place.
import type { Editor, TLPageId } from 'tldraw'
import type { Sight } from './arrival'

/** Places beyond this are none: see tame.ts. */
const COORDINATE_MAX = 1e8

export interface View {
  readonly page: TLPageId
  readonly x: number
  readonly y: number
  readonly z: number
}

/** What was kept for a board; null where there is nothing that can be read. */
export function readView (storage: Pick<Storage, 'getItem'>, board: string): View | null {
  try {
    const kept: unknown = JSON.parse(storage.getItem(itemOf(board)) ?? 'null')
    if (typeof kept !== 'object' || kept === null) return null
    const { page, x, y, z } = kept as Record<string, unknown>
    const isPlace = [x, y].every(value => typeof value === 'number' && Math.abs(value) <= COORDINATE_MAX)
    const isView = isPlace && typeof page === 'string' && page.startsWith('page:') && typeof z === 'number' && z > 0 && z <= 64
    return isView ? { page: page as TLPageId, x: x as number, y: y as number, z } : null
  } catch {
    return null
  }
}

export function keepView (storage: Pick<Storage, 'setItem'>, board: string, editor: Editor): void {
  const { x, y, z } = editor.getCamera()
  try {
    storage.setItem(itemOf(board), JSON.stringify({ page: editor.getCurrentPageId(), x, y, z } satisfies View))
  } catch {
    // A full storage: the board opens on what is drawn.
  }
}

/** Goes there; false where that page is gone. */
export function showView (editor: Editor, { page, x, y, z }: View): boolean {
  if (editor.getPage(page) === undefined) return false
  if (page !== editor.getCurrentPageId()) editor.setCurrentPage(page)
  editor.setCamera({ x, y, z }, { immediate: true })
  return true
}

/** What is in view there; where nothing was kept, what is in view now. */
export function sightOf (editor: Editor, kept: View | null): Sight {
  const { x, y, z } = kept ?? editor.getCamera()
  const { w, h } = editor.getViewportScreenBounds()
  return { page: kept?.page ?? editor.getCurrentPageId(), x: -x, y: -y, w: w / z, h: h / z }
}

/** Brings a point of a page into view. */
export function goTo (editor: Editor, page: string, point: { x: number, y: number } | null): void {
  if (editor.getPage(page as TLPageId) === undefined) return
  if (page !== editor.getCurrentPageId()) editor.setCurrentPage(page as TLPageId)
  if (point !== null) editor.centerOnPoint(point, motion())
}

/** How the camera moves by itself: at once for who asked for little motion. */
export function motion (): { animation?: { duration: number } } {
  return matchMedia('(prefers-reduced-motion: reduce)').matches ? {} : { animation: { duration: 250 } }
}

function itemOf (board: string): string {
  return `boardwire.view:${board}`
}
