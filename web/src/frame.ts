// The page in a frame of another page, which may hand it a token: docs/embed.md.

const NEEDED = 'boardwire:token-needed'
const TOKEN = 'boardwire:token'

/** How long the page around is given to answer. */
const ANSWER_MS = 3_000

/** Whether the page around is another one. */
export function isFramed (here: Window = window): boolean {
  return here.parent !== here
}

/** Whether an address asks for the board without the bar above it. */
export function isEmbedded (search: string): boolean {
  return new URLSearchParams(search).get('embed') === '1'
}

/** Calls back with each token that the page around hands in; what others send is not heard. Returns how to stop. */
export function onHandedToken (take: (token: string) => void, here: Window = window): () => void {
  const hear = ({ source, data }: MessageEvent<unknown>): void => {
    if (!isFramed(here) || source !== here.parent || typeof data !== 'object' || data === null) return
    const { type, token } = data as Record<string, unknown>
    if (type === TOKEN && typeof token === 'string' && token !== '') take(token)
  }
  here.addEventListener('message', hear)
  return () => here.removeEventListener('message', hear)
}

/** Says that a token is needed for the board. Who embeds it is decided by the server (`--allow-frame`), so anybody may hear it. */
export function needToken (board: string, here: Window = window): void {
  if (isFramed(here)) here.parent.postMessage({ type: NEEDED, board }, '*')
}

/** Asks the page around; null where there is none, or it does not answer in time. */
export async function askParent (board: string, here: Window = window): Promise<string | null> {
  if (!isFramed(here)) return null
  return await new Promise(resolve => {
    const stop = onHandedToken(token => end(token), here)
    const timer = setTimeout(() => end(null), ANSWER_MS)
    const end = (token: string | null): void => {
      clearTimeout(timer)
      stop()
      resolve(token)
    }
    needToken(board, here)
  })
}
