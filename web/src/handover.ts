// Signing in again in another window: that one comes back to a page of ours, which hands what it got to the
// page that waits for it. By a channel of this origin: a window that was at another site has lost its opener.
import { scoped } from './base'
import { openChannel } from './browser'
import { fragmentOf } from './credentials'
import { START } from './route'

const CHANNEL = scoped('boardwire.renewal')

/** Another page of this browser answers at once, or is not there. */
const ANSWER_MS = 1_500

/** A sign-in that came back for the page that `id` names; `token` is null where the browser itself is signed in now. */
export interface Return {
  readonly id: string
  readonly token: string | null
}

/** The address to come back to. */
export function returnAddress (id: string, origin = location.origin): string {
  return origin + START + '?' + new URLSearchParams({ renew: id }).toString()
}

/** What came back with this page's address, and is taken out of it; null where it is any other page. */
export function takeReturn (location: Location, history: History): Return | null {
  const query = new URLSearchParams(location.search)
  const id = query.get('renew') ?? ''
  if (id === '') return null
  const token = fragmentOf(location).get('token') ?? query.get('token')
  history.replaceState(history.state, '', location.pathname)
  return { id, token: token === '' ? null : token }
}

/** Hands it over; whether the page that waited has it. */
export async function handOver (back: Return): Promise<boolean> {
  const channel = openChannel(CHANNEL)
  if (channel === null) return false
  return await new Promise(resolve => {
    const end = (isTaken: boolean): void => {
      clearTimeout(timer)
      channel.close()
      resolve(isTaken)
    }
    const timer = setTimeout(() => end(false), ANSWER_MS)
    channel.onmessage = ({ data }: MessageEvent<{ taken?: unknown }>) => { if (data.taken === back.id) end(true) }
    channel.postMessage({ id: back.id, token: back.token })
  })
}

/** Waits for what comes back under `id`. Returns how to stop. */
export function awaitReturn (id: string, take: (token: string | null) => void): () => void {
  const channel = openChannel(CHANNEL)
  if (channel === null) return () => {}
  channel.onmessage = ({ data }: MessageEvent<{ id?: unknown, token?: unknown }>) => {
    if (data.id !== id) return
    channel.postMessage({ taken: id })
    take(typeof data.token === 'string' ? data.token : null)
  }
  return () => channel.close()
}
