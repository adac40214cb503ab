// Finding a board: by title and by what stands on it, sorted, starred, duplicated, with who is there now.
import assert from 'node:assert/strict'
import { until } from '../node/support/wait.mjs'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

const titles = page => page.locator('.bw-card-title').allTextContents()
const shows = async (page, ...expected) => {
  let last
  await until(async () => (last = await titles(page)).join() === expected.join(), () => `${expected.join()}; there is ${last.join()}`)
}
const note = (stage, owner, board, text) => stage.api(owner).ok('POST', `/v1/boards/${board}/items`, { type: 'sticky', x: 0, y: 0, content: { text } })

test('one board is just shown, with nothing to find it by', async stage => {
  await stage.board('amy', 'Alone')
  const start = await (await stage.person('amy')).visit('/')
  await start.shows('Alone')
  assert.equal(await start.page.getByRole('search').count(), 0)
  assert.equal(await start.page.getByRole('button', { name: /Star/ }).count(), 0)
  await start.page.screenshot({ path: output('find-one.png') })
})

test('boards are found by title at once, sorted, and starred ones come first, also after a reload', async stage => {
  for (const title of ['Caf\u00e9 plans', 'Plan 10', 'Plan 9', 'Retrospective']) await stage.board('ben', title)
  const ben = await stage.person('ben')
  const start = await ben.visit('/')
  const { page } = start
  await shows(page, 'Retrospective', 'Plan 9', 'Plan 10', 'Caf\u00e9 plans')
  const field = page.getByRole('searchbox', { name: 'Find a board by its title' })
  await field.fill('PLAN')
  await shows(page, 'Plan 9', 'Plan 10', 'Caf\u00e9 plans')
  await start.shows('3 of 4 boards, by title.')
  await field.fill('cafe')
  await shows(page, 'Caf\u00e9 plans')
  await field.fill('nowhere')
  await start.shows('No board of 4 boards, by title.')
  await field.fill('')
  await page.getByLabel('Sort by').selectOption('title')
  await shows(page, 'Caf\u00e9 plans', 'Plan 9', 'Plan 10', 'Retrospective')
  await page.getByLabel('Sort by').selectOption('created')
  await shows(page, 'Retrospective', 'Plan 9', 'Plan 10', 'Caf\u00e9 plans')
  await page.getByRole('button', { name: 'Star Plan 10' }).click()
  await shows(page, 'Plan 10', 'Retrospective', 'Plan 9', 'Caf\u00e9 plans')
  await page.reload()
  await shows(page, 'Plan 10', 'Retrospective', 'Plan 9', 'Caf\u00e9 plans')
  assert.equal(await page.getByRole('button', { name: 'Star Plan 10' }).getAttribute('aria-pressed'), 'true')
  // By keyboard: it is a button like any other.
  await page.getByRole('button', { name: 'Star Plan 10' }).focus()
  await page.keyboard.press('Enter')
  await shows(page, 'Retrospective', 'Plan 9', 'Plan 10', 'Caf\u00e9 plans')
})

test('all boards are found, however many pages they come in', async stage => {
  const count = 620
  const api = stage.api('cat')
  for (let n = 0; n < count; n += 20) await Promise.all(Array.from({ length: 20 }, (_, m) => api.create(undefined, `Board ${n + m}`)))
  const start = await (await stage.person('cat')).visit('/')
  await start.shows('620 boards')
  assert.equal(await start.page.locator('.bw-card').count(), 120)
  await start.page.getByRole('button', { name: 'Show more boards (500)' }).click()
  assert.equal(await start.page.locator('.bw-card').count(), 240)
  await start.page.getByRole('searchbox').fill('board 61')
  const found = Array.from({ length: count }, (_, n) => `${n}`).filter(n => n.includes('61')).length
  await start.shows(`${found} of 620 boards, by title.`)
})

