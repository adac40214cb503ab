// What comes in by paste and drop, and where images come from. Nothing here asks another server: the content
// policy forbids it, and a board must not tell strangers who looks at it.
import {
  AssetRecordType, createShapeId, defaultHandleExternalTldrawContent, getHashForString, renderHtmlFromRichText, toRichText, type Editor, type TLAssetStore,
  type TLBookmarkAsset, type TLImageShape, type TLRichText, type TLShape
} from 'tldraw'
import { saveAs, stemOf } from './files'
import { textOf } from './tame'

/** Images go into the document, so they are small. */
export const IMAGE_BYTES_MAX = 1024 * 1024

/** The same as a data URL: base64 takes four bytes for three. */
export const DATA_URL_MAX = IMAGE_BYTES_MAX / 3 * 4 + 100

/** Said where a larger one is pasted. */
export const IMAGE_TOO_LARGE = 'Images may have at most 1 MiB. Make it smaller and try again.'

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
 * ending is of what it is. Null for what is no image in the document itself.
 */
export function fileName (name: string, src: string): string | null {
  const kind = /^data:image\/([a-z+]+)[;,]/i.exec(src)?.[1]?.toLowerCase()
  const ending = kind !== undefined && Object.hasOwn(ENDINGS, kind) ? ENDINGS[kind] : undefined
  if (ending === undefined) return null
  return `${stemOf(name.replace(/\.[^.]*$/, ''), 'image')}.${ending}`
}

/** Keeps images in the document itself. */
export const assetStore: TLAssetStore = {
  upload: async (_, file) => ({ src: await readAsDataUrl(file) }),
  resolve: asset => {
    const { src } = asset.props
    return src !== null && isLocal(src) ? src : null
  }
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
      !editor.store.has(id) && props.src?.startsWith('data:image') === true && props.src.length <= DATA_URL_MAX))
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
    const name = fileName(asset.props.name, asset.props.src)
    if (name !== null) saveAs(name, asset.props.src)
  }
}

async function readAsDataUrl (file: Blob): Promise<string> {
  return await new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(String(reader.result))
    reader.onerror = () => reject(reader.error ?? new Error('the file could not be read'))
    reader.readAsDataURL(file)
  })
}
