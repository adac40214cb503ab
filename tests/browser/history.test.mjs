// What a board was: kept under a name, looked at, restored for everybody at once, and taken back.
import assert from 'node:assert/strict'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

const open = async ({ page }) => {
  await page.getByTestId('main-menu.button').click()
  await page.getByTestId('main-menu.boardwire-history').click()
  return page.getByRole('dialog', { name: 'History' })
}

test('a version is kept under a name, looked at, restored for all, and taken back', async stage => {
  const board = await stage.board('hanna', 'With a past')
  const [hanna, ivo] = [await (await stage.person('hanna')).open(board), await (await stage.person('ivo', { claims: { boards: { [board]: 'edit' } } })).open(board)]
  await hanna.create(box('old'))
  await hanna.says('connected', 'saved')
  const history = await open(hanna)
  await history.getByPlaceholder('Name (optional)').fill('Before the review')
  await history.getByRole('button', { name: 'Keep as it is now' }).click()
  await history.getByTestId('version').filter({ hasText: 'Before the review' }).waitFor()
  await hanna.page.keyboard.press('Escape')

  await ivo.sees('old')
  await ivo.create(box('new', 300))
  await ivo.page.evaluate(() => window.boardwire.editor.deleteShapes(['shape:old']))
  await ivo.says('connected', 'saved')
  await hanna.sees('new')

  const again = await open(hanna)
  await again.getByTestId('version-picture').first().locator('img').waitFor()
  await hanna.page.screenshot({ path: output('history.png') })
  await again.getByRole('button', { name: /Look at Before the review/ }).click()
  await again.getByTestId('version-picture').locator('img').waitFor()
  await hanna.page.screenshot({ path: output('history-look.png') })
  await again.getByRole('button', { name: 'Restore this version' }).click()
  await again.getByTestId('restored').waitFor()
  for (const tab of [hanna, ivo]) {
    await tab.sees('old')
    await tab.eventually(() => window.boardwire.editor.getShape('shape:new') === undefined, undefined, 'what came later is gone')
  }
  await hanna.page.emulateMedia({ colorScheme: 'dark' })
  await hanna.page.setViewportSize({ width: 320, height: 640 })
  await hanna.page.screenshot({ path: output('history-narrow-dark.png') })
  assert.ok(await hanna.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is cut off')
  await again.getByRole('button', { name: 'Undo' }).click()
  for (const tab of [hanna, ivo]) {
    await tab.sees('new')
    await tab.eventually(() => window.boardwire.editor.getShape('shape:old') === undefined, undefined, 'it is as it was before')
  }
})

test('who may only view looks, and neither keeps nor restores', async stage => {
  const board = await stage.board('hanna', 'To look at')
  await stage.api('hanna').ok('POST', `/v1/boards/${board}/versions`, { name: 'First' })
  await stage.api('hanna').grant(board, 'users/jan', 'view')
  const jan = await (await stage.person('jan')).open(board)
  const history = await open(jan)
  await history.getByRole('button', { name: /Look at First/ }).click()
  await history.getByText('Whoever may edit the board can restore it.').waitFor()
  assert.equal(await history.getByRole('button', { name: /Restore|Keep/ }).count(), 0)
})