test('what stands on the boards is found when asked for, hits as they come, and it can be stopped', async stage => {
  const boards = []
  for (const title of ['Monday', 'Tuesday', 'Wednesday', 'Thursday']) boards.push(await stage.board('dan', title))
  await note(stage, 'dan', boards[1], 'Ship the harbour model on time')
  const start = await (await stage.person('dan')).visit('/')
  const { page } = start
  const asked = []
  const held = []
  await page.route('**/items?*', async route => {
    asked.push(route.request().url())
    // The fourth does not answer until the test lets it.
    if (asked.length > 3) await new Promise(resolve => held.push(resolve))
    await route.continue().catch(() => {})
  })
  await start.shows('4 boards')
  await page.getByRole('searchbox').fill('Harbour')
  await start.shows('No board of 4 boards, by title.')
  await page.keyboard.press('Enter')
  await shows(page, 'Tuesday')
  assert.equal(await page.getByTestId('excerpt').textContent(), 'Ship the harbour model on time')
  await start.shows('Searching the text: 3 of 4.')
  await page.screenshot({ path: output('find-text.png') })
  await page.getByRole('button', { name: 'Stop' }).click()
  await start.shows('Stopped after 3 of 4.')
  await shows(page, 'Tuesday')
  for (const go of held) go()
  // Another word forgets it, and nothing is asked for by itself.
  await page.getByRole('searchbox').fill('Harbours')
  await start.shows('No board of 4 boards, by title.')
  assert.equal(asked.length, 4)
  await page.getByRole('searchbox').fill('mon')
  await page.getByRole('button', { name: 'Search in the boards\' text' }).click()
  for (let n = 0; n < 2; n++) await until(async () => { held.splice(0).forEach(go => go()); return (await page.getByTestId('found').textContent()).includes('All were searched.') }, 'the end')
  await start.shows('1 of 4 boards, by title or text. All were searched.')
})

test('a duplicate has what the board has, and a failure leaves nothing behind', async stage => {
  const board = await stage.board('eve', 'Model')
  await stage.board('eve', 'Other')
  await note(stage, 'eve', board, 'as it is')
  const eve = await stage.person('eve')
  const start = await eve.visit('/')
  const { page } = start
  await page.getByRole('button', { name: 'Duplicate Model' }).click()
  await start.shows('The copy is called')
  const copies = async () => (await stage.api('eve').all('/v1/boards')).filter(({ title }) => title === 'Model (copy)')
  assert.equal((await copies()).length, 1)
  const { items } = await stage.api('eve').ok('GET', `/v1/boards/${(await copies())[0].id}/items`)
  assert.deepEqual(items.map(({ content }) => content.text), ['as it is'])
  await page.screenshot({ path: output('find-copy.png') })
  await page.locator('.bw-notice').getByRole('link', { name: 'Model (copy)' }).click()
  await start.ready()
  await start.shows('as it is')

  eve.watch.expect('refused')
  await page.goto(eve.url('/'))
  await page.route('**/document', route => route.request().method() === 'POST'
    ? route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"code":"board_busy","detail":"busy"}' })
    : route.continue())
  await page.getByRole('button', { name: 'Duplicate Other' }).click()
  await start.shows('The server cannot do this at the moment.')
  assert.equal((await stage.api('eve').all('/v1/boards')).filter(({ title }) => title === 'Other (copy)').length, 0)
})

test('who is on a board now is seen on its card, by name and colour', async stage => {
  const board = await stage.board('finn', 'Busy')
  await stage.board('finn', 'Quiet')
  await stage.api('finn').grant(board, 'users/gus', 'edit')
  const gus = await (await stage.person('gus')).open(board)
  await gus.create(box('here'))
  const start = await (await stage.person('finn')).visit('/')
  const here = start.page.getByTestId('here')
  await here.waitFor()
  assert.equal(await here.count(), 1)
  assert.equal(await here.getAttribute('aria-label'), 'Here now: gus')
  await start.page.screenshot({ path: output('find-here.png') })
  // Who goes is gone when the card is asked for again.
  await gus.page.close()
  await until(async () => await here.count() === 0, 'gus to be gone', 30_000)
})

test('it fits a narrow screen, and the dark', async stage => {
  for (const title of ['Roadmap', 'Ideas for the new start page', 'Retrospective']) await note(stage, 'hal', await stage.board('hal', title), title)
  for (const [name, options] of Object.entries({
    'find-320': { viewport: { width: 320, height: 700 }, hasTouch: true, isMobile: true },
    'find-320-dark': { viewport: { width: 320, height: 700 }, hasTouch: true, isMobile: true, colorScheme: 'dark' },
    'find-1280': {}, 'find-1280-dark': { colorScheme: 'dark' }
  })) {
    const start = await (await stage.person('hal', options)).visit('/')
    await start.shows('3 boards')
    await start.page.getByRole('button', { name: 'Star Roadmap' }).click()
    await start.page.locator('.bw-picture img').first().waitFor()
    const { wide, room } = await start.evaluate(() => ({ wide: document.documentElement.scrollWidth, room: innerWidth }))
    assert.ok(wide <= room, `${wide} px in a window of ${room}`)
    await start.page.screenshot({ path: output(`${name}.png`) })
  }
})
