// Sharing: links say what they are for, and who was on a board before is offered.
import assert from 'node:assert/strict'
import { until } from '../node/support/wait.mjs'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'

const test = suite()

test('a link says what it is for, is for viewing and 30 days unless one chooses, and is listed so', async stage => {
  const board = await stage.board('ines', 'Review')
  const start = await (await stage.person('ines')).visit('/')
  const { page } = start
  await page.getByRole('button', { name: 'Share Review' }).click()
  assert.equal(await page.getByLabel('Whoever has it').inputValue(), 'view')
  assert.match(await page.getByLabel('Whoever has it').textContent(), /Can comment \(for now: only view\)/)
  assert.equal(await page.getByLabel('Expires').evaluate(select => select.selectedOptions[0].textContent), 'In 30 days')
  const sent = page.waitForRequest(request => request.method() === 'POST' && request.url().endsWith('/links'))
  await page.getByLabel('What it is for (optional)').fill('For the design review')
  await page.keyboard.press('Enter')
  assert.deepEqual((await sent).postDataJSON(), { level: 'view', expires_in: 30 * 86_400, label: 'For the design review' })
  await page.getByRole('textbox', { name: /^New link/ }).waitFor()
  assert.equal(await page.getByLabel('What it is for (optional)').inputValue(), '')
  const [link] = await stage.api('ines').all(`/v1/boards/${board}/links`)
  const list = page.getByRole('list', { name: 'Links of this board' })
  assert.match(await list.textContent(), /expires (next month|in 4 weeks)/)
  assert.equal(link.label, 'For the design review')
  assert.match(await list.textContent(), /^For the design reviewCan view, /)
  await page.getByRole('textbox', { name: 'New link: For the design review, can view' }).waitFor()
  await page.screenshot({ path: output('sharing-links.png') })
})

test('who was on the board before is offered, by mouse and by keyboard, until they have a grant', async stage => {
  const board = await stage.board('jo', 'Was here')
  const api = stage.api('jo')
  for (const user of ['kai', 'lou']) {
    await api.grant(board, `users/${user}`, 'view')
    await (await (await stage.person(user)).open(board)).page.close()
  }
  await api.ok('DELETE', `/v1/boards/${board}/permissions/users/lou`)
  const jo = await stage.person('jo', { viewport: { width: 320, height: 700 }, colorScheme: 'dark' })
  const start = await jo.visit('/')
  const { page } = start
  await page.getByRole('button', { name: 'Share Was here' }).click()
  await page.getByRole('tab', { name: 'People' }).click()
  const lou = page.getByRole('button', { name: 'Share with lou' })
  await lou.waitFor()
  assert.equal(await page.getByRole('button', { name: /^Share with (kai|jo)$/ }).count(), 0, 'neither the owner nor who has a grant')
  assert.deepEqual(await page.locator('datalist option').evaluateAll(options => options.map(({ value }) => value)), ['lou'])
  const { wide, room } = await start.evaluate(() => ({ wide: document.documentElement.scrollWidth, room: innerWidth }))
  assert.ok(wide <= room)
  await page.screenshot({ path: output('sharing-people-320-dark.png') })
  await lou.focus()
  await page.keyboard.press('Enter')
  assert.equal(await page.getByLabel('User id').inputValue(), 'lou')
  assert.ok(await page.getByLabel('User id').evaluate(field => field === document.activeElement), 'the field has the focus')
  await page.keyboard.press('Enter')
  await until(async () => (await api.grants(board))['user:lou'] !== undefined, 'the grant')
  await until(async () => await lou.count() === 0, 'lou to be offered no more')
})
