// Who is here: people with names and cursors, seen at once and gone at once.
import assert from 'node:assert/strict'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

/** A tab that closes must be gone from the others within this. */
const GONE_MS = 2_000

const test = suite()

test('two people see each other, with names and cursors, until one leaves', async (stage, t) => {
  const board = await stage.board('alice')
  const claims = name => ({ boards: { [board]: 'edit' }, name })
  const alice = await (await stage.person('alice', { claims: claims('Alice Liddell') })).open(board)
  await alice.meets()
  const bob = await (await stage.person('bob', { claims: claims('Bob Stone') })).open(board)
  await alice.meets('Bob Stone')
  await bob.meets('Alice Liddell')
  assert.equal(await alice.part('self').getAttribute('aria-label'), 'You, Alice Liddell')
  assert.equal(await alice.part('person').textContent(), 'BS')

  // A cursor is where the other's hand is, whatever either of them looks at.
  await alice.focus()
  await bob.focus()
  await bob.evaluate(() => { window.boardwire.editor.setCamera({ x: -50, y: 20, z: 0.5 }, { immediate: true }) })
  const place = await bob.at(400, 240)
  await bob.page.mouse.move(place.x, place.y)
  await alice.eventually(() => window.boardwire.editor.getCollaborators().some(({ cursor, userName }) =>
    userName === 'Bob Stone' && cursor !== null && Math.hypot(cursor.x - 400, cursor.y - 240) < 2), undefined, "Bob's cursor at 400, 240")
  await alice.shows('Bob Stone')

  await bob.create(box('chosen', 300, 200))
  await bob.evaluate(() => { window.boardwire.editor.select('shape:chosen') })
  await alice.eventually(() => window.boardwire.editor.getCollaborators().some(({ selectedShapeIds }) =>
    selectedShapeIds.includes('shape:chosen')), undefined, "Bob's selection")

  const closed = performance.now()
  await bob.page.close()
  await alice.meets()
  const took = performance.now() - closed
  t.diagnostic(`a closed tab was gone after ${Math.round(took)} ms`)
  assert.ok(took < GONE_MS)
  assert.equal(await alice.evaluate(() => window.boardwire.editor.getCollaborators().length), 0)
})

test('two tabs of one person are one mark with two cursors, and share every change', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.person('alice')
  const [first, second] = [await alice.open(board), await alice.open(board)]
  const bob = await stage.editor(board, 'bob')
  await bob.meets('alice, in 2 windows')
  await first.eventually(() => /in 2 windows/.test(document.querySelector('[data-testid=self]').getAttribute('aria-label')), undefined,
    'the second window in the first')
  await first.create(box('one', 10, 10))
  await second.sees('one', { x: 10 })
  await second.update('one', { x: 90 })
  await first.sees('one', { x: 90 })
  await first.remove('one')
  await second.misses('one')
  await second.page.close()
  await bob.meets('alice')
})

test('somebody who reloads is there once', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  await alice.meets('bob')
  await bob.page.reload()
  await bob.ready()
  await alice.meets('bob')
  await bob.meets('alice')
})

test('what somebody points at with the laser, others see, also of somebody who may only look; and then it is gone', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const bob = await (await stage.person('bob', { claims: { boards: { [board]: 'view' } } })).open(board)
  await alice.meets('bob')
  for (const tab of [alice, bob]) await tab.focus()
  const strokes = () => alice.page.locator('.tl-collaborator__scribble').count()
  await bob.page.keyboard.press('k')
  const [from, to] = [await bob.at(300, 200), await bob.at(600, 400)]
  await bob.page.mouse.move(from.x, from.y)
  await bob.page.mouse.down()
  await bob.page.mouse.move(to.x, to.y, { steps: 20 })
  // Its oldest points fade while the newest are drawn.
  await alice.eventually(() => window.boardwire.editor.getCollaborators().some(({ scribbles }) => scribbles.some(({ points }) =>
    points.length > 4 && points.every(({ x, y }) => Math.abs(y - 200 - (x - 300) * 2 / 3) < 1))), undefined, 'the stroke')
  assert.equal(await strokes(), 1)
  await bob.page.mouse.up()
  await alice.eventually(() => window.boardwire.editor.getCollaborators().every(({ scribbles }) => scribbles.length === 0), undefined, 'no stroke')
  assert.equal(await strokes(), 0)
  assert.deepEqual(await alice.shapeIds(), [])
})
