// Who sits here, for display only: names on cursors, "yours" on boards. The server alone decides what anybody
// may do.

/**
 * How one is signed in: by the token that the page has; by a session of this browser, or a proxy that has signed one in, both
 * of which travel by themselves. `lapsed`: one was, and is no longer.
 */
export type SignedInBy = 'token' | 'session' | 'proxy' | 'lapsed' | null

/** The person at this page, as far as the token tells, or the server has told. */
export interface Session {
  /** The user id (the claim `sub`); null for who is not signed in. */
  readonly sub: string | null
  /** What to call them. */
  readonly name: string
  /** Whether the token says that they manage every board. */
  readonly admin: boolean
  /** When the sign-in ends, in milliseconds since 1970; null without one. */
  readonly expires: number | null
  readonly by: SignedInBy
}

/** Who is not signed in. */
export const GUEST: Session = { sub: null, name: 'Guest', admin: false, expires: null, by: null }

/** Whether its time is over. */
export function isOver ({ expires }: Session, now = Date.now()): boolean {
  return expires !== null && expires <= now
}

/** Whether the browser itself sends what says who one is. */
export function isAmbient ({ by }: Session): boolean {
  return by === 'session' || by === 'proxy'
}

/** Reads the token's claims without verifying them. What cannot be read is a guest; the server will refuse it. */
export function readSession (token: string | undefined): Session {
  const claims = readClaims(token)
  if (claims === null) return GUEST
  const sub = subject(claims['sub'])
  if (sub === null) return GUEST
  const { name, exp } = claims
  return {
    sub,
    name: typeof name === 'string' && name.trim() !== '' ? name.trim() : sub,
    admin: claims['role'] === 'admin',
    expires: typeof exp === 'number' ? exp * 1000 : null,
    by: 'token'
  }
}

/** The boards that the token itself lets one edit (the claim `boards`): opening one that never was makes it. */
export function editableByToken (token: string | undefined): string[] {
  const boards = readClaims(token)?.['boards']
  if (typeof boards !== 'object' || boards === null) return []
  return Object.entries(boards).filter(([, level]) => level === 'edit').map(([id]) => id)
}

function subject (sub: unknown): string | null {
  if (typeof sub === 'string' && sub !== '') return sub
  return Number.isSafeInteger(sub) ? String(sub) : null
}

/** What a signed text says, unverified. */
export function readClaims (token: string | undefined): Record<string, unknown> | null {
  const payload = token?.split('.')[1]
  if (payload === undefined) return null
  try {
    const base64 = payload.replace(/-/g, '+').replace(/_/g, '/')
    const bytes = Uint8Array.from(atob(base64), character => character.charCodeAt(0))
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof claims === 'object' && claims !== null ? claims as Record<string, unknown> : null
  } catch {
    return null
  }
}

/** Whether to offer what only an owner or admin may do. */
export function manages (board: { readonly owner: string | null }, session: Session): boolean {
  return session.admin || (session.sub !== null && board.owner === session.sub)
}
