// Waiting for states. Tests never sleep where a state can be waited for.

/** The deadline of every wait that names none, in milliseconds: generous, because CI machines are slow and shared. */
export const DEADLINE_MS = 15_000

/** Waits `ms` milliseconds: only for tests whose subject is time itself. */
export const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

/**
 * Polls `predicate` (which may be async) until it gives something truthy, and returns that. Throws after `deadlineMs`
 * with `what`, a text or a function that describes the state at that moment.
 */
export async function until (predicate, what = 'a state', deadlineMs = DEADLINE_MS) {
  const end = performance.now() + deadlineMs
  for (;;) {
    const value = await predicate()
    if (value) return value
    if (performance.now() > end) {
      const words = typeof what === 'function' ? what() : what
      throw new Error(`waited ${deadlineMs} ms in vain for ${words}`)
    }
    await pause(5)
  }
}

/** Rejects when `promise` is not settled within `deadlineMs`. */
export function within (promise, deadlineMs, what = 'a promise') {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${deadlineMs} ms in vain for ${what}`)), deadlineMs)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
