// Small screens: everything is inside of them, and can be reached.
import assert from 'node:assert/strict'
import { peer } from './support/peer.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

/** What of these is not whole on the screen. */
const outside = (tab, selector) => tab.evaluate(selector => [...document.querySelectorAll(selector)]
  .map(element => [element.dataset.testid ?? element.className, element.getBoundingClientRect()])
  .filter(([, { left, right, width }]) => width > 0 && (left < -0.5 || right > innerWidth + 0.5))
  .map(([name, { left, right }]) => `${name} from ${Math.round(left)} to ${Math.round(right)}`), selector)

/** Stock clients that show themselves as so many people. */
async function crowd (stage, board, count) {
  for (let n = 0; n < count; n++) {
    const { provider } = await peer(stage, board, `Person ${n}`)
    provider.awareness.setLocalState({
      user: { id: `user:Person ${n}`, name: `Person ${n}`, color: '#00629d' }, kind: 'person', page: 'page:page', cursor: { x: 1000 * n, y: 0 }, selection: []
    })
  }
}

for (const [width, height] of [[320, 640], [390, 760]]) {
  test(`at ${width} pixels everything is inside`, async stage => {
    const server = await stage.ownServer()
    const board = await stage.board('alice', 'A board with quite a long title')
    await crowd(stage, board, 6)
    const alice = await stage.editor(board, 'alice', { viewport: { width, height } })
    alice.person.watch.expect('unreachable')
    await alice.eventually(() => document.querySelector('[data-testid=presence-bar]').dataset.count === '7', undefined, 'everybody')
    await alice.page.locator('[data-testid="mobile-styles.button"]').waitFor()
    assert.deepEqual(await outside(alice, '.bw-bar *, .tlui-toolbar button'), [])
    // The title can still be read, and written.
    assert.ok((await alice.part('title').boundingBox()).width >= 60)

    // Who is not shown can be found, by hand and by keyboard.
    const more = alice.part('more-people')
    assert.match(await more.textContent(), /^\+4$/)
    await more.click()
    await alice.part('more-list').waitFor()
    assert.deepEqual(await outside(alice, '[data-testid=more-list], [data-testid=more-list] *'), [])
    assert.equal(await alice.part('more-list').getByRole('button').count(), 4)
    await alice.press('Escape')
    await alice.part('more-list').waitFor({ state: 'detached' })
    await alice.press('Enter')
    await alice.part('more-list').getByRole('button', { name: 'Person 5' }).click()
    await alice.eventually(() => Math.abs(window.boardwire.editor.getViewportPageBounds().center.x - 5_000) < 5, undefined, 'the place of Person 5')
    assert.equal(await alice.part('more-list').count(), 0)

    // What is not saved is said in full.
    await server.kill()
    await alice.says('reconnecting')
    await alice.create(box('one', 5_000, 0))
    await alice.create(box('two', 5_000, 100))
    await alice.eventually(() => /waiting/.test(document.querySelector('.bw-indicator-text').textContent), undefined, 'what waits')
    assert.deepEqual(await outside(alice, '.bw-bar *'), [])
    const cut = await alice.evaluate(() => {
      const text = document.querySelector('.bw-indicator-text')
      const [own, bar] = [text, document.querySelector('.bw-bar')].map(element => element.getBoundingClientRect())
      return { wide: text.scrollWidth > text.clientWidth + 1, high: own.height > bar.height, text: text.textContent }
    })
    assert.deepEqual({ ...cut, text: /waiting$/.test(cut.text) }, { wide: false, high: false, text: true })
  })
}

test('the ring of the focus is around what has it, whole, and not around the canvas', async stage => {
  const board = await stage.board('alice', 'A board with quite a long title')
  const alice = await stage.editor(board, 'alice', { viewport: { width: 390, height: 760 } })
  const outline = () => alice.evaluate(() => {
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement)
    return outlineStyle === 'none' ? 0 : parseFloat(outlineWidth)
  })
  await alice.part('title').focus()
  await alice.press('Tab')
  await alice.press('Shift+Tab')
  assert.ok(await outline() > 0)
  assert.equal(await alice.evaluate(() => {
    const field = document.activeElement.getBoundingClientRect()
    return [...document.querySelectorAll('.bw-bar, form.bw-bar-title')].some(around => {
      const { left, right, top, bottom } = around.getBoundingClientRect()
      return getComputedStyle(around).overflow !== 'visible' && (field.left - 4 < left || field.right + 4 > right || field.top - 4 < top || field.bottom + 4 > bottom)
    })
  }), false, 'nothing cuts it')
  await alice.evaluate(() => { window.boardwire.editor.getContainer().focus() })
  assert.ok(await alice.evaluate(() => document.activeElement.closest('.tl-container') !== null))
  // tldraw's own is a pale hairline.
  assert.ok(await outline() <= 1)
})
