// One tab with the page in it: what a person sees and does there, and what the canvas holds.
import { until } from '../../node/support/wait.mjs'
import { instrument } from './instrument.mjs'

/** A shape as tests make it: a filled rectangle, easy to see and to press. */
export const box = (id, x = 0, y = 0, props = {}) =>
  ({ id: `shape:${id}`, type: 'geo', x, y, props: { w: 100, h: 80, fill: 'solid', ...props } })

export class Tab {
  /** WebSocket connections that this tab has made, each with its frames: `{ sent, bytes }`. */
  sockets = []

  constructor (page, person) {
    this.page = page
    this.person = person
    page.on('websocket', socket => {
      const frames = []
      this.sockets.push({ url: socket.url(), frames })
      socket.on('framesent', ({ payload }) => frames.push({ sent: true, bytes: payload }))
      socket.on('framereceived', ({ payload }) => frames.push({ sent: false, bytes: payload }))
    })
  }

  /** Waits until the canvas is there and the server's state is on it. */
  async ready () {
    await this.canvas()
    await this.says('connected')
  }

  /** Waits until the canvas is there, from wherever. */
  async canvas () {
    await this.eventually(() => window.boardwire?.editor !== undefined, undefined, 'the canvas')
    await this.page.evaluate(instrument)
  }

  /** Polls a function in the page until it gives something truthy. The page's content policy forbids Playwright's own. */
  async eventually (look, argument, what = String(look), deadlineMs) {
    return await until(async () => {
      try {
        return await this.page.evaluate(look, argument)
      } catch (error) {
        // The page is on its way to another address.
        if (/context was destroyed|navigation/i.test(error.message)) return null
        throw error
      }
    }, what, deadlineMs)
  }

  evaluate (play, argument) {
    return this.page.evaluate(play, argument)
  }

  // What a person sees around the canvas.

  /** How the indicator stands: `{ link, saving, text, long }`; null where there is none. */
  indicator () {
    return this.page.evaluate(() => {
      const element = document.querySelector('[data-testid=indicator]')
      if (element === null) return null
      const { link, saving } = element.dataset
      return { link, saving, text: element.querySelector('.bw-indicator-text').textContent, long: element.title }
    })
  }

  /** Waits until the indicator is at this link and, where given, this state of saving. */
  async says (link, saving, deadlineMs) {
    let last = null
    return await until(async () => {
      last = await this.indicator().catch(() => null)
      return last !== null && last.link === link && (saving === undefined || last.saving === saving) ? last : null
    }, () => `the indicator to say ${link} ${saving ?? ''}; it says ${JSON.stringify(last)}`, deadlineMs)
  }

  /** The part of the page that tests know by this name. */
  part (name) {
    return this.page.locator(`[data-testid=${name}]`)
  }

  /** Waits until some text is visible on the page. */
  async shows (text, deadlineMs = 10_000) {
    // tldraw measures text in a copy that nobody sees.
    await this.page.getByText(text).filter({ visible: true }).first().waitFor({ timeout: deadlineMs })
  }

  /** The others in the presence bar, as they are called to assistive technology, sorted. */
  async people () {
    return (await this.part('person').evaluateAll(marks => marks.map(mark => mark.getAttribute('aria-label')))).sort()
  }

  /** Waits until these are the others in the presence bar. */
  async meets (...names) {
    let last
    await until(async () => {
      last = await this.people()
      return last.join() === [...names].sort().join()
    }, () => `${names.join(', ') || 'nobody'} in the presence bar; there are ${last.join(', ') || 'none'}`)
  }

  // What the canvas holds.

  /** The shape, or null. */
  shape (id) {
    return this.page.evaluate(id => window.boardwire.editor.getShape(id) ?? null, `shape:${id}`)
  }

  /** Ids of all shapes of the document, sorted. */
  shapeIds () {
    return this.page.evaluate(() => window.boardwire.editor.store.allRecords()
      .filter(record => record.typeName === 'shape').map(record => record.id).sort())
  }

  /** Waits until the shape is there and as described. */
  async sees (id, expected = {}) {
    await this.eventually(([id, expected]) => {
      const shape = window.boardwire?.editor.getShape(id)
      return shape !== undefined && Object.entries(expected).every(([name, value]) => (shape[name] ?? shape.props[name]) === value)
    }, [`shape:${id}`, expected], `shape ${id} with ${JSON.stringify(expected)}`)
  }

  /** Waits until the shape is gone. */
  async misses (id) {
    await this.eventually(id => window.boardwire?.editor.getShape(id) === undefined, `shape:${id}`, `shape ${id} to be gone`)
  }

  /** Makes shapes as the person at this tab, and returns when it was done. */
  create (...shapes) {
    return this.page.evaluate(shapes => {
      const at = Date.now()
      window.boardwire.editor.createShapes(shapes)
      return at
    }, shapes)
  }

  /** Changes a shape as the person at this tab. */
  update (id, change) {
    return this.page.evaluate(([id, change]) => {
      const { editor } = window.boardwire
      const at = Date.now()
      editor.updateShape({ id, type: editor.getShape(id).type, ...change })
      return at
    }, [`shape:${id}`, change])
  }

  remove (id) {
    return this.page.evaluate(id => {
      const at = Date.now()
      window.boardwire.editor.deleteShapes([id])
      return at
    }, `shape:${id}`)
  }

  /** When this page's canvas first showed it (support/instrument.mjs): `create`, `move` or `delete` of a shape. */
  seen (what) {
    return this.page.evaluate(what => window.boardwireTest.seen(what), what)
  }

  /** When the person's own input did it. */
  did (what) {
    return this.page.evaluate(what => window.boardwireTest.did(what), what)
  }

  /** The text of a shape, whatever its kind. */
  text (id) {
    return this.page.evaluate(id => {
      const { editor } = window.boardwire
      const shape = editor.getShape(id)
      return shape === undefined ? null : editor.getShapeUtil(shape).getText(shape) ?? null
    }, `shape:${id}`)
  }

  // What a person does with hands.

  /** Where a point of the canvas is in the window. */
  at (x, y) {
    return this.page.evaluate(point => {
      const { x, y } = window.boardwire.editor.pageToViewport(point)
      const { left, top } = window.boardwire.editor.getContainer().getBoundingClientRect()
      return { x: x + left, y: y + top }
    }, { x, y })
  }

  /** Presses at one point of the canvas and lets go at another. */
  async drag (from, to, steps = 6) {
    const [start, end] = [await this.at(...from), await this.at(...to)]
    const { mouse } = this.page
    await mouse.move(start.x, start.y)
    await mouse.down()
    await mouse.move(end.x, end.y, { steps })
    await mouse.up()
  }

  async press (key) {
    await this.page.keyboard.press(key)
  }

  /** Puts the canvas where tests expect it, and the keyboard on it. */
  async focus () {
    await this.page.evaluate(() => {
      const { editor } = window.boardwire
      editor.setCamera({ x: 0, y: 0, z: 1 }, { immediate: true, force: true })
      editor.focus()
    })
  }

  // What went over the wire.

  /** Frames of sync updates (message 0, kind 2), over all connections so far. */
  updates (direction) {
    return this.sockets.flatMap(({ frames }) => frames)
      .filter(({ sent, bytes }) => sent === (direction === 'sent') && bytes[0] === 0 && bytes[1] === 2)
  }
}
