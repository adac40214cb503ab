// No change comes back: one change is one update on the wire, and undo takes back one's own only.
import assert from 'node:assert/strict'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

test('one change is one update, and comes back only as the echo that says saved', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  // The first change also makes the board's page.
  await alice.create(box('first', 0, 0))
  await bob.sees('first')
  await alice.says('connected', 'saved')
  for (const act of [
    () => alice.create(box('one', 100, 100)),
    () => alice.update('one', { x: 250 }),
    () => alice.update('one', { props: { color: 'red' } }),
    () => alice.remove('one')
  ]) {
    const before = [counts(alice), counts(bob)]
    await count(alice)
    await count(bob)
    await act()
    await quiet(stage, alice, bob)
    const [byAlice, byBob] = [counts(alice), counts(bob)].map(({ sent, received }, n) => [sent - before[n].sent, received - before[n].received])
    assert.deepEqual(byAlice, [1, 1], 'alice sends one update and gets one echo')
    assert.deepEqual(byBob, [0, 1], 'bob sends none and gets one')
    assert.deepEqual(await counted(alice), { own: 1, remote: 0 })
    assert.deepEqual(await counted(bob), { own: 0, remote: 1 })
  }
})

test('opening and looking at a board writes nothing', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  await alice.focus()
  await alice.page.mouse.move(500, 400, { steps: 4 })
  await alice.page.mouse.wheel(0, 300)
  await alice.press('h')
  await alice.drag([100, 100], [300, 300])
  await alice.press('v')
  const bob = await stage.editor(board, 'bob')
  await quiet(stage, alice, bob)
  assert.deepEqual([counts(alice).sent, counts(bob).sent], [0, 0])
  assert.equal(await alice.evaluate(() => window.boardwire.doc.store.clients.size), 0)
})

test('undo takes back one\'s own changes only', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  const mark = tab => tab.evaluate(() => window.boardwire.editor.markHistoryStoppingPoint())
  await alice.create(box('hers', 100, 100))
  await bob.sees('hers')
  await mark(alice)
  await alice.update('hers', { x: 300 })
  await bob.sees('hers', { x: 300 })
  await mark(bob)
  await bob.update('hers', { props: { color: 'red' } })
  await bob.create(box('his', 500, 100))
  await alice.sees('his')
  await alice.sees('hers', { color: 'red' })

  // By keyboard: her move is undone, his colour stays, and so does his shape.
  await alice.focus()
  await alice.press('Control+z')
  await bob.sees('hers', { x: 100, color: 'red' })
  await alice.sees('hers', { x: 100, color: 'red' })
  assert.notEqual(await alice.shape('his'), null)
  await alice.press('Control+Shift+z')
  await bob.sees('hers', { x: 300, color: 'red' })

  // What he deletes meanwhile stays deleted.
  await bob.remove('hers')
  await alice.misses('hers')
  await alice.press('Control+z')
  await alice.create(box('fence', 0, 0))
  await bob.sees('fence')
  assert.equal(await bob.shape('hers'), null)
  assert.equal(await alice.shape('hers'), null)
})

const counts = tab => ({ sent: tab.updates('sent').length, received: tab.updates('received').length })

/** Waits until everything is saved, and then for a round trip of something that is no change. */
async function quiet (stage, alice, bob) {
  await alice.says('connected', 'saved')
  await bob.says('connected', 'saved')
  // An echo would have come within the time that a change takes: presence goes the same way, both ways.
  for (const [from, to] of [[alice, bob], [bob, alice]]) {
    const stamp = `stamp-${Math.random()}`
    await from.evaluate(stamp => window.boardwire.provider.awareness.setLocalStateField('stamp', stamp), stamp)
    await to.eventually(stamp => [...window.boardwire.provider.awareness.getStates().values()].some(state => state.stamp === stamp), stamp, 'a round trip')
  }
  await alice.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))))
}

/** Counts transactions of the document from now on, by whose they are. */
function count (tab) {
  return tab.evaluate(() => {
    const { doc, provider } = window.boardwire
    const counted = { own: 0, remote: 0 }
    window.boardwireCounter?.()
    const onUpdate = (update, origin) => { counted[origin === provider ? 'remote' : 'own']++ }
    doc.on('update', onUpdate)
    window.boardwireCounter = () => { doc.off('update', onUpdate); return counted }
  })
}

const counted = tab => tab.evaluate(() => window.boardwireCounter())
