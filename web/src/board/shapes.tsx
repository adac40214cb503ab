// Shapes whose content would come from other servers: they keep their place and say what they are; a link
// opens it. And those that tldraw would draw too slowly.
import {
  ArrowShapeUtil, BookmarkShapeUtil, EmbedShapeUtil, HTMLContainer, ImageShapeUtil, stopEventPropagation, VideoShapeUtil,
  type TLArrowShape, type TLAssetId, type TLBookmarkShape, type TLEmbedShape, type TLImageShape, type TLShape, type TLVideoShape
} from 'tldraw'
import { assetAddress } from './assetAddress'
import { ENDLESS_CLASS, withCuts } from './endless'
import { isLinkable, isLocal } from './external'

/** Longer titles and descriptions are cut: they have a few lines. */
const LABEL_MAX = 500

interface ElsewhereProps {
  readonly shape: TLShape & { readonly props: { readonly w: number, readonly h: number } }
  readonly kind: string
  readonly label: string
  readonly url: string | null
}

function Elsewhere ({ shape, kind, label, url }: ElsewhereProps) {
  const link = url !== null && isLinkable(url) ? url : null
  return (
    <HTMLContainer id={shape.id} style={{ width: shape.props.w, height: shape.props.h }}>
      <div className='bw-elsewhere' data-testid='elsewhere'>
        <span className='bw-elsewhere-kind'>{kind}</span>
        {label !== '' && <span className='bw-elsewhere-label'>{label.slice(0, LABEL_MAX)}</span>}
        {link !== null && (
          <a href={link} target='_blank' rel='noopener noreferrer' onPointerDown={stopEventPropagation}>
            Open {hostOf(link)}
          </a>
        )}
      </div>
    </HTMLContainer>
  )
}

function hostOf (url: string): string {
  try {
    return new URL(url).host
  } catch {
    return 'link'
  }
}

class LocalImageShapeUtil extends ImageShapeUtil {
  override component (shape: TLImageShape) {
    const src = sourceOf(this, shape.props.assetId)
    if (src === null || isLocal(src)) return super.component(shape)
    return <Elsewhere shape={shape} kind='Image on another server' label={shape.props.altText} url={src} />
  }
}

class LocalVideoShapeUtil extends VideoShapeUtil {
  override component (shape: TLVideoShape) {
    const src = sourceOf(this, shape.props.assetId)
    // Empty while it is brought.
    if (src === '' || (src !== null && assetAddress(src) !== null)) return super.component(shape)
    return <Elsewhere shape={shape} kind='Video' label={shape.props.altText} url={src} />
  }
}

class LocalEmbedShapeUtil extends EmbedShapeUtil {
  override component (shape: TLEmbedShape) {
    return <Elsewhere shape={shape} kind='Page on another server' label='' url={shape.props.url} />
  }
}

class LocalBookmarkShapeUtil extends BookmarkShapeUtil {
  override component (shape: TLBookmarkShape) {
    const asset = shape.props.assetId === null ? undefined : this.editor.getAsset(shape.props.assetId)
    const title = asset?.type === 'bookmark' ? asset.props.title : ''
    return <Elsewhere shape={shape} kind='Link' label={title} url={shape.props.url} />
  }
}

// An arrow's label is plain text, which tldraw draws as it stands: see endless.ts. What is being written is
// left whole.
class CutArrowShapeUtil extends ArrowShapeUtil {
  override component (shape: TLArrowShape) {
    const text = withCuts(shape.props.text)
    if (text === shape.props.text) return super.component(shape)
    const isWritten = this.editor.getEditingShapeId() === shape.id
    return (
      <div className={`bw-through ${ENDLESS_CLASS}`}>
        {super.component(isWritten ? shape : { ...shape, props: { ...shape.props, text } })}
      </div>
    )
  }
}

function sourceOf ({ editor }: ImageShapeUtil | VideoShapeUtil, id: TLAssetId | null): string | null {
  const asset = id === null ? undefined : editor.getAsset(id)
  return asset?.props.src ?? null
}

/** For the `shapeUtils` of `<Tldraw>`. */
export const localShapeUtils = [LocalImageShapeUtil, LocalVideoShapeUtil, LocalEmbedShapeUtil, LocalBookmarkShapeUtil, CutArrowShapeUtil]
