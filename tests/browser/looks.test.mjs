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
