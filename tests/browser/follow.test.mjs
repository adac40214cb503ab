// A press on somebody follows them: the camera and the page go where theirs go, until one moves oneself.
import assert from 'node:assert/strict'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

const center = tab => tab.evaluate(() => {
  const { x, y } = window.boardwire.editor.getViewportPageBounds().center
  return [x, y]
})
const look = (tab, x, y) => tab.evaluate(([x, y]) => { window.boardwire.editor.setCamera({ x, y, z: 1 }, { immediate: true }) }, [x, y])
const isAt = (tab, x, y) => tab.eventually(([x, y]) => {
  const { center } = window.boardwire.editor.getViewportPageBounds()
  return Math.abs(center.x - x) < 2 && Math.abs(center.y - y) < 2
}, [x, y], `the camera at ${x},${y}`)

async function followed (stage, options) {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice', options)
  const bob = await stage.editor(board, 'bob')
  await alice.meets('bob')
  await bob.create(box('one', 0, 0))
  await alice.sees('one')
  await look(bob, -3000, -2000)
  await alice.part('person').click()
  await alice.shows('You follow bob')
  await isAt(alice, ...await center(bob))
  return { board, alice, bob }
}

/** Nobody is followed, and what the other does moves nothing: a shape drawn after the move is here, so the move was. */
async function isFree (alice, bob) {
  await alice.eventually(() => document.querySelector('[data-testid=following]').textContent === '', undefined, 'nobody followed')
  const before = await center(alice)
  await look(bob, 7000, 7000)
  await bob.create(box('after', 0, 0))
  await alice.sees('after')
  await alice.eventually(() => [...window.boardwire.provider.awareness.getStates().values()].some(({ camera }) => camera?.x === 7000), undefined, 'where bob looks')
  assert.deepEqual(await center(alice), before)
}

test('the camera goes along until one moves it', async stage => {
  const { alice, bob } = await followed(stage)
  await look(bob, 4000, 1000)
  await isAt(alice, ...await center(bob))
  const [x, y] = await center(alice)
  await alice.page.mouse.move(600, 400)
  await alice.page.mouse.wheel(0, 300)
  await isAt(alice, x, y + 300)
  await isFree(alice, bob)
})

test('the page goes along, and Escape ends it', async stage => {
  const { alice, bob } = await followed(stage)
  await bob.evaluate(() => {
    const { editor } = window.boardwire
    editor.createPage({ id: 'page:second', name: 'Second' })
    editor.setCurrentPage('page:second')
  })
  await alice.eventually(() => window.boardwire.editor.getCurrentPageId() === 'page:second', undefined, 'the second page')
  await alice.press('Escape')
  await isFree(alice, bob)
})

test('on a phone the button ends it, by keyboard too', async stage => {
  const { alice, bob } = await followed(stage, { viewport: { width: 320, height: 568 } })
  const stop = alice.part('following').getByRole('button', { name: 'Stop' })
  const { x, width } = await stop.boundingBox()
  assert.ok(x >= 0 && x + width <= 320)
  await stop.focus()
  await alice.press('Enter')
  await isFree(alice, bob)
})

test('who leaves is followed no longer, and that is said', async stage => {
  const { alice, bob } = await followed(stage)
  await bob.page.close()
  await alice.shows('bob left. You follow nobody now.')
  assert.equal(await alice.part('following').textContent(), '')
})

test('two who follow each other do not chase each other', async stage => {
  const { alice, bob } = await followed(stage)
  await bob.part('person').click()
  await bob.create(box('two', 0, 0))
  await alice.sees('two')
  assert.equal(await bob.part('following').textContent(), '')
  await look(bob, -500, -500)
  await isAt(alice, ...await center(bob))
})
