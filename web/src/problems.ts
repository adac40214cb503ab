// What went wrong, in words for people.
import { ApiProblem } from './api'

const WORDS: Record<string, string> = {
  unreachable: 'The server cannot be reached. Check your connection and try again.',
  unauthenticated: 'This needs a token. Sign in with one first.',
  invalid_credential: 'Your token or link is not valid here, or was revoked. Ask for a new one.',
  expired_credential: 'Your token or link has expired. Ask for a new one.',
  forbidden: 'You may not do this. Only the owner of a board, or an admin, manages it.',
  forbidden_origin: 'The page was opened under another address than the server is told (--public-url). Ask whoever runs it for the right one.',
  no_such_session: 'This browser was signed out already.',
  no_such_board: 'There is no such board.',
  board_deleted: 'This board was deleted.',
  board_exists: 'There is a board with this id already.',
  no_such_grant: 'This was removed already.',
  no_such_link: 'This link was revoked already.',
  no_such_key: 'This key was revoked already.',
  invalid_user_id: 'A user id has 1 to 256 bytes, without control characters.',
  invalid_team_id: 'A team id has 1 to 256 bytes, without control characters.',
  too_many_grants: 'This board is shared with as many as it can be. Remove one first.',
  too_many_links: 'This board has as many links as it can have. Revoke one first.',
  too_many_keys: 'This board has as many keys as it can have. Revoke one first.',
  too_many_connections: 'The server is busy. Try again in a moment.',
  misdirected: 'This server is not to be reached under this address. Ask whoever runs it for the right one.',
  shutting_down: 'The server is about to stop. Try again in a moment.'
}

/** A sentence for whatever a call failed with. */
export function explain (cause: unknown): string {
  if (!(cause instanceof ApiProblem)) return 'Something went wrong in this page. Reload it.'
  const words = WORDS[cause.code]
  if (words !== undefined) return words
  if (cause.status >= 500) return 'The server cannot do this at the moment. Try again later.'
  return sentence(cause.message)
}

/** Whether another token or link is what is missing. */
export function isRefusedCredential (cause: unknown): boolean {
  return cause instanceof ApiProblem && cause.status === 401
}

function sentence (words: string): string {
  const start = words.charAt(0).toUpperCase() + words.slice(1)
  return /[.!?]$/.test(start) ? start : start + '.'
}
