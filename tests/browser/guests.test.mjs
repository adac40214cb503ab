// Names: a guest is asked once what to be called and keeps it; whom the server knows is told from who only
// says so, whatever a state claims.
import assert from 'node:assert/strict'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { until } from '../node/support/wait.mjs'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'

const test = suite()

/** The marks of the others: what they are called to assistive technology, and whether they are verified. */
const marks = async tab => (await tab.part('person').evaluateAll(all => all.map(mark =>
  `${mark.getAttribute('aria-label')}: ${mark.dataset.verified}${mark.querySelector('[data-testid=check]') === null ? '' : ' ✓'}`))).sort()

const sees = async (tab, ...wanted) => {
  let last
  await until(async () => { last = await marks(tab); return last.join('|') === [...wanted].sort().join('|') },
    () => `${wanted.join(' | ')}; there are ${last?.join(' | ')}`, 15_000)
}

/** A stock client that comes by a share link, and says what it likes of itself. */
async function impostor (stage, board, share, user) {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(stage.server.ws, board, doc, { params: { share }, disableBc: true, WebSocketPolyfill: WebSocket })
  stage.atEnd(() => { provider.destroy(); doc.destroy() })
  provider.awareness.setLocalState({ user, kind: 'person', page: 'page:page', cursor: null, selection: [] })
  await until(() => provider.synced, 'the impostor in sync')
}

for (const [width, height, colorScheme] of [[1280, 800, 'light'], [320, 640, 'dark']]) {
  test(`a guest sees the board first, is asked for a name once, and keeps it, ${width} px wide`, async stage => {
    const board = await stage.board('alice')
    const { token: share } = await stage.api('alice').link(board, 'edit')
    const alice = await stage.editor(board, 'alice')
    const mia = await stage.person(null, { viewport: { width, height }, colorScheme })
    const tab = await mia.open(board, { share })
    assert.equal(await tab.part('self').getAttribute('title'), 'Guest (you)')
    await tab.part('guest-question').waitFor({ state: 'attached' })
    await tab.part('guest-name').waitFor()
    await tab.page.screenshot({ path: output(`guest-asked-${width}.png`) })
    const field = tab.page.getByLabel('What should others call you?')
    await field.focus()
    // Letters are no shortcuts of the canvas.
    const tool = await tab.evaluate(() => window.boardwire.editor.getCurrentToolId())
    await tab.page.keyboard.type('Mia d')
    assert.equal(await tab.evaluate(() => window.boardwire.editor.getCurrentToolId()), tool)
    await tab.press('Enter')
    await tab.part('guest-name').waitFor({ state: 'detached' })
    assert.equal(await tab.part('self').getAttribute('title'), 'Mia d (you)')
    await sees(alice, 'Mia d (guest, name not verified): no')
    await sees(tab, 'alice: yes ✓')

    // Kept, for every board, and not asked again.
    await tab.page.reload()
    await tab.ready()
    assert.equal(await tab.part('self').getAttribute('title'), 'Mia d (you)')
    assert.equal(await tab.part('guest-question').count(), 0, 'nothing waits to ask')

    // Changed at one's own mark, by the keyboard.
    await tab.part('self').focus()
    await tab.press('Enter')
    const again = tab.part('self-menu').getByLabel('What should others call you?')
    await again.fill('Mia B')
    await tab.page.screenshot({ path: output(`guest-renamed-${width}.png`) })
    const form = await tab.part('self-menu').boundingBox()
    assert.ok(form.x >= 0 && form.x + form.width <= width, JSON.stringify(form))
    await tab.press('Enter')
    await tab.part('self-menu').waitFor({ state: 'detached' })
    await sees(alice, 'Mia B (guest, name not verified): no')
  })
}

test('a guest may stay without a name, and who is signed in is never asked', async stage => {
  const board = await stage.board('alice')
  await stage.api('alice').grant(board, 'public', 'view')
  const tab = await (await stage.person(null)).open(`${board}/public`)
  await tab.page.getByRole('button', { name: 'Stay a guest without a name' }).click()
  await tab.part('guest-name').waitFor({ state: 'detached' })
  await tab.page.reload()
  await tab.ready()
  const alice = await stage.editor(board, 'alice')
  await sees(tab, 'alice: yes ✓')
  for (const one of [tab, alice]) assert.equal(await one.part('guest-name').count(), 0)
  assert.equal(await alice.part('self').evaluate(self => self.tagName), 'SPAN')
})

test('a forged name never looks verified, nor does it join the mark of whom it names', async stage => {
  const board = await stage.board('alice')
  const { token: share } = await stage.api('alice').link(board, 'edit')
  const claims = { boards: { [board]: 'edit' }, name: 'Bob Stone' }
  const bob = await (await stage.person('bob', { claims })).open(board)
  const alice = await stage.editor(board, 'alice')
  await sees(alice, 'Bob Stone: yes ✓')
  const checks = []
  await alice.page.exposeFunction('noteChecks', count => checks.push(count))
  await alice.evaluate(() => new MutationObserver(() => window.noteChecks(document.querySelectorAll('[data-testid=check]').length))
    .observe(document.querySelector('[data-testid=presence-bar]'), { subtree: true, childList: true, attributes: true }))
  await impostor(stage, board, share, { id: 'user:bob', name: 'Bob Stone', color: '#00629d' })
  await sees(alice, 'Bob Stone: yes ✓', 'Bob Stone (guest, name not verified): no')
  assert.ok(checks.every(count => count <= 1), 'one check mark at any time')
  // It is not one of one's own windows either.
  await impostor(stage, board, share, { id: 'user:alice', name: 'alice', color: '#00629d' })
  await sees(alice, 'Bob Stone: yes ✓', 'Bob Stone (guest, name not verified): no', 'alice (guest, name not verified): no')
  assert.equal(await alice.part('self').getAttribute('aria-label'), 'You, alice')
  await alice.page.screenshot({ path: output('guest-forged.png') })
  await sees(bob, 'Bob Stone (guest, name not verified): no', 'alice (guest, name not verified): no', 'alice: yes ✓')
})

test('whom the server knows has the name that it knows, whatever their state says', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  await bob.evaluate(() => window.boardwire.provider.awareness.setLocalStateField('user', { id: 'user:carol', name: 'Carol', color: '#00629d' }))
  await sees(alice, 'bob: yes ✓')
})
