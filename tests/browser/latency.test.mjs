// Two people on one board: what one makes, moves and deletes is on the other's canvas within 200 ms, both
// ways.
import assert from 'node:assert/strict'
import { Measurements } from './support/measure.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

/** SYNC-03. */
const TARGET_MS = 200

/** Shapes each way; each is made, moved and deleted. */
const SHAPES = 40

/** Of these, how many by a real mouse and keyboard. */
const BY_HAND = 5

const test = suite()

test('a change in one tab is seen in the other within 200 ms', async (stage, t) => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  const measured = new Measurements('latency')
  for (const [from, to, way] of [[alice, bob, 'alice to bob'], [bob, alice, 'bob to alice']]) {
    await from.focus()
    for (let n = 0; n < SHAPES - BY_HAND; n++) await byScript(from, to, `${way.replaceAll(' ', '-')}-${n}`, way, measured)
    for (let n = 0; n < BY_HAND; n++) await byHand(from, to, way, measured)
  }
  measured.report(t)
  const { count, p99, max } = measured.all
  t.diagnostic(`${count} changes: 99 of 100 within ${p99} ms, all within ${max} ms`)
  assert.equal(count, 2 * SHAPES * 3)
  assert.ok(p99 < TARGET_MS, `one change in a hundred took ${p99} ms and more`)
})

// The clocks are the same one, read in whole milliseconds.
const elapsed = (from, to) => Math.max(0, to - from)

async function byScript (from, to, id, way, measured) {
  const made = await from.create(box(id, 40, 40))
  measured.add(`${way}, create`, elapsed(made, await to.seen(`create shape:${id}`)))
  const moved = await from.update(id, { x: 300, y: 200 })
  measured.add(`${way}, move`, elapsed(moved, await to.seen(`move shape:${id} 300,200`)))
  const removed = await from.remove(id)
  measured.add(`${way}, delete`, elapsed(removed, await to.seen(`delete shape:${id}`)))
}

async function byHand (from, to, way, measured) {
  const before = await from.shapeIds()
  await from.press('r')
  await from.drag([400, 300], [520, 380])
  const made = (await from.shapeIds()).find(id => !before.includes(id))
  const times = async what => elapsed(await from.did(what), await to.seen(what))
  measured.add(`${way}, create by hand`, await times(`create ${made}`))
  await from.press('v')
  // The border: the inside of a new shape is empty.
  await from.drag([400, 340], [470, 400])
  const { x, y } = await from.shape(made.replace('shape:', ''))
  measured.add(`${way}, move by hand`, await times(`move ${made} ${x},${y}`))
  await from.press('Delete')
  measured.add(`${way}, delete by hand`, await times(`delete ${made}`))
}
