// What is wrong with what was seen: pure. Must not measure anything.

/** What holds for every attack; docs/limits.md and SECURITY.md say why. */
export const BOUNDS = {
  /** Milliseconds until the probes hear each other. */
  p99: 200,
  /** MiB that the server may hold beside the boards that the attack stored and what an idle server has. */
  beside: 512,
  /**
   * MiB that may still be held beside the boards once all is given back. The allocator of glibc keeps freed blocks of up to
   * 32 MiB in each of its arenas, so a few large answers leave this much; what is held for good grows past it.
   */
  slack: 256,
  /** Seconds until it is given back. */
  back: 60
}

/** Sentences about how `seen` breaks what `attack` and `bounds` ask for; none where it is in order. */
export function faults (attack, seen, bounds) {
  const wrong = []
  const say = (is, words) => { if (is) wrong.push(words) }
  say(seen.failed, seen.failed)
  say(seen.died, `the server died: ${seen.died}`)
  say(seen.errors > 0, `${seen.errors} ERROR lines in the log, such as ${seen.error}`)
  say(seen.missing > 0, `${seen.missing} changes of the probes were never heard of (${seen.states})`)
  say(seen.p99 > bounds.p99, `p99 is ${Math.round(seen.p99)} ms, over ${bounds.p99}`)
  say(seen.beside > bounds.beside, `${Math.round(seen.beside)} MiB beside the boards, over ${bounds.beside}`)
  say(seen.notBack, seen.notBack)
  return wrong.concat(surprises(attack, seen.outcomes ?? {}))
}

/** Outcomes that are missing, and such as may not be. An entry of `must` is one outcome, or several of which one has to be. */
function surprises ({ must = [], may = [] }, outcomes) {
  const had = Object.keys(outcomes)
  const groups = must.map(entry => [entry].flat())
  const wrong = groups.filter(group => !group.some(outcome => had.includes(outcome))).map(group => `not once: ${group.join(' or ')}`)
  const allowed = new Set([...groups.flat(), ...may])
  return wrong.concat(had.filter(outcome => !allowed.has(outcome)).map(outcome => `${outcomes[outcome]} times: ${outcome}`))
}
