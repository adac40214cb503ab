// Who somebody is to the others on the board: an id, a name, a colour.
import { randomId } from '../browser'
import type { Session } from '../session'

/** As the others see one. */
export interface Identity {
  /** `user:alice`; for who came without a token, an id of this tab. */
  readonly id: string
  /** Guests may take another one. */
  name: string
  readonly color: string
  /** For `created_by` and `updated_by`. */
  readonly actor: string
}

/** Colours that white text can be read on, and that differ on light and dark canvases. */
export const COLORS = [
  '#b3261e', '#a04000', '#7a5c00', '#3f6b00', '#00704a', '#006d77', '#00629d', '#3d5afe', '#6a3fc4', '#9c27b0', '#b5175f', '#5f5f5f'
] as const

/** The identity of the person at this page; `called` is the name that a guest has given. */
export function identityOf (session: Session, tab: string = randomId(), called: string | null = null): Identity {
  const id = session.sub === null ? `guest:${tab}` : `user:${session.sub}`
  return { id, name: session.sub === null ? called ?? session.name : session.name, color: colorOf(id), actor: session.sub === null ? 'anonymous' : id }
}

/** The same colour for the same id, on every page. */
export function colorOf (id: string): string {
  let hash = 0
  for (const character of id) hash = (Math.imul(hash, 31) + (character.codePointAt(0) ?? 0)) >>> 0
  return COLORS[hash % COLORS.length] ?? COLORS[0]
}
