// Another board with the same things on it. Half a copy is none: what fails takes the new board away again.
import { ApiProblem, type Api, type Board } from '../api'

/** Letters of the name that go into a copy's title: so it has at most the 1,024 bytes that a title may have. */
const NAME_MAX = 249

/** The copy failed, and its board could not be taken away. */
export class HalfCopied extends Error {
  override readonly name = 'HalfCopied'
}

/** What a copy is called. */
export function copyTitle (name: string): string {
  return [...name].slice(0, NAME_MAX).join('') + ' (copy)'
}

/** The pictures that a document names, by their hash: in it the texts of records stand as they are. */
export function picturesIn (document: Uint8Array): Set<string> {
  const text = new TextDecoder('latin1').decode(document)
  return new Set([...text.matchAll(/\/assets\/([0-9a-f]{64})/g)].map(([, sha256]) => sha256 ?? ''))
}

async function bringPicture (api: Api, sha256: string, from: string, to: string): Promise<void> {
  const { signal } = new AbortController()
  let bytes
  try {
    bytes = await api.readAsset(from, sha256, signal)
  } catch (cause) {
    // One that is not on the board either is missing on the copy too.
    if (cause instanceof ApiProblem && cause.status === 404) return
    throw cause
  }
  await api.uploadAsset(to, bytes, () => {}, signal)
}

/** Makes it, owned by the caller. */
export async function duplicate (api: Api, { id, title }: Board): Promise<Board> {
  const document = await api.readDocument(id)
  const made = await api.createBoard(copyTitle(title ?? id))
  try {
    // Before the document, so that nobody sees it without them.
    for (const sha256 of picturesIn(document)) await bringPicture(api, sha256, id, made.id)
    await api.writeDocument(made.id, document)
    return await api.readBoard(made.id)
  } catch (cause) {
    await api.deleteBoard(made.id).catch(() => { throw new HalfCopied(made.title ?? made.id) })
    throw cause
  }
}
