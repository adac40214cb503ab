// Boards over HTTP, for scripts that measure: making them, filling them, and one that clients have drawn.
'use strict'

/** An update of a client of its own, 14 bytes. */
const change = client => Buffer.from([1, 1, client, 0, 0x28, 1, 1, 97, 1, 98, 1, 125, 1, 0])

/** The boards of a server, to whoever has this token. */
function boardsOf(api, token) {
  async function call(method, path = '', body = undefined) {
    const answer = await fetch(api + path, { method, body, headers: { authorization: `Bearer ${token}` } })
    if (!answer.ok) throw new Error(`${method} ${new URL(api).pathname}${path}: ${answer.status}`)
    return Buffer.from(await answer.arrayBuffer())
  }
  const edit = (id, update) => call('POST', `/${id}/document`, update)
  return {
    call,
    edit,
    make: id => call('POST', '', JSON.stringify({ id })),
    /** Makes boards that hold a state, and changes each once more: a board in use was read, changed and compacted. */
    async fill(state, from, to) {
      const ids = Array.from({ length: to - from }, (_, at) => `filled-${from + at}`)
      await each(ids, 8, async id => {
        await call('POST', '', JSON.stringify({ id }))
        await edit(id, state)
        await edit(id, change(7))
      })
    },
    /** The state of the one board that clients left. */
    async drawn() {
      const { items } = JSON.parse(await call('GET'))
      return call('GET', `/${items[0].id}/document`)
    },
  }
}

/** Does something with each, so many at a time. */
async function each(all, width, what) {
  const rest = all.values()
  const work = async () => {
    for (const one of rest) await what(one)
  }
  await Promise.all(Array.from({ length: width }, work))
}

module.exports = { boardsOf, change, each }
