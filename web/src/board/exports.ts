// A board as a file, saved under its title: a drawing that tldraw opens, its records, a picture. tldraw would
// call them "shapes at" and the time.
import { exportAs, type Editor, type TLRecord, type TLShapeId, type TLUiActionItem, type TLUiActionsContextType } from 'tldraw'
import { assetAddress } from './assetAddress'
import { readAsDataUrl, saveText, stemOf } from './files'

/** The formats of pictures. */
const PICTURES = ['svg', 'png'] as const

/** What tldraw's parser wants to be told: the format of the file itself. */
const TLDR_VERSION = 1

/** Tells that a picture could not be made. */
type OnFail = () => void

/** Actions of ours, and what tldraw's of the same names are to do instead. */
export function exportActions (editor: Editor, title: () => string, onFail: OnFail): TLUiActionsContextType {
  const stem = (): string => stemOf(title(), 'board')
  const save = (format: typeof PICTURES[number], ids: readonly TLShapeId[]): void => {
    if (ids.length === 0) return
    exportAs(editor, [...ids], { format, name: stem(), scale: 1 }).catch(onFail)
  }
  const all = (): TLShapeId[] => [...editor.getCurrentPageShapeIds()]
  const chosen = (): readonly TLShapeId[] => editor.getSelectedShapeIds().length > 0 ? editor.getSelectedShapeIds() : all()
  const actions: TLUiActionItem[] = [
    ...PICTURES.flatMap(format => [
      { id: `export-as-${format}`, readonlyOk: true, onSelect: () => save(format, chosen()) },
      { id: `export-all-as-${format}`, readonlyOk: true, onSelect: () => save(format, all()) }
    ]),
    { id: 'boardwire-save-tldr', label: 'tldraw file (.tldr)', readonlyOk: true, onSelect: () => { tldrOf(editor).then(text => saveText(`${stem()}.tldr`, text, TLDR_TYPE)).catch(onFail) } },
    { id: 'boardwire-save-json', label: 'JSON', readonlyOk: true, onSelect: () => saveText(`${stem()}.json`, JSON.stringify(recordsOf(editor), null, 2), 'application/json') }
  ]
  return Object.fromEntries(actions.map(action => [action.id, action]))
}

const TLDR_TYPE = 'application/vnd.tldraw+json'

/** The records of the board by id, as they stand in the document. */
export function recordsOf (editor: Editor): Record<string, TLRecord> {
  return editor.store.serialize('document') as Record<string, TLRecord>
}

/**
 * The board as a file for tldraw, with the pictures that lie beside it. Its own `serializeTldrawJson` would fetch images of
 * other servers, and put in where this person's camera and pointer are.
 */
export async function tldrOf (editor: Editor): Promise<string> {
  const records = await Promise.all(Object.values(recordsOf(editor)).map(async record => await withPicture(editor, record)))
  return JSON.stringify({ tldrawFileFormatVersion: TLDR_VERSION, schema: editor.store.schema.serialize(), records })
}

// One that cannot be had keeps its address: the rest of the file is good.
async function withPicture (editor: Editor, record: TLRecord): Promise<TLRecord> {
  if (record.typeName !== 'asset' || record.type === 'bookmark' || assetAddress(record.props.src ?? '') === null) return record
  const url = await editor.resolveAssetUrl(record.id, { shouldResolveToOriginal: true })
  if (url === null) return record
  const src = url.startsWith('data:') ? url : await readAsDataUrl(await (await fetch(url)).blob())
  return { ...record, props: { ...record.props, src } } as TLRecord
}
