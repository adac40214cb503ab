// Pictures lie beside the board: dropped and pasted, seen by others, brought offline too; those that lay in
// the document are moved out; and 200 of them do not slow a board down.
import assert from 'node:assert/strict'
import { Measurements, output } from './support/measure.mjs'
import { noisePng } from './support/pictures.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

const PICTURES = 200

/** How much longer a board of so many pictures may take to open than one of as many boxes. */
const RATIO_MAX = 1.5
const ROOM_MS = 1_000

/** Draws a picture in the page and drops it, or pastes it; no two of other seeds are equal. */
async function bring (tab, how, { width = 320, height = 240, type = 'image/png', seed = 1, at = { x: 500, y: 400 } } = {}) {
  await tab.evaluate(async ({ how, width, height, type, seed, at }) => {
    const canvas = new OffscreenCanvas(width, height)
    const context = canvas.getContext('2d')
    for (let n = 0; n < 40; n++) {
      context.fillStyle = `hsl(${(seed * 47 + n * 9) % 360} 80% 50%)`
      context.fillRect((n * width) / 40, (n * 13 * seed) % (height / 2), width / 40, height)
    }
    const file = new File([await canvas.convertToBlob({ type })], `picture-${seed}.png`, { type })
    const data = new DataTransfer()
    data.items.add(file)
    const target = document.querySelector('.tl-canvas')
    if (how === 'drop') {
      for (const kind of ['dragenter', 'dragover', 'drop']) {
        target.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data, clientX: at.x, clientY: at.y }))
      }
    } else {
      window.boardwire.editor.focus()
      document.dispatchEvent(new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData: data }))
    }
  }, { how, width, height, type, seed, at })
}

const assets = tab => tab.evaluate(() => window.boardwire.editor.getAssets().map(({ id, props, meta }) => ({ id, ...props, meta })))
const ADDRESS = /^\/v1\/boards\/[^/]+\/assets\/[0-9a-f]{64}$/

/** Waits until so many pictures are painted, each with pixels of its own. */
async function shows (tab, count) {
  await tab.eventually(count => [...document.querySelectorAll('.tl-image')].filter(({ complete, naturalWidth }) => complete && naturalWidth > 0).length === count,
    count, `${count} pictures to be painted`)
}

/** Waits until the server has all that was brought. */
async function sent (tab) {
  await tab.eventually(() => window.boardwire.editor.getAssets().every(({ props, meta }) => props.src?.startsWith('/v1/') && meta.waiting !== true),
    undefined, 'all of it to be sent')
  await tab.part('uploads').waitFor({ state: 'detached' })
}

test('a picture that is dropped and one that is pasted are seen by others, and lie beside the document', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  await bring(alice, 'drop', { seed: 1 })
  await shows(alice, 1)
  await bring(alice, 'paste', { seed: 2 })
  await shows(alice, 2)
  await sent(alice)
  await shows(bob, 2)
  for (const { src } of await assets(bob)) assert.match(src, ADDRESS)
  // No sign-in is in an address of a picture.
  const shown = await bob.evaluate(() => [...document.querySelectorAll('.tl-image')].map(({ src }) => src))
  for (const src of shown) assert.match(src, /^blob:/)
  await alice.says('connected', 'saved')
  await alice.page.screenshot({ path: output('assets.png') })

  const { items } = await stage.api('alice').ok('GET', `/v1/boards/${board}/assets`)
  assert.equal(items.length, 2)
  const { size_bytes: size } = await stage.api('alice').ok('GET', `/v1/boards/${board}`)
  assert.ok(size < 20_000, `the document has ${size} bytes`)

  // Undone, and done again.
  await alice.focus()
  await alice.press('Control+z')
  await shows(bob, 1)
  await alice.press('Control+Shift+z')
  await shows(bob, 2)

  // Somebody who comes later, and may only look.
  await stage.api('alice').grant(board, 'users/carol', 'view')
  const carol = await (await stage.person('carol')).open(board)
  await shows(carol, 2)
})

test('a very large picture is scaled down before it is sent, and keeps its shape', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  await bring(alice, 'drop', { width: 6_000, height: 1_500, type: 'image/jpeg' })
  await shows(alice, 1)
  await sent(alice)
  const { items: [asset] } = await stage.api('alice').ok('GET', `/v1/boards/${board}/assets`)
  assert.deepEqual([asset.width, asset.height, asset.type], [4096, 1024, 'image/jpeg'])
  const { w, h } = await alice.evaluate(() => window.boardwire.editor.getCurrentPageShapes()[0].props)
  assert.ok(Math.abs(w / h - 4) < 0.01)
})

