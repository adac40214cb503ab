// Who may only look or comment sees everything and changes nothing, by whatever means; and what changes with
// the level.
import assert from 'node:assert/strict'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

for (const [level, words] of [['view', 'View only'], ['comment', 'Comment only']]) {
  test(`${level} cannot draw`, async stage => {
    const board = await stage.board('alice')
    await stage.api('alice').grant(board, 'users/bob', level)
    const alice = await stage.editor(board, 'alice')
    await alice.create(box('shape', 300, 200))
    const bob = await (await stage.person('bob')).open(board)
    await bob.sees('shape')
    await bob.says('connected')
    assert.equal(await bob.part('level').textContent(), words)
    assert.equal(await bob.page.locator('[data-testid="tools.rectangle"]').count(), 0, 'no tools to draw with')
    if (level === 'view') await bob.page.screenshot({ path: output('read-only.png') })

    const before = await records(alice)
    await bob.focus()
    for (const key of ['r', 'n', 't', 'd', 'a', 'e', 'f']) {
      await bob.press(key)
      await bob.drag([500, 400], [640, 480], 3)
    }
    await bob.press('v')
    await bob.drag([350, 240], [450, 300])
    await bob.page.mouse.dblclick(...Object.values(await bob.at(350, 240)))
    await bob.page.keyboard.type('hello')
    await bob.press('Escape')
    bob.person.watch.expect('hasty')
    for (const key of ['Control+a', 'Delete', 'Backspace', 'Control+d', 'Control+x', 'Control+v', 'ArrowLeft', 'Control+z', 'Control+Shift+z']) await bob.press(key)

    // Something that comes after it all, so that nothing can still be on its way.
    await alice.create(box('last', 0, 0))
    await bob.sees('last')
    await alice.remove('last')
    await bob.misses('last')
    assert.deepEqual(await records(alice), before)
    assert.deepEqual(await records(bob), before)
    assert.equal(bob.updates('sent').length, 0, 'nothing was sent to the server')
    assert.equal((await bob.indicator()).saving, 'saved')

    // They are seen all the same.
    await alice.meets('bob')
  })
}

test('who is demoted while drawing draws no more, and who is promoted does', async stage => {
  const board = await stage.board('alice')
  const owner = stage.api('alice')
  await owner.grant(board, 'users/bob', 'edit')
  const alice = await stage.editor(board, 'alice')
  const bob = await (await stage.person('bob')).open(board)
  await bob.create(box('first', 100, 100))
  await alice.sees('first')
  await bob.says('connected', 'saved')
  const readonly = () => window.boardwire.editor.getIsReadonly()
  assert.equal(await bob.evaluate(readonly), false)

  // The contract: one is told at one's next write. It is refused, and said to be.
  await owner.grant(board, 'users/bob', 'view')
  await bob.eventually(async () => {
    const { editor } = window.boardwire
    if (!editor.getIsReadonly()) editor.updateShape({ id: 'shape:first', type: 'geo', x: editor.getShape('shape:first').x + 1 })
    return editor.getIsReadonly()
  }, undefined, 'the demotion')
  await bob.part('level').waitFor()
  await bob.part('refused').waitFor()
  assert.match(await bob.part('refused').textContent(), /not saved/i)
  assert.equal((await bob.indicator()).saving, 'refused')
  assert.match((await bob.indicator()).text, /not saved/i)

  // Raised again, what was refused goes to the server after all.
  await owner.grant(board, 'users/bob', 'edit')
  await bob.eventually(() => !window.boardwire.editor.getIsReadonly(), undefined, 'the promotion')
  await bob.says('connected', 'saved')
  const { x } = await bob.shape('first')
  await alice.sees('first', { x })
  await bob.create(box('second', 300, 300))
  await alice.sees('second')
})

test('a viewer who is promoted draws at once', async stage => {
  const board = await stage.board('alice')
  const owner = stage.api('alice')
  await owner.grant(board, 'users/bob', 'view')
  const alice = await stage.editor(board, 'alice')
  const bob = await (await stage.person('bob')).open(board)
  assert.equal(await bob.evaluate(() => window.boardwire.editor.getIsReadonly()), true)
  await owner.grant(board, 'users/bob', 'edit')
  await bob.eventually(() => !window.boardwire.editor.getIsReadonly(), undefined, 'the promotion')
  await bob.shows('You may edit this board now.')
  await bob.focus()
  await bob.press('r')
  await bob.drag([300, 300], [400, 400])
  const [made] = await bob.shapeIds()
  await alice.sees(made.replace('shape:', ''))
})

function records (tab) {
  return tab.evaluate(() => window.boardwire.editor.store.allRecords()
    .filter(({ typeName }) => ['shape', 'binding', 'asset', 'page'].includes(typeName)).sort((one, other) => one.id < other.id ? -1 : 1))
}
