// A server that dies without a word under an open page: the page comes back by itself, and what it called
// saved is there.
import assert from 'node:assert/strict'
import { until } from '../node/support/wait.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const ROUNDS = 3

const test = suite()

test('nothing that the page called saved is lost when the server is killed', async stage => {
  const server = await stage.ownServer()
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  alice.person.watch.expect('unreachable')
  const ids = []
  for (let round = 0; round < ROUNDS; round++) {
    const saved = `saved-${round}`
    await alice.create(box(saved, 0, round * 100))
    await alice.says('connected', 'saved')
    // In the middle of a change.
    const racing = `racing-${round}`
    await alice.create(box(racing, 200, round * 100))
    await server.kill()
    const while_ = `while-${round}`
    await alice.create(box(while_, 400, round * 100))
    await alice.says('reconnecting', 'waiting')
    ids.push(saved, racing, while_)
    await server.up()
    await alice.says('connected', 'saved')
  }

  // Somebody who has never been here has it from the server's disk alone.
  await alice.page.close()
  await server.kill()
  await server.up()
  const bob = await stage.editor(board, 'bob')
  for (const id of ids) await bob.sees(id)
  assert.equal((await bob.shapeIds()).length, ids.length)
})

test('a page says saved only of what is on the disk', async stage => {
  const server = await stage.ownServer()
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  alice.person.watch.expect('unreachable')
  // The moment the page says so, the server is gone, and the page with all that it knows.
  const saved = []
  for (let n = 0; n < 5; n++) {
    await alice.create(box(`n${n}`, n * 120, 0))
    await alice.eventually(id => {
      const { saving } = document.querySelector('[data-testid=indicator]').dataset
      return window.boardwire.doc.getMap('tldraw').has(id) && saving === 'saved'
    }, `shape:n${n}`, 'saved')
    saved.push(`shape:n${n}`)
  }
  await server.kill()
  await alice.page.close()
  await server.up()
  const records = await until(async () => {
    const { tldraw } = await stage.api('alice').ok('GET', `/v1/boards/${board}/document?format=json`)
    return tldraw
  }, 'the document')
  for (const id of saved) assert.ok(id in records, `${id} was called saved`)
})
