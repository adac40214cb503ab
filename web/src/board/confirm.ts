// Asks the server over HTTP whether an update is durable: it answers once it is.
import { cookiesFor } from '../api'
import { under } from '../base'
import type { Credentials } from '../credentials'

/** Sends an update that the server may have; true once it is on disk. */
export async function sendDocument (
  board: string, credentials: Credentials, update: Uint8Array, signal: AbortSignal
): Promise<boolean> {
  const headers = new Headers({ 'content-type': 'application/octet-stream' })
  if (credentials.token !== undefined) headers.set('authorization', 'Bearer ' + credentials.token)
  if (credentials.apiKey !== undefined) headers.set('x-api-key', credentials.apiKey)
  const query = credentials.share === undefined ? '' : '?' + new URLSearchParams({ share: credentials.share }).toString()
  try {
    const answer = await fetch(under(`/v1/boards/${encodeURIComponent(board)}/document${query}`), {
      method: 'POST', headers, body: update as BodyInit, signal, credentials: cookiesFor(credentials), cache: 'no-store'
    })
    return answer.status === 204
  } catch {
    return false
  }
}
