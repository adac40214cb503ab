// The start page: boards are listed, made, renamed, deleted and shared, also by keyboard alone and on a small
// screen.
import assert from 'node:assert/strict'
import { until } from '../node/support/wait.mjs'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

test('a board is made, drawn on, renamed and deleted', async stage => {
  const alice = await stage.person('alice')
  const start = await alice.visit('/')
  const { page } = start
  assert.doesNotMatch(page.url(), /token/, 'an address that is copied gives nothing away')
  await start.shows('No boards yet')
  await page.getByPlaceholder('Title (optional)').fill('Plans for spring')
  await page.getByRole('button', { name: 'New board' }).click()
  await page.waitForURL(/\/board\//)
  await start.ready()
  await start.create(box('first'))
  await start.says('connected', 'saved')
  assert.equal(await page.title(), 'Plans for spring - Boardwire')

  await page.getByRole('link', { name: 'All boards' }).click()
  await page.getByRole('button', { name: 'Rename Plans for spring' }).click()
  await page.getByLabel('Title', { exact: true }).fill('Plans for summer')
  await page.getByRole('button', { name: 'Rename', exact: true }).last().click()
  await page.getByRole('link', { name: 'Plans for summer' }).click()
  await start.ready()
  await start.sees('first')

  // On the board itself, too.
  await start.part('title').fill('Plans for autumn')
  await start.part('title').press('Enter')
  const board = page.url().split('/').at(-1)
  await until(async () => (await stage.api('alice').board(board)).title === 'Plans for autumn', 'the new title')

  await page.goto(alice.url('/'))
  await page.getByRole('button', { name: 'Delete Plans for autumn' }).click()
  await start.shows('Delete the board?')
  await page.getByRole('button', { name: 'Keep it' }).click()
  await page.getByRole('button', { name: 'Delete Plans for autumn' }).click()
  await page.getByRole('button', { name: 'Delete', exact: true }).last().click()
  await start.shows('No boards yet')
  assert.equal((await stage.api('alice').call('GET', `/v1/boards/${board}`)).status, 410)
})

test('a deleted board is undone at once, or brought back from the trash with what is on it, or removed for good', async stage => {
  const [first, second] = [await stage.board('gina', 'Kept'), await stage.board('gina', 'Let go')]
  await stage.api('gina').ok('POST', `/v1/boards/${first}/items`, { id: 'note', type: 'sticky', x: 0, y: 0, content: { text: 'still here' } })
  const gina = await stage.person('gina')
  const start = await gina.visit('/')
  const { page } = start
  const remove = async name => {
    await page.getByRole('button', { name: `Delete ${name}`, exact: true }).click()
    await start.shows('For 30 days it can be brought back from the trash.')
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await start.shows(`${name} is in the trash.`)
  }
  await remove('Kept')
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'H1', 'the focus is where the list begins')
  await page.screenshot({ path: output('trash-undo.png') })
  await page.getByRole('button', { name: 'Undo' }).click()
  await page.getByRole('link', { name: 'Kept' }).waitFor()
  await page.getByTestId('deleted').waitFor({ state: 'detached' })
  await page.getByTestId('open-trash').waitFor({ state: 'detached' })

  for (const name of ['Kept', 'Let go']) await remove(name)
  await page.reload()
  await page.getByRole('button', { name: 'Trash (2)' }).press('Enter')
  const trash = page.getByRole('dialog', { name: 'Trash' })
  await trash.getByText('goes for good in 30 days').first().waitFor()
  await page.screenshot({ path: output('trash.png') })
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.setViewportSize({ width: 320, height: 640 })
  await page.screenshot({ path: output('trash-narrow-dark.png') })
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is cut off')
  await trash.getByRole('button', { name: 'Bring back Kept' }).click()
  await trash.getByTestId('trashed').filter({ hasText: 'Kept' }).waitFor({ state: 'detached' })
  await trash.getByRole('button', { name: 'Delete Let go for good' }).click()
  assert.equal((await stage.api('gina').call('POST', `/v1/boards/${second}/restore`)).status, 200, 'one press deletes nothing')
  await stage.api('gina').ok('DELETE', `/v1/boards/${second}`)
  await trash.getByRole('button', { name: /Delete Let go for good/ }).click()
  await trash.getByText('The trash is empty.').waitFor()
  assert.equal((await stage.api('gina').call('POST', `/v1/boards/${second}/restore`)).status, 410)
  await page.keyboard.press('Escape')
  await page.getByRole('link', { name: 'Kept' }).click()
  await start.ready()
  await start.sees('note')
})

