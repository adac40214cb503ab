// A page that was open while the server was updated asks for files that are gone. It is loaded anew, once.
import { tabKeep } from './browser'

const RENEWED_ITEM = 'boardwire.renewed'

/** Within this time a second failure is no update: it is shown instead. */
const ONCE_MS = 60_000

export function renewAfterUpdate (): void {
  addEventListener('vite:preloadError', event => {
    const last = Number(tabKeep.getItem(RENEWED_ITEM) ?? 0)
    if (!navigator.onLine || tabKeep.fleeting === true || Date.now() - last < ONCE_MS) return
    tabKeep.setItem(RENEWED_ITEM, String(Date.now()))
    event.preventDefault()
    location.reload()
  })
}