test('what is brought offline is shown, outlives a reload, and is sent when the server is back', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  await alice.create(box('there', 900, 500))
  await bob.sees('there')
  await alice.says('connected', 'saved')
  await alice.eventually(() => navigator.serviceWorker.controller !== null || navigator.serviceWorker.ready.then(() => true), undefined, 'the service worker')
  alice.person.watch.expect('unreachable')
  await alice.person.context.setOffline(true)
  await alice.eventually(() => ['reconnecting', 'offline'].includes(document.querySelector('[data-testid=indicator]').dataset.link),
    undefined, 'the page to notice that it is cut off')
  await bring(alice, 'drop', { seed: 3 })
  await shows(alice, 1)
  assert.match(await alice.part('uploads').textContent(), /A picture waits in this browser until the server is back/)
  await alice.page.screenshot({ path: output('assets-offline.png') })
  await alice.page.setViewportSize({ width: 320, height: 640 })
  await alice.page.emulateMedia({ colorScheme: 'dark' })
  await alice.page.screenshot({ path: output('assets-offline-narrow.png') })
  await alice.page.setViewportSize({ width: 1280, height: 800 })
  // The others have its place, and see it when it is there.
  await alice.eventually(async () => (await indexedDB.databases()).some(({ name }) => name.endsWith(':assets')), undefined, 'it to be kept')

  await alice.page.reload()
  await alice.canvas()
  await shows(alice, 1)
  assert.match(await alice.part('uploads').textContent(), /waits/)
  await alice.person.context.setOffline(false)
  await alice.says('connected', 'saved')
  await sent(alice)
  await shows(bob, 1)
})

test('a picture that lies in the document is moved out of it, and nobody sees a difference', async stage => {
  const board = await stage.board('alice')
  await stage.api('alice').ok('POST', `/v1/boards/${board}/items`, {
    type: 'image', id: 'old', x: 100, y: 100, width: 200, height: 200, content: { url: 'data:image/png;base64,' + noisePng(1, 64, 64).toString('base64') }
  })
  // Who may only look moves nothing.
  await stage.api('alice').grant(board, 'users/carol', 'view')
  const carol = await (await stage.person('carol')).open(board)
  await shows(carol, 1)
  const before = await stage.api('alice').ok('GET', `/v1/boards/${board}`)
  const alice = await stage.editor(board, 'alice')
  await alice.eventually(() => window.boardwire.editor.getAssets()[0]?.props.src.startsWith('/v1/'), undefined, 'it to be moved')
  await shows(carol, 1)
  assert.match((await assets(carol))[0].src, ADDRESS)
  await alice.says('connected', 'saved')
  // It is no step of anybody's: there is nothing to undo.
  assert.equal(await alice.evaluate(() => window.boardwire.editor.getCanUndo()), false)
  assert.ok(before.size_bytes > 10_000)
})

test('what the server does not take is told, and is not on the board', async stage => {
  await stage.ownServer({ 'max-assets-bytes': 1000 })
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  alice.person.watch.expect('refused')
  await bring(alice, 'drop', { width: 900, height: 900 })
  await alice.part('notice').filter({ hasText: 'was not taken' }).waitFor()
  await alice.eventually(() => window.boardwire.editor.getCurrentPageShapes().length === 0 && window.boardwire.editor.getAssets().length === 0,
    undefined, 'it to be gone')
  await alice.page.screenshot({ path: output('assets-refused.png') })
})

test('a board of 200 photos opens as fast as one without', async (stage, t) => {
  const measured = new Measurements('assets')
  const opened = {}
  for (const kind of ['boxes', 'photos']) {
    const board = await stage.board('alice')
    const api = stage.api('alice')
    const operations = []
    for (let n = 0; n < PICTURES; n++) {
      const place = { id: `n${n}`, x: (n % 20) * 420, y: Math.floor(n / 20) * 320, width: 400, height: 300 }
      if (kind === 'boxes') operations.push({ action: 'create', item: { type: 'shape', ...place } })
      else {
        const { sha256 } = await upload(stage, board, noisePng(n, 200, 150))
        operations.push({ action: 'create', item: { type: 'image', ...place, content: { asset: sha256 } } })
      }
    }
    await api.ok('POST', `/v1/boards/${board}/items/batch`, { operations })
    const alice = await stage.editor(board, 'alice')
    await alice.evaluate(() => window.boardwire.editor.setCamera({ x: 0, y: 0, z: 1 }, { immediate: true }))
    const began = Date.now()
    await alice.page.reload()
    await alice.eventually(count => window.boardwire?.editor.getCurrentPageShapes().length === count, PICTURES, 'all of it')
    opened[kind] = Date.now() - began
    measured.add(`open ${kind}`, opened[kind])
    if (kind === 'photos') {
      await alice.eventually(() => [...document.querySelectorAll('.tl-image')].some(({ complete, naturalWidth }) => complete && naturalWidth > 0),
        undefined, 'those in view to be painted')
      // Only what is in view is asked for.
      const asked = await alice.evaluate(() => performance.getEntriesByType('resource').filter(({ name }) => /\/assets\/[0-9a-f]{64}/.test(name)).length)
      assert.ok(asked < PICTURES / 2, `${asked} were asked for`)
    }
  }
  t.diagnostic(JSON.stringify(opened))
  assert.ok(opened.photos <= RATIO_MAX * opened.boxes + ROOM_MS, JSON.stringify(opened))
}, 180_000)

async function upload (stage, board, bytes) {
  const answer = await fetch(`${stage.server.http}/v1/boards/${board}/assets`, { method: 'POST', headers: stage.api('alice').headers, body: bytes })
  assert.ok(answer.ok, String(answer.status))
  return await answer.json()
}
