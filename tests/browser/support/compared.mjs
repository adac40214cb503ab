// How near the server's picture of a board comes to the page's own export of it.

/** As wide as a card of the start page, about. */
export const WIDTH = 240

/**
 * How much a pixel may differ on average, of 255, between the two. Measured: 0.3 to 2.4 for the boards of pictured.mjs; 4.6 and more where
 * ours is mirrored or empty.
 */
export const NEAR = 3

/** In the page: both pictures at thumbnail size, how much they differ, and how much the first differs from what is wrong. */
export async function compare ({ ours, theirs, width }) {
  const load = async source => {
    const image = new Image()
    image.src = source
    await image.decode()
    return image
  }
  const [one, other] = [await load(ours), await load(theirs)]
  const height = Math.max(1, Math.round(width * other.naturalHeight / other.naturalWidth))
  const pixels = (image, draw = context => context.drawImage(image, 0, 0, width, height)) => {
    const canvas = new OffscreenCanvas(width, height)
    const context = canvas.getContext('2d', { willReadFrequently: true })
    context.imageSmoothingQuality = 'high'
    draw(context)
    return context.getImageData(0, 0, width, height).data
  }
  const mirrored = context => {
    context.scale(-1, 1)
    context.drawImage(one, -width, 0, width, height)
  }
  const empty = context => {
    const [r, g, b] = pixels(other)
    context.fillStyle = `rgb(${r} ${g} ${b})`
    context.fillRect(0, 0, width, height)
  }
  const differ = (a, b) => a.reduce((sum, value, n) => sum + Math.abs(value - b[n]), 0) / (width * height * 3)
  const wanted = pixels(other)
  const pair = document.createElement('canvas')
  pair.width = one.naturalWidth + other.naturalWidth + 8
  pair.height = Math.max(one.naturalHeight, other.naturalHeight)
  pair.getContext('2d').drawImage(one, 0, 0)
  pair.getContext('2d').drawImage(other, one.naturalWidth + 8, 0)
  return {
    near: differ(pixels(one), wanted),
    wrong: [mirrored, empty].map(draw => differ(pixels(one, draw), wanted)),
    sizes: [one, other].map(image => [image.naturalWidth, image.naturalHeight]),
    pair: pair.toDataURL()
  }
}

/** In the page: its own export of all that is on its canvas. */
export async function exported (darkMode) {
  const { editor } = window.boardwire
  const ids = [...editor.getCurrentPageShapeIds()]
  const { blob } = await editor.toImage(ids, { format: 'png', background: true, padding: 32, scale: 1, pixelRatio: 1, darkMode })
  return await new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(reader.result)
    reader.onerror = () => reject(reader.error)
    reader.readAsDataURL(blob)
  })
}
