// How a page opens a large board and pans over it, seen from inside: the same for our page and for stock
// tldraw. Times are milliseconds since the navigation began.

/** To be put into a page before its own scripts: notes when the first shapes are on the screen, and when the page is busy. */
export function watchOpening () {
  const opening = { first: null, lastBusy: 0, drawnAt: 0, drawn: 0, longest: 0, over: false }
  window.opening = opening
  let before = performance.now()
  // A timer that comes late says that something else ran; 20 ms is what a frame may take.
  const channel = new MessageChannel()
  const look = () => {
    if (opening.over) return
    const now = performance.now()
    const took = now - before
    if (took > 50) {
      opening.lastBusy = now
      opening.longest = Math.max(opening.longest, took)
    }
    before = now
    setTimeout(() => { channel.port2.postMessage(0) }, 4)
  }
  channel.port1.onmessage = look
  look()
  const frame = () => {
    if (opening.over) return
    let drawn = 0
    for (const shape of document.querySelectorAll('.tl-shape')) if (shape.style.display !== 'none') drawn++
    if (drawn !== opening.drawn) {
      opening.drawn = drawn
      // What this frame shows is painted once the next one begins.
      requestAnimationFrame(() => {
        opening.first ??= performance.now()
        opening.drawnAt = performance.now()
      })
    }
    requestAnimationFrame(frame)
  }
  requestAnimationFrame(frame)
}

/** In the page: null until so many shapes are in the store and nothing has kept the page busy for 500 ms; then what was seen. */
export function openingDone (shapes) {
  const editor = window.stock ?? window.boardwire?.editor
  if (editor === undefined) return null
  const { opening } = window
  const count = editor.store.query.ids('shape').get().size
  if (count >= shapes) opening.all ??= performance.now()
  if (count < shapes || performance.now() - Math.max(opening.lastBusy, opening.all) < 500) return null
  opening.over = true
  return { first: opening.first, all: opening.all, view: opening.drawnAt, idle: Math.max(opening.lastBusy, opening.all, opening.drawnAt), longest: opening.longest, drawn: opening.drawn }
}

/** In the page: pans for so long, and gives how long each frame took. */
export function pan (ms) {
  const editor = window.stock ?? window.boardwire.editor
  const start = editor.getCamera()
  const frames = []
  return new Promise(resolve => {
    const begin = performance.now()
    let last = begin
    const frame = () => {
      const now = performance.now()
      frames.push(now - last)
      last = now
      if (now - begin > ms) return resolve(frames.slice(1))
      const gone = (now - begin) * 0.8
      editor.setCamera({ x: start.x - gone, y: start.y - gone / 2, z: start.z }, { immediate: true })
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  })
}
