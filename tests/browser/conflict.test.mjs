// Two hands on one shape: one state in the end, the same everywhere, and who lost is told.
import assert from 'node:assert/strict'
import { until } from '../node/support/wait.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

test('two people who drag one shape at once end with one state, and the loser sees a hint', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  await alice.create(box('torn', 400, 300))
  await bob.sees('torn')
  for (const tab of [alice, bob]) {
    await tab.focus()
    await watchHints(tab)
  }
  const grips = await Promise.all([alice.at(450, 340), bob.at(450, 340)])
  // Each takes hold before either moves.
  for (const [n, tab] of [alice, bob].entries()) {
    await tab.page.mouse.move(grips[n].x, grips[n].y)
    await tab.page.mouse.down()
  }
  const pull = async (tab, { x, y }, dx, dy) => {
    for (let step = 1; step <= 12; step++) await tab.page.mouse.move(x + dx * step, y + dy * step)
    await tab.page.mouse.up()
  }
  await Promise.all([pull(alice, grips[0], 12, 0), pull(bob, grips[1], 0, 12)])

  const settled = await agreed(stage, board, [alice, bob], 'torn')
  const [hintOfAlice, hintOfBob] = [await hints(alice), await hints(bob)]
  assert.ok(hintOfAlice.includes('bob moved this too') || hintOfBob.includes('alice moved this too'),
    `hints: alice ${JSON.stringify(hintOfAlice)}, bob ${JSON.stringify(hintOfBob)}`)
  // Whoever sees another place than the one that was let go of has lost, and was told.
  const lost = { alice: Math.round(settled.x - 400) !== 144, bob: Math.round(settled.y - 300) !== 144 }
  if (lost.alice) assert.ok(hintOfAlice.includes('bob moved this too'), 'alice was told')
  if (lost.bob) assert.ok(hintOfBob.includes('alice moved this too'), 'bob was told')
  assert.ok(lost.alice || lost.bob, 'two states cannot both win')
})

test('a shape that is deleted in one\'s hand is gone everywhere, and one is told', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  await alice.create(box('doomed', 400, 300))
  await bob.sees('doomed')
  await alice.focus()
  const grip = await alice.at(450, 340)
  await alice.page.mouse.move(grip.x, grip.y)
  await alice.page.mouse.down()
  await alice.page.mouse.move(grip.x + 60, grip.y + 20, { steps: 3 })
  await bob.sees('doomed', { x: 460 })
  await bob.remove('doomed')
  await alice.misses('doomed')
  await alice.shows('Somebody else deleted what you were changing.')
  for (let step = 1; step < 5; step++) await alice.page.mouse.move(grip.x + 60 + step * 10, grip.y + 20)
  await alice.page.mouse.up()
  await alice.create(box('after', 0, 0))
  await bob.sees('after')
  for (const tab of [alice, bob]) assert.equal(await tab.shape('doomed'), null)
})

test('changes to different members of many shapes at once leave both pages alike', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  const ids = Array.from({ length: 20 }, (_, n) => `s${n}`)
  await alice.create(...ids.map((id, n) => box(id, (n % 5) * 150, Math.floor(n / 5) * 150)))
  await bob.sees('s19')
  await Promise.all(ids.flatMap((id, n) => [
    alice.update(id, { x: 1000 + n }),
    n % 4 === 0 ? bob.remove(id) : bob.update(id, { y: 1000 + n })
  ]))
  for (const id of ids) await agreed(stage, board, [alice, bob], id)
})

/** Waits until the pages and the server hold the same of a shape, and returns that. When it was changed last the canvas need not know. */
async function agreed (stage, board, tabs, id) {
  let states
  await until(async () => {
    const { tldraw } = await stage.api('alice').ok('GET', `/v1/boards/${board}/document?format=json`)
    states = [...await Promise.all(tabs.map(tab => tab.shape(id))), tldraw[`shape:${id}`] ?? null]
    const [first, ...others] = states.map(state => JSON.stringify(sorted(timeless(state))))
    return others.every(other => other === first)
  }, () => `one state of ${id}: ${JSON.stringify(states)}`)
  return states[0]
}

function timeless (state) {
  return state === null ? null : { ...state, meta: { ...state.meta, updated_at: undefined } }
}

function sorted (value) {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.keys(value).sort().map(name => [name, sorted(value[name])]))
}

/** Notes every hint that is shown from now on: they stay for seconds only. */
function watchHints (tab) {
  return tab.evaluate(() => {
    window.boardwireHints = []
    const look = () => {
      for (const hint of document.querySelectorAll('[data-testid=conflict-hint]')) {
        if (!window.boardwireHints.includes(hint.textContent)) window.boardwireHints.push(hint.textContent)
      }
    }
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true })
  })
}

const hints = tab => tab.evaluate(() => window.boardwireHints)
