// Away and back: what one draws without a server is kept, shown as such, and merged with what the others did
// meanwhile.
import assert from 'node:assert/strict'
import { until } from '../node/support/wait.mjs'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'
import { box, Tab } from './support/tab.mjs'

const test = suite()

test('edits made offline outlive a reload and are merged', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  await alice.create(box('shared', 0, 0), box('theirs', 200, 0), box('doomed', 400, 0), box('mine', 600, 0))
  await bob.sees('mine')
  await alice.says('connected', 'saved')
  await worker(alice)

  alice.person.watch.expect('unreachable')
  await alice.person.context.setOffline(true)
  await alice.eventually(() => ['reconnecting', 'offline'].includes(document.querySelector('[data-testid=indicator]').dataset.link),
    undefined, 'the page to notice that it is cut off')
  await alice.create(box('offline', 0, 300))
  await alice.update('mine', { x: 640 })
  const said = await alice.says('offline', 'waiting')
  assert.match(said.text, /offline/i)
  assert.match(said.long, /2 changes will be saved/)
  await alice.page.screenshot({ path: output('offline.png') })

  // The others go on.
  await bob.update('theirs', { y: 111 })
  await bob.remove('doomed')
  await bob.create(box('new', 200, 300))
  assert.equal(await bob.shape('offline'), null)

  // The page comes from the service worker, what was drawn from the browser's own copy.
  await alice.page.reload()
  await alice.canvas()
  await alice.sees('offline')
  await alice.sees('mine', { x: 640 })
  await alice.sees('doomed')
  await alice.eventually(() => document.querySelector('[data-testid=indicator]').dataset.waiting === '2', undefined, 'two changes waiting')

  await alice.person.context.setOffline(false)
  await alice.says('connected', 'saved')
  for (const tab of [alice, bob]) {
    await tab.sees('offline', { y: 300 })
    await tab.sees('mine', { x: 640 })
    await tab.sees('theirs', { y: 111 })
    await tab.sees('new')
    await tab.misses('doomed')
  }
  // What the others did is pointed out: two shapes and one deletion.
  await alice.shows(/3 changes while you were away, 1 deleted/)
  assert.equal(await alice.part('away-mark').count(), 2)
  await alice.page.getByRole('button', { name: 'Dismiss' }).click()
  assert.equal(await alice.part('away-mark').count(), 0)
  assert.deepEqual(await alice.shapeIds(), await bob.shapeIds())
})

test('a server that is away and comes back is said, and nothing of either side is lost', async stage => {
  const server = await stage.ownServer()
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  await alice.create(box('before'))
  await bob.sees('before')
  await alice.says('connected', 'saved')
  await worker(alice)

  for (const { person } of [alice, bob]) person.watch.expect('unreachable')
  await server.stop()
  const away = await alice.says('reconnecting')
  assert.match(away.text, /reconnecting/i)
  await alice.create(box('by-alice', 0, 200))
  await bob.create(box('by-bob', 200, 200))
  await alice.says('reconnecting', 'waiting')
  await alice.page.reload()
  await alice.canvas()
  await alice.sees('before')
  await alice.sees('by-alice')

  await server.up()
  for (const tab of [alice, bob]) {
    await tab.says('connected', 'saved')
    await tab.sees('by-alice')
    await tab.sees('by-bob')
  }
  const { tldraw } = await stage.api('alice').ok('GET', `/v1/boards/${board}/document?format=json`)
  assert.ok('shape:by-alice' in tldraw && 'shape:by-bob' in tldraw, Object.keys(tldraw).join())
})

test('one who was away sees as news only what others did', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  await alice.create(box('kept'))
  await alice.says('connected', 'saved')
  await alice.page.reload()
  await alice.ready()
  await alice.sees('kept')
  assert.equal(await alice.part('away-chip').count(), 0)

  await alice.page.close()
  const bob = await stage.editor(board, 'bob')
  await bob.update('kept', { x: 77 })
  await bob.says('connected', 'saved')
  const back = await alice.person.open(board)
  await back.sees('kept', { x: 77 })
  await back.shows('1 change while you were away')
})

test('a file that the page asked for before the service worker was there, and got after, is kept', async stage => {
  const board = await stage.board('alice')
  const person = await stage.person('alice')
  const tab = new Tab(await person.context.newPage(), person)
  // The worker comes when the canvas has asked for the pictures of its menus, and these when the worker is
  // there.
  await tab.page.addInitScript(() => {
    const { register } = ServiceWorkerContainer.prototype
    ServiceWorkerContainer.prototype.register = async function (...given) {
      await new Promise(resolve => { window.comes = resolve })
      return await register.apply(this, given)
    }
  })
  const held = []
  let letGo
  const there = new Promise(resolve => { letGo = resolve })
  await tab.page.route('**/assets/*.png', async route => {
    held.push(route.request().url())
    await there
    await route.continue()
  })
  await tab.page.goto(person.url(`/board/${board}`))
  await until(() => held.length > 0, 'a picture to be asked for')
  await tab.evaluate(() => window.comes())
  await tab.eventually(() => navigator.serviceWorker.controller !== null, undefined, 'the service worker')
  letGo()
  for (const url of held) await tab.eventually(async url => await caches.match(url) !== undefined, url, `${url} to be kept`)
})

/** Waits until the page would open without a server. */
async function worker (tab) {
  await tab.eventually(async () => {
    const registration = await navigator.serviceWorker.getRegistration()
    return registration?.active?.state === 'activated'
  }, undefined, 'the service worker')
}
