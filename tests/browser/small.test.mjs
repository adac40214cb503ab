// On the smallest phone, 320 by 568, nothing of the canvas is out of reach: tools, menus, zoom, pages, people
// and sharing are whole on the screen, by touch and by keyboard, light and dark.
import assert from 'node:assert/strict'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const SIZE = { width: 320, height: 568 }

const test = suite()

/** What of these can be pressed and is neither whole on the screen nor in something that scrolls. */
const outOfReach = tab => tab.evaluate(() => [...document.querySelectorAll('button, a[href], input, select, [role=menuitem]')]
  .filter(element => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !element.disabled && element.closest('.tl-canvas, .bw-hidden, .tl-skip-to-main-content, .tlui-skip-to-main-content') === null)
  .map(element => {
    const { left, right, top, bottom, width } = element.getBoundingClientRect()
    let scrolls = false
    for (let around = element.parentElement; around !== null; around = around.parentElement) {
      if (/auto|scroll/.test(getComputedStyle(around).overflowY + getComputedStyle(around).overflowX) && around.scrollHeight + around.scrollWidth > around.clientHeight + around.clientWidth) scrolls = true
    }
    // tldraw lets the buttons of a menu lie over its edge by 2 pixels, which show nothing.
    const CUT = 3
    const isInside = left >= -CUT && right <= innerWidth + CUT && top >= -CUT && bottom <= innerHeight + CUT
    return width < 2 || isInside || scrolls ? null : `${element.dataset.testid ?? element.getAttribute('aria-label') ?? element.textContent} at ${[left, top, right, bottom].map(Math.round)}`
  }).filter(found => found !== null))

const picture = async (tab, name) => { await tab.page.screenshot({ path: output(`small-${name}.png`) }) }

const MENUS = [
  ['main-menu', 'main-menu.button'], ['page-menu', 'page-menu.button'], ['tools', 'tools.more-button'], ['styles', 'mobile-styles.button']
]

for (const scheme of ['light', 'dark']) {
  test(`everything can be reached at 320 pixels, ${scheme}`, async stage => {
    const board = await stage.board('alice', 'A board with a long title')
    const alice = await stage.editor(board, 'alice', { viewport: SIZE, hasTouch: true, colorScheme: scheme })
    const bob = await stage.editor(board, 'bob')
    await alice.meets('bob')
    await bob.create(box('one', 20, 20))
    await alice.sees('one')
    await picture(alice, `${scheme}-canvas`)
    assert.deepEqual(await outOfReach(alice), [])
    for (const [name, id] of MENUS) {
      await alice.page.locator(`[data-testid="${id}"]`).tap()
      await alice.eventually(() => document.querySelector('[data-radix-popper-content-wrapper], .tlui-popover__content') !== null, undefined, name)
      await picture(alice, `${scheme}-${name}`)
      assert.deepEqual(await outOfReach(alice), [], name)
      await alice.press('Escape')
      await alice.eventually(() => document.querySelector('[data-radix-popper-content-wrapper]') === null, undefined, `${name} closed`)
    }
    await alice.page.getByRole('button', { name: 'Share' }).tap()
    await alice.page.getByRole('dialog').waitFor()
    await picture(alice, `${scheme}-share`)
    assert.deepEqual(await outOfReach(alice), [], 'share')
    await alice.press('Escape')
  })
}
