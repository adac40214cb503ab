// Very large pictures are scaled down before they are sent: nobody sees more pixels, and everybody loads
// them.

/** Width and height of a picture that is brought, in pixels, at most: enough for a wall of screens. */
export const PICTURE_SIDE_MAX = 4096

/** Larger files are written anew, also where they have few pixels: photos without much compression. */
export const PICTURE_BYTES_ENOUGH = 8 * 1024 * 1024

/** How good pictures are that are written anew. */
const QUALITY = 0.9

/** What stands still, and is made of pixels. Of films, drawings and what moves, every byte is kept. */
const SCALED = new Set(['image/jpeg', 'image/png', 'image/webp', 'image/avif'])

/** The same picture with fewer pixels, or the file as it is where it is small enough. */
export async function scaledDown (file: Blob): Promise<Blob> {
  if (!SCALED.has(file.type)) return file
  const picture = await createImageBitmap(file)
  try {
    const { width, height } = fitted(picture)
    if (width === picture.width && file.size <= PICTURE_BYTES_ENOUGH) return file
    const written = await drawn(picture, width, height, file.type)
    return written !== null && (written.size < file.size || width < picture.width) ? written : file
  } finally {
    picture.close()
  }
}

/** The size of a picture that is as large as it may be. */
export function fitted ({ width, height }: { readonly width: number, readonly height: number }): { width: number, height: number } {
  const scale = Math.min(1, PICTURE_SIDE_MAX / Math.max(width, height, 1))
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) }
}

// Photos stay photos; what may have clear parts is written as WebP, or as PNG by browsers that write no WebP.
async function drawn (picture: ImageBitmap, width: number, height: number, type: string): Promise<Blob | null> {
  const canvas = document.createElement('canvas')
  canvas.width = width
  canvas.height = height
  const context = canvas.getContext('2d')
  if (context === null) return null
  context.imageSmoothingQuality = 'high'
  context.drawImage(picture, 0, 0, width, height)
  return await new Promise(resolve => canvas.toBlob(resolve, type === 'image/jpeg' ? type : 'image/webp', QUALITY))
}