test('a board that only the token knows is offered, and made by opening it', async stage => {
  const boards = { 'not-made-yet': 'edit', 'only-to-see': 'view' }
  const frank = await stage.person('frank', { claims: { boards } })
  const start = await frank.visit('/')
  await start.shows('No boards yet')
  await start.shows('Your token can make this board')
  assert.equal(await start.page.getByRole('link', { name: 'only-to-see' }).count(), 0)
  await start.page.getByRole('link', { name: 'not-made-yet' }).click()
  await start.ready()
  await start.page.goto(frank.url('/'))
  await start.page.getByRole('link', { name: /not-made-yet|Untitled/ }).waitFor()
  assert.equal(await start.page.getByText('Your token can make').count(), 0)
})

test('a card shows how its board looks, also after it has changed', async stage => {
  const board = await stage.board('paula', 'With a picture')
  const api = stage.api('paula')
  const add = (id, x, color) => api.ok('POST', `/v1/boards/${board}/items`, { id, type: 'sticky', x, y: 0, content: { text: id }, style: { color } })
  await add('first', 0, 'yellow')
  const start = await (await stage.person('paula')).visit('/')
  const picture = start.page.getByTestId('picture').locator('img')
  // The share of its pixels that are of one colour.
  const share = async rgb => await picture.evaluate(async (image, rgb) => {
    await image.decode()
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight)
    const context = canvas.getContext('2d')
    context.drawImage(image, 0, 0)
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height)
    let count = 0
    for (let n = 0; n < data.length; n += 4) if (rgb.every((value, m) => Math.abs(data[n + m] - value) < 8)) count++
    return count / (canvas.width * canvas.height)
  }, rgb)
  const [YELLOW, BLUE] = [[0xfe, 0xd4, 0x9a], [0x8a, 0xa3, 0xff]]
  await picture.waitFor()
  assert.ok(await share(YELLOW) > 0.3 && await share(BLUE) === 0)
  await add('second', 300, 'blue')
  await start.page.reload()
  await picture.waitFor()
  assert.ok(await share(YELLOW) > 0.1 && await share(BLUE) > 0.1)
  await start.page.screenshot({ path: output('start-picture.png') })
  await start.page.emulateMedia({ colorScheme: 'dark' })
  await until(async () => await picture.count() === 1 && await share([0x8a, 0x5e, 0x1c]) > 0.1, 'the picture in dark colours')
})

test('only one\'s own boards are managed, and those of others are only listed', async stage => {
  const board = await stage.board('carol', 'Of Carol')
  await stage.api('carol').grant(board, 'users/dave', 'view')
  const start = await (await stage.person('dave')).visit('/')
  await start.shows('Of Carol')
  await start.shows('Can view')
  assert.equal(await start.page.getByRole('button', { name: /Share|Rename|Delete/ }).count(), 0)
})

test('a link that is made here opens the board for somebody without a token, until it is revoked', async stage => {
  const board = await stage.board('erin', 'To share')
  const erin = await stage.person('erin')
  const start = await erin.visit('/')
  await start.page.getByRole('button', { name: 'Share To share' }).click()
  await start.page.getByLabel('Whoever has it').selectOption('edit')
  await start.page.getByRole('button', { name: 'Make a link' }).click()
  const field = start.page.getByRole('textbox', { name: /New link/ })
  await field.waitFor()
  const address = await field.inputValue()
  assert.match(address, new RegExp(`^${stage.server.http}/board/${board}\\?share=`))

  const guest = await stage.person(null)
  const tab = await guest.visit(address)
  await tab.ready()
  await tab.create(box('by-guest'))
  await tab.says('connected', 'saved')
  await tab.page.close()

  guest.watch.expect('refused')
  await start.page.getByRole('button', { name: /Revoke link/ }).click()
  await start.shows('There are no links yet.')
  const again = await guest.visit(address)
  await again.part('verdict').waitFor()
})

