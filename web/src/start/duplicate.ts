// Another board with the same things on it. Half a copy is none: what fails takes the new board away again.
import type { Api, Board } from '../api'

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

/** Makes it, owned by the caller. */
export async function duplicate (api: Api, { id, title }: Board): Promise<Board> {
  const document = await api.readDocument(id)
  const made = await api.createBoard(copyTitle(title ?? id))
  try {
    await api.writeDocument(made.id, document)
    return await api.readBoard(made.id)
  } catch (cause) {
    await api.deleteBoard(made.id).catch(() => { throw new HalfCopied(made.title ?? made.id) })
    throw cause
  }
}
