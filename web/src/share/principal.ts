// Principals as the API writes them, and where their grants are.
import type { Grantee } from '../api'

/** The principal of everybody. */
export const PUBLIC = 'public'

/** Where the grant of a principal is set and removed. */
export function grantee (principal: string): Grantee {
  if (principal.startsWith('user:')) return { kind: 'users', id: principal.slice('user:'.length) }
  if (principal.startsWith('team:')) return { kind: 'teams', id: principal.slice('team:'.length) }
  return { kind: 'public' }
}