test('a board that is made public opens without credentials', async stage => {
  const board = await stage.board('frank', 'Open')
  const start = await (await stage.person('frank')).visit('/')
  await start.page.getByRole('button', { name: 'Share Open' }).click()
  await start.page.getByRole('tab', { name: 'Public' }).click()
  await start.page.getByRole('button', { name: 'Let everybody view' }).click()
  const address = await start.page.getByRole('textbox', { name: 'Public address' }).inputValue()
  assert.equal(address, `${stage.server.http}/board/${board}/public`)
  const tab = await (await stage.person(null)).visit(address)
  await tab.ready()
  assert.equal(await tab.part('level').textContent(), 'View only')
})

test('an agent\'s key, a person and a team are added and removed', async stage => {
  const board = await stage.board('gina', 'Shared')
  const start = await (await stage.person('gina')).visit('/')
  const { page } = start
  await page.getByRole('button', { name: 'Share Shared' }).click()
  await page.getByRole('tab', { name: 'People' }).click()
  const people = page.getByRole('tabpanel')
  await people.getByRole('textbox').first().fill('heidi')
  await people.getByRole('button', { name: /add|share|invite|let/i }).first().click()
  await until(async () => (await stage.api('gina').grants(board))['user:heidi'] !== undefined, 'the grant')
  await page.getByRole('tab', { name: 'Agents' }).click()
  const agents = page.getByRole('tabpanel')
  await agents.getByRole('textbox').first().fill('planner')
  await agents.getByRole('button', { name: /make|create|new/i }).first().click()
  const shown = await until(async () => /bw_[A-Za-z0-9_-]+/.exec(await agents.innerHTML()), 'the key')
  assert.match(shown[0], /^bw_/)
  assert.equal((await stage.api('gina').all(`/v1/boards/${board}/keys`))[0].name, 'planner')
})

test('without a token one is told how to get in, and a pasted one opens the list', async stage => {
  await stage.board('ivan', 'Behind a token')
  const nobody = await stage.person(null)
  const start = await nobody.visit('/')
  await start.shows('Sign in with a token')
  const { page } = start
  await page.getByLabel(/Token, or a link/).fill('nonsense')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await start.shows(/This is no token/)
  const ivan = await stage.person('ivan')
  await page.getByLabel(/Token, or a link/).fill(ivan.url('/'))
  await page.getByRole('button', { name: 'Sign in' }).click()
  await start.shows('Behind a token')
  await page.getByRole('button', { name: 'Sign out' }).click()
  await start.shows('Sign in with a token')
})

test('a link does not sign one in as somebody else unasked', async stage => {
  await stage.board('lena', 'Of Lena')
  await stage.board('mallory', 'Of Mallory')
  const lena = await stage.person('lena')
  const start = await lena.visit('/')
  await start.shows('Of Lena')
  const { page } = start
  const trap = (await stage.person('mallory')).url('/')
  const kept = () => page.evaluate(() => sessionStorage.getItem('boardwire.token'))

  await page.goto(trap)
  await start.shows('You are signed in as lena. This link signs you in as mallory.')
  assert.equal(page.url(), `${stage.server.http}/`, 'the token is out of the address')
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Stay', 'the key that one is about to press')
  assert.equal(await page.getByText('Of Mallory').count(), 0, 'nothing is asked in the other name')
  await page.getByRole('button', { name: 'Stay' }).click()
  await start.shows('Of Lena')
  assert.equal(await kept(), lena.token)

  // Whoever closes the question, or loads the page anew, stays as well.
  await page.goto(trap)
  await start.shows('This link signs you in as mallory.')
  await page.keyboard.press('Escape')
  await start.shows('Of Lena')
  await page.goto(trap)
  await start.shows('This link signs you in as mallory.')
  await page.reload()
  await start.shows('Of Lena')
  assert.equal(await kept(), lena.token)

  await page.goto(trap)
  await page.getByRole('button', { name: 'Switch' }).click()
  await start.shows('Of Mallory')
  assert.notEqual(await kept(), lena.token)
  // A new token of the same person is no question.
  await page.goto((await stage.person('mallory', { claims: { jti: 'new' } })).url('/'))
  await start.shows('Of Mallory')
})

