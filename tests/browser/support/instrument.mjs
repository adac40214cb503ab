// Runs inside the page: notes when the canvas first holds a change, and when a hand did it.
//
// Times are of Date.now(): all tabs of a machine share that clock. performance.timeOrigin is taken by each
// process at its own start, and the two drift apart when the clock is set.

/** To be evaluated once in a page that has a canvas. Repeating it changes nothing. */
export function instrument () {
  if (window.boardwireTest !== undefined) return
  const { editor } = window.boardwire
  const book = () => {
    const times = new Map()
    const waiting = new Map()
    return {
      note (what, at) {
        if (times.has(what)) return
        times.set(what, at)
        waiting.get(what)?.(at)
      },
      when: what => times.has(what) ? times.get(what) : new Promise(resolve => waiting.set(what, resolve))
    }
  }
  const seen = book()
  const did = book()
  const moves = new Map()

  // The listeners of the store are called once a frame: what they tell of is about to be painted.
  editor.store.listen(({ changes }) => {
    const now = Date.now()
    for (const id of Object.keys(changes.added)) seen.note(`create ${id}`, now)
    for (const [before, after] of Object.values(changes.updated)) {
      if (before.x === after.x && before.y === after.y) continue
      seen.note(`move ${after.id} ${after.x},${after.y}`, now)
      if (!moves.has(after.id)) moves.set(after.id, [])
      moves.get(after.id).push([after.x, now])
    }
    for (const id of Object.keys(changes.removed)) seen.note(`delete ${id}`, now)
  }, { scope: 'document' })

  // What a hand does: the time of the input itself, not of when the page got round to it.
  let input = Date.now()
  for (const kind of ['pointerdown', 'pointermove', 'pointerup', 'keydown']) {
    addEventListener(kind, event => { input = Date.now() - Math.max(0, performance.now() - event.timeStamp) }, true)
  }
  const own = (source, what) => { if (source === 'user') did.note(what, input) }
  editor.sideEffects.registerAfterCreateHandler('shape', ({ id }, source) => own(source, `create ${id}`))
  editor.sideEffects.registerAfterDeleteHandler('shape', ({ id }, source) => own(source, `delete ${id}`))
  editor.sideEffects.registerAfterChangeHandler('shape', (before, after, source) => {
    if (before.x !== after.x || before.y !== after.y) own(source, `move ${after.id} ${after.x},${after.y}`)
  })

  window.boardwireTest = { seen: seen.when, did: did.when, moves: id => moves.get(id) ?? [] }
}
