// What comes in by paste and drop, and where images come from. Nothing here asks another server: the content
// policy forbids it, and a board must not tell strangers who looks at it.
import {
  AssetRecordType, createShapeId, defaultHandleExternalTldrawContent, getHashForString, renderHtmlFromRichText, toRichText, type Editor,
  type TLBookmarkAsset, type TLImageShape, type TLRichText, type TLShape
} from 'tldraw'
import { assetAddress } from './assetAddress'
import { saveAs, stemOf } from './files'
import { textOf } from './tame'

/** Images of a drawing that is imported or pasted go into the document first, so they are small: 1 MiB in base64. */
export const DATA_URL_MAX = 1024 * 1024 / 3 * 4 + 100

/** Whether an address may be loaded under the content policy: our own, or data that is here already. */
export function isLocal (src: string, origin: string = location.origin): boolean {
  if (/^(data|blob):/i.test(src)) return true
  try {
    return new URL(src, origin).origin === origin
  } catch {
    return false
  }
}

/** Whether an address may be offered as a link. */
export function isLinkable (url: string): boolean {
  return /^https?:\/\//i.test(url)
}

/** How a file of each kind of image ends. */
const ENDINGS: Record<string, string> = {
  png: 'png', jpeg: 'jpg', gif: 'gif', webp: 'webp', avif: 'avif', apng: 'png', 'svg+xml': 'svg'
}

/**
 * What an image of a board is called when it is saved: others chose its name, so of that only plain letters count, and the
 * ending is of what it is. Null for what is no image that this page shows.
 */
export function fileName (name: string, src: string, type: string | null = null): string | null {
  const known = assetAddress(src) === null ? src : `data:${type ?? ''};`
  const kind = /^data:image\/([a-z+]+)[;,]/i.exec(known)?.[1]?.toLowerCase()
  const ending = kind !== undefined && Object.hasOwn(ENDINGS, kind) ? ENDINGS[kind] : undefined
  if (ending === undefined) return null
  return `${stemOf(name.replace(/\.[^.]*$/, ''), 'image')}.${ending}`
}

/** Whether a picture may come along with what is pasted: it lies there itself, or beside a board. */
function isOfBoards (src: string): boolean {
  return assetAddress(src) !== null || (src.startsWith('data:image') && src.length <= DATA_URL_MAX)
}

/** Replaces the ways of tldraw that would fetch what a pasted address names. */
export function keepContentLocal (editor: Editor): void {
  editor.registerExternalContentHandler('url', ({ point, url }) => {
    const at = point ?? editor.getViewportPageBounds().center
    editor.createShape({ id: createShapeId(), type: 'text', x: at.x, y: at.y, props: { richText: linkText(url) } })
  })
  editor.registerExternalContentHandler('embed', null)
  editor.registerExternalContentHandler('tldraw', content => {
    // tldraw would fetch the data URLs of images from other boards to upload them; they are stored as they
    // are.
    editor.createAssets(content.content.assets.filter(({ id, props }) =>
      !editor.store.has(id) && props.src != null && isOfBoards(props.src)))
    const shapes = content.content.shapes.map(shape => withKnownText(editor, shape))
    return defaultHandleExternalTldrawContent(editor, { ...content, content: { ...content.content, shapes } })
  })
  editor.registerExternalAssetHandler('url', async ({ url }): Promise<TLBookmarkAsset> => ({
    id: AssetRecordType.createId(getHashForString(url)),
    typeName: 'asset',
    type: 'bookmark',
    props: { src: url, title: url, description: '', image: '', favicon: '' },
    meta: {}
  }))
}

/** Where text has parts that this page does not know, tldraw throws as it draws it; then its words are pasted. */
export function withKnownText <S extends TLShape> (editor: Editor, shape: S): S {
  const { richText } = shape.props as { richText?: TLRichText }
  if (richText === undefined) return shape
  try {
    renderHtmlFromRichText(editor, richText)
    return shape
  } catch {
    return { ...shape, props: { ...shape.props, richText: toRichText(textOf(richText)) } }
  }
}

function linkText (url: string): ReturnType<typeof toRichText> {
  if (!isLinkable(url)) return toRichText(url)
  const marks = [{ type: 'link', attrs: { href: url, target: '_blank', rel: 'noopener noreferrer nofollow', class: null } }]
  return { type: 'doc', content: [{ type: 'paragraph', content: [{ type: 'text', text: url, marks }] }] }
}

/** Saves the images of the selected shapes, as tldraw's own action does, under names of ours. */
export function saveImages (editor: Editor): void {
  for (const shape of editor.getSelectedShapes()) {
    const id = editor.isShapeOfType<TLImageShape>(shape, 'image') ? shape.props.assetId : null
    const asset = id === null ? undefined : editor.getAsset(id)
    if (asset?.type !== 'image' || asset.props.src === null) continue
    const name = fileName(asset.props.name, asset.props.src, asset.props.mimeType)
    if (name === null) continue
    void editor.resolveAssetUrl(asset.id, { shouldResolveToOriginal: true }).then(url => { if (url !== null) saveAs(name, url) })
  }
}