test('the keyboard alone is enough', async stage => {
  const board = await stage.board('judy', 'By keyboard')
  const start = await (await stage.person('judy')).visit('/')
  const { page } = start
  await start.shows('By keyboard')
  const focused = () => page.evaluate(() => {
    const { activeElement: element } = document
    return element.getAttribute('aria-label') ?? element.textContent.trim()
  })
  const stops = []
  for (let n = 0; n < 9; n++) {
    await page.keyboard.press('Tab')
    stops.push(await focused())
  }
  assert.deepEqual(stops, ['Boardwire', 'Sign out', 'Title of the new board (optional)', 'New board', 'By keyboard', 'Share By keyboard', 'Rename By keyboard', 'Duplicate By keyboard', 'Delete By keyboard'])
  // What has the focus can be seen to have it.
  const ring = await page.evaluate(() => {
    const { outlineStyle, boxShadow } = getComputedStyle(document.activeElement)
    return outlineStyle !== 'none' || boxShadow !== 'none'
  })
  assert.ok(ring, 'a focus ring')

  // A dialog keeps the focus, closes by Escape, and gives it back.
  await page.keyboard.press('Shift+Tab')
  await page.keyboard.press('Shift+Tab')
  await page.keyboard.press('Enter')
  await start.shows('Rename the board')
  for (let n = 0; n < 6; n++) {
    await page.keyboard.press('Tab')
    assert.ok(await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest('dialog') !== null), 'the focus is in the dialog')
  }
  await page.keyboard.press('Escape')
  await until(async () => await page.locator('dialog').count() === 0, 'the dialog to close')
  assert.equal(await focused(), 'Rename By keyboard')
  await page.keyboard.press('Enter')
  await start.shows('Rename the board')
  await page.keyboard.press('Control+a')
  await page.keyboard.type('Typed')
  await page.keyboard.press('Enter')
  await start.shows('Typed')
  assert.equal((await stage.api('judy').board(board)).title, 'Typed')

  // Sharing: arrows between the tabs, one stop for the tab key.
  await page.getByRole('button', { name: 'Share Typed' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('tab', { name: 'Links' }).focus()
  await page.keyboard.press('ArrowRight')
  assert.equal(await page.getByRole('tab', { name: 'People' }).getAttribute('aria-selected'), 'true')
  await page.keyboard.press('Escape')
  await page.getByRole('link', { name: 'Typed' }).focus()
  await page.keyboard.press('Enter')
  await start.ready()
})

test('it fits a small screen, and the dark', async stage => {
  for (const title of ['Roadmap', 'Team retrospective in November', 'How an update travels']) await stage.board('kim', title)
  const board = await stage.board('kim', 'Ideas')
  const small = await stage.person('kim', { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true })
  const start = await small.visit('/')
  await start.shows('Roadmap')
  await fits(start)
  await start.page.screenshot({ path: output('start-small.png') })
  await start.page.getByRole('button', { name: 'Share Ideas' }).click()
  await fits(start)
  await start.page.screenshot({ path: output('share-small.png') })
  const tab = await small.open(board)
  await tab.create(box('one', 40, 120))
  await tab.says('connected', 'saved')
  await fits(tab)
  await tab.page.screenshot({ path: output('board-small.png') })

  const wide = await stage.person('kim')
  const light = await wide.visit('/')
  await light.shows('Roadmap')
  await light.page.screenshot({ path: output('start-light.png') })
  await light.page.emulateMedia({ colorScheme: 'dark' })
  // Colours that fade in would be half way.
  await light.page.reload()
  await light.shows('Roadmap')
  const [background, text] = await light.evaluate(() => {
    const { backgroundColor, color } = getComputedStyle(document.querySelector('.bw-page'))
    return [backgroundColor, color].map(colour => colour.match(/\d+(\.\d+)?/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0))
  })
  assert.ok(background < text, 'light on dark')
  await light.page.screenshot({ path: output('start-dark.png') })
})

/** Nothing is to be scrolled sideways. */
async function fits (tab) {
  const { wide, window: room } = await tab.evaluate(() => ({ wide: document.documentElement.scrollWidth, window: innerWidth }))
  assert.ok(wide <= room, `${wide} px in a window of ${room}`)
}
