// Drawings of other programs, as files that are dropped on the canvas, pasted, or chosen from a menu.
import type { Editor, TLExternalContent, VecLike } from 'tldraw'
import type { Signals } from '../board/signals'
import { BadFile, type Drawing } from './drawing'
import { putDrawing, putWords } from './put'

/** A file may be as large as an image in it is many times over; a message to the server may have 32 MiB. */
export const FILE_BYTES_MAX = 16 * 1024 * 1024

const KINDS = ['.tldr', '.excalidraw'] as const
type Kind = typeof KINDS[number]

/** Said where one may only look. */
const READ_ONLY = 'You may only view this board, so nothing can be imported onto it.'

function kindOf ({ name }: File): Kind | null {
  return KINDS.find(kind => name.toLowerCase().endsWith(kind)) ?? null
}

type Files = Extract<TLExternalContent<unknown>, { type: 'files' }>

interface Handlers { readonly externalContentHandlers: { readonly files: ((info: Files) => void | Promise<void>) | null } }

/** Takes drawings out of what is dropped or pasted; all else goes on to where it went before. */
export function importFiles (editor: Editor, signals: Signals): void {
  // There is no public way to what was registered before; without it, images would go nowhere.
  const { files: others } = (editor as unknown as Handlers).externalContentHandlers
  editor.registerExternalContentHandler('files', async (info: Files) => {
    const drawings = info.files.filter(file => kindOf(file) !== null)
    const rest = info.files.filter(file => kindOf(file) === null)
    const at = info.point ?? editor.getViewportPageBounds().center
    // One after the other: each is a step of its own.
    for (const file of drawings) await importFile(editor, signals, file, at)
    if (rest.length > 0) await others?.({ ...info, files: rest })
  })
}

/** Imports one file, and says what became of it. */
export async function importFile (editor: Editor, signals: Signals, file: File, at: VecLike): Promise<void> {
  const name = file.name.length > 60 ? file.name.slice(0, 57) + '...' : file.name
  try {
    if (editor.getIsReadonly()) throw new BadFile(READ_ONLY)
    if (file.size > FILE_BYTES_MAX) throw new BadFile(`The file has more than ${FILE_BYTES_MAX / 1024 / 1024} MiB, which is the most that can be imported at a time.`)
    const drawing = await read(editor, file)
    // Much may have happened while it was read.
    if (editor.getIsReadonly()) throw new BadFile(READ_ONLY)
    signals.notice.set({ text: `${name}: ${putWords(putDrawing(editor, drawing, at))}`, isBad: false })
  } catch (cause) {
    const why = cause instanceof BadFile ? cause.message : 'This file is damaged: something in it is nothing that can be drawn.'
    signals.notice.set({ text: `${name}: ${why} Nothing was changed.`, isBad: true })
  }
}

async function read (editor: Editor, file: File): Promise<Drawing> {
  const text = await file.text()
  // Loaded when it is needed: few open files.
  if (kindOf(file) === '.excalidraw') return (await import('./excalidraw')).readExcalidraw(text)
  return (await import('./tldr')).readTldr(text, editor.store.schema as Parameters<typeof import('./tldr').readTldr>[1])
}

/** Asks for files, and imports them in the middle of what is in view. */
export function chooseFiles (editor: Editor, signals: Signals): void {
  const input = document.createElement('input')
  input.type = 'file'
  input.multiple = true
  input.accept = KINDS.join(',')
  // In the document until something is chosen: nothing else holds on to it, and people take their time.
  input.hidden = true
  input.addEventListener('cancel', () => input.remove())
  input.addEventListener('change', () => {
    input.remove()
    const at = editor.getViewportPageBounds().center
    void (async () => { for (const file of input.files ?? []) await importFile(editor, signals, file, at) })()
  })
  document.body.append(input)
  input.click()
}

/** Replaces tldraw's own way with what Excalidraw copies, which leaves out frames and more. */
export function importPasted (editor: Editor, signals: Signals): void {
  editor.registerExternalContentHandler('excalidraw', async ({ content, point }: { content: unknown, point?: VecLike }) => {
    const { elements, files } = content as { elements?: unknown, files?: unknown }
    const text = JSON.stringify({ type: 'excalidraw', version: 2, elements, files })
    await importFile(editor, signals, new File([text], 'clipboard.excalidraw'), point ?? editor.getViewportPageBounds().center)
  })
}
