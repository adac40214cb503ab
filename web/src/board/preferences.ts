// What somebody likes about the canvas: kept in the browser, for all boards. Never who they are.
import type { TLUserPreferences } from 'tldraw'

const ITEM = 'boardwire.preferences'

type Preferences = Omit<TLUserPreferences, 'id' | 'name' | 'color'>

/** The colours follow the system until somebody says otherwise. */
const DEFAULTS: Preferences = { colorScheme: 'system' }

/** What was kept; the defaults where nothing was, or what was kept cannot be read. */
export function readPreferences (storage: Pick<Storage, 'getItem'>): Preferences {
  try {
    const kept: unknown = JSON.parse(storage.getItem(ITEM) ?? 'null')
    return typeof kept === 'object' && kept !== null ? { ...DEFAULTS, ...kept } : DEFAULTS
  } catch {
    return DEFAULTS
  }
}

export function keepPreferences (storage: Pick<Storage, 'setItem'>, preferences: TLUserPreferences): void {
  const { id: _id, name: _name, color: _color, ...kept } = preferences
  try {
    storage.setItem(ITEM, JSON.stringify(kept))
  } catch {
    // A full storage: the preference holds until the page is closed.
  }
}
