// Changes of others that come faster than they can be shown: what came meanwhile is shown together, so that
// nobody lags behind a drag by more than what one step of it takes. Knows nothing of what they are.
import * as Y from 'yjs'

/** What takes less is shown at once, whatever came before. */
const QUICK_MS = 8

/** After a change the page draws for half as long as showing it took, and no longer than this. */
const DRAW_MS_MAX = 50

/** More is not kept: a tab in the background has no timers to speak of. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024

/** The updates of one document. */
export class Inbox {
  readonly #doc: Y.Doc
  readonly #origin: unknown
  #waiting: Uint8Array[] = []
  #bytes = 0
  #freeAt = 0
  #timer: ReturnType<typeof setTimeout> | null = null

  /** What is applied has `origin`. */
  constructor (doc: Y.Doc, origin: unknown) {
    this.#doc = doc
    this.#origin = origin
  }

  /** Applies an update, now or with those that come before long. */
  take (update: Uint8Array): void {
    this.#waiting.push(update)
    this.#bytes += update.length
    const wait = this.#freeAt - performance.now()
    if (wait <= 0 || this.#bytes > WAITING_BYTES_MAX) this.flush()
    else this.#timer ??= setTimeout(() => this.flush(), wait)
  }

  /** Applies all that came, as one change. */
  flush (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const updates = this.#waiting
    if (updates.length === 0) return
    this.#waiting = []
    this.#bytes = 0
    const start = performance.now()
    guarded(() => {
      Y.transact(this.#doc, () => {
        for (const update of updates) guarded(() => Y.applyUpdate(this.#doc, update, this.#origin))
      }, this.#origin, false)
    })
    const took = performance.now() - start
    this.#freeAt = took < QUICK_MS ? 0 : start + took + Math.min(took / 2, DRAW_MS_MAX)
  }
}

// One that cannot be read, or shown, must not take the others with it. The stock provider says so in these
// words.
function guarded (act: () => void): void {
  try {
    act()
  } catch (error) {
    console.error('Caught error while handling a Yjs update', error)
  }
}
