// An invitation in the address: `/#invite=...`. It is taken out at once; only a press uses it.
import { fragmentOf } from './credentials'
import { readClaims } from './session'

/** Somebody is invited. */
export interface Invite {
  readonly token: string
  /** As whom; null where it does not say. */
  readonly name: string | null
  /** The board that it is for, where it names exactly one. */
  readonly board: string | null
}

/** Reads an invitation without verifying it. */
export function readInvite (token: string): Invite {
  const { name, boards } = readClaims(token) ?? {}
  const ids = typeof boards === 'object' && boards !== null ? Object.keys(boards) : []
  return { token, name: typeof name === 'string' && name !== '' ? name : null, board: ids.length === 1 ? ids[0] ?? null : null }
}

/** Opens an invitation that comes while another page is shown in this tab: only the fragment is another then. */
export function watchInvites (): void {
  addEventListener('hashchange', () => {
    if (fragmentOf(location).has('invite')) location.reload()
  })
}

/** The invitation of this page's address; null where there is none. */
export function takeInvite (location: Location, history: History): Invite | null {
  const token = fragmentOf(location).get('invite')
  if (token === null || token === '') return null
  history.replaceState(history.state, '', location.pathname + location.search)
  return readInvite(token)
}
