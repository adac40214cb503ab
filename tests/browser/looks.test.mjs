// Theme, language, place: what somebody sets for themselves takes nothing of their work away.
import assert from 'node:assert/strict'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

const background = (tab, selector) => tab.evaluate(selector => getComputedStyle(document.querySelector(selector)).backgroundColor, selector)
/** How light a colour is, from 0 to 255. */
const light = color => { const parts = color.match(/[\d.]+/g).map(Number); return (parts[0] + parts[1] + parts[2]) / 3 }

test('another theme or language keeps the editor, what can be undone, and the words', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice', { colorScheme: 'light' })
  await alice.evaluate(() => { window.first = window.boardwire.editor; window.first.markHistoryStoppingPoint('box') })
  await alice.create(box('undone', 100, 100))
  const bars = ['.bw-bar', '.bw-board']
  for (const bar of bars) assert.ok(light(await background(alice, bar)) > 200)

  await alice.focus()
  await alice.press('Control+/')
  await alice.eventually(() => window.boardwire?.editor.user.getIsDarkMode(), undefined, 'dark mode')
  for (const bar of bars) assert.ok(light(await background(alice, bar)) < 60, `${bar} is dark, too`)

  await alice.evaluate(() => window.boardwire.editor.user.updateUserPreferences({ locale: 'de' }))
  await alice.page.getByRole('button', { name: /Auswählen/ }).first().waitFor()
  await alice.eventually(() => window.boardwire?.editor === window.first, undefined, 'the same editor')
  await alice.focus()
  await alice.press('Control+z')
  await alice.misses('undone')

  // On every page of this browser, from the beginning.
  await alice.page.reload()
  await alice.ready()
  for (const bar of bars) assert.ok(light(await background(alice, bar)) < 60)
  await alice.page.goto(new URL('/', alice.page.url()).href)
  assert.ok(light(await background(alice, 'body')) < 60)
})

test('a reload shows the same place of the same page', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  await alice.create(box('first', 0, 0))
  const place = { x: -1234, y: 567, z: 0.5 }
  await alice.evaluate(place => {
    const { editor } = window.boardwire
    editor.createPage({ id: 'page:second', name: 'Second' })
    editor.setCurrentPage('page:second')
    editor.createShape({ id: 'shape:far', type: 'geo', x: 0, y: 0 })
    editor.setCamera(place, { immediate: true })
  }, place)
  await alice.says('connected', 'saved')
  await alice.page.reload()
  await alice.ready()
  await alice.sees('far')
  await alice.eventually(([page, place]) => {
    const { editor } = window.boardwire
    const camera = editor.getCamera()
    return editor.getCurrentPageId() === page && Object.entries(place).every(([name, value]) => camera[name] === value)
  }, ['page:second', place], 'the place')
  // Where that page is gone, the board opens on what is there.
  await alice.evaluate(() => { window.boardwire.editor.deletePage('page:second') })
  await alice.says('connected', 'saved')
  await alice.page.evaluate(() => sessionStorage.setItem('boardwire.view:' + location.pathname.split('/').pop(), JSON.stringify({ page: 'page:second', x: 1e6, y: 1e6, z: 1 })))
  await alice.page.goto(alice.person.url(`/board/${board}`))
  await alice.ready()
  await alice.eventually(() => {
    const { editor } = window.boardwire
    return editor.getViewportPageBounds().collides(editor.getShapePageBounds('shape:first'))
  }, undefined, 'what is drawn')
})

test('pictures of a board have its title', async stage => {
  const board = await stage.board('alice', 'Plan: "Q3" / final')
  const alice = await stage.editor(board, 'alice')
  await alice.create(box('one', 100, 100))
  const { page } = alice
  const saved = async act => {
    const download = page.waitForEvent('download')
    await act()
    return (await download).suggestedFilename()
  }
  const { x, y } = await alice.at(150, 140)
  for (const [kind, name] of [['SVG', 'Plan Q3 final.svg'], ['PNG', 'Plan Q3 final.png']]) {
    assert.equal(await saved(async () => {
      await page.mouse.click(x, y, { button: 'right' })
      await page.getByRole('menuitem', { name: 'Export as' }).click()
      await page.getByRole('menuitem', { name: kind }).click()
    }), name)
  }
})
