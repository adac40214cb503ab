// Work of which only so much is done at a time.

/** Does a piece of work when it is its turn; work that nobody wants any more is not begun. */
export type Queue = <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>

/** A queue that does so many pieces of work at a time, in the order in which they came. */
export function createQueue (atOnce: number): Queue {
  let busy = 0
  const waiting: Array<() => void> = []
  const next = () => {
    if (busy >= atOnce) return
    const begin = waiting.shift()
    if (begin === undefined) return
    busy++
    begin()
  }
  return async (work, signal) => {
    await new Promise<void>(resolve => {
      waiting.push(resolve)
      next()
    })
    try {
      signal.throwIfAborted()
      return await work()
    } finally {
      busy--
      next()
    }
  }
}
