// What browsers withhold: over plain http on a host name there is no clipboard for pages, with site data
// blocked no storage. The page works all the same, says what will not last, and loses nothing.
import assert from 'node:assert/strict'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

/** The server as people of a local network reach it. */
function onTheNetwork (stage) {
  stage.server = { ...stage.server, http: stage.server.http.replace('127.0.0.1', 'boards.lan') }
}

const selected = tab => tab.evaluate(() => window.boardwire.editor.getSelectedShapeIds().length)

/** A menu of tldraw over the shape, opened by the mouse, and one thing chosen from it. */
async function choose (tab, name, x, y) {
  const at = await tab.at(x, y)
  await tab.page.mouse.click(at.x, at.y, { button: 'right' })
  await tab.page.getByRole('menuitem', { name }).first().click()
}

for (const [where, go] of [['on localhost', () => {}], ['over plain http on a host name', onTheNetwork]]) {
  test(`${where} shapes are copied, cut and pasted, by keys and from the menu`, async stage => {
    const board = await stage.board('alice')
    go(stage)
    const tab = await stage.editor(board, 'alice')
    assert.equal(await tab.evaluate(() => navigator.clipboard === undefined), go === onTheNetwork, 'there is a clipboard on localhost only')
    tab.person.watch.expect('plain')
    const { keyboard } = tab.page
    const text = { richText: { type: 'doc', content: [{ type: 'paragraph', content: [{ type: 'text', text: 'a  <b> & \u00e4 \ud83c\udfa8' }] }] } }
    await tab.create(box('one', 100, 100, text))
    const shapes = async (count, what) => await tab.eventually(
      count => window.boardwire.editor.getCurrentPageShapeIds().size === count, count, what)
    const press = await tab.at(150, 140)
    await tab.page.mouse.click(press.x, press.y)
    assert.equal(await selected(tab), 1)

    await keyboard.press('Control+c')
    await keyboard.press('Control+v')
    await shapes(2, 'a copy')
    await keyboard.press('Control+x')
    await shapes(1, 'the copy to be cut')
    await keyboard.press('Control+v')
    await shapes(2, 'it again')
    const texts = await tab.evaluate(() => window.boardwire.editor.getCurrentPageShapes().map(({ props }) => JSON.stringify(props.richText)))
    assert.deepEqual(texts, [JSON.stringify(text.richText), JSON.stringify(text.richText)])

    await keyboard.press('Control+a')
    await keyboard.press('Delete')
    await shapes(0, 'an empty board')
    await tab.create(box('two', 100, 100))
    await choose(tab, /^Copy/, 150, 140)
    await keyboard.press('Control+v')
    await shapes(2, 'a copy by the menu')
    await keyboard.press('Delete')
    await shapes(1, 'the first')
    await choose(tab, /^Cut/, 150, 140)
    await shapes(0, 'it to be cut by the menu')
    await keyboard.press('Control+v')
    await shapes(1, 'it again')
    await keyboard.press('Control+z')
    await keyboard.press('Control+z')
    await shapes(1, 'undo to bring it back as well')
    await tab.says('connected', 'saved')
  })
}

test('what the browser does not let the page copy is not cut, and that is said', async stage => {
  const board = await stage.board('alice')
  const tab = await stage.editor(board, 'alice')
  await tab.create(box('kept', 100, 100))
  await tab.evaluate(() => {
    window.boardwire.editor.select('shape:kept')
    document.execCommand = () => false
  })
  await choose(tab, /^Cut/, 150, 140)
  await tab.shows(/does not let the page copy/)
  assert.ok(await tab.shape('kept') !== null)
})

test('over plain http on a host name a link is copied by its button', async stage => {
  const board = await stage.board('alice', 'To share')
  onTheNetwork(stage)
  const tab = await (await stage.person('alice')).open(board)
  tab.person.watch.expect('plain')
  await tab.page.getByRole('button', { name: 'Share', exact: true }).click()
  await tab.page.getByRole('button', { name: 'Make a link' }).click()
  await tab.page.getByRole('button', { name: /^Copy: New link/ }).click()
  await tab.shows('Copied')
})

test('with site data blocked one signs in, goes about and draws, and is told what will not last', async stage => {
  const alice = await stage.person('alice', { siteData: false })
  const start = await alice.visit('/')
  const { page } = start
  const blocked = await page.evaluate(() => { try { return sessionStorage === null } catch ({ name }) { return name } })
  assert.equal(blocked, 'SecurityError', 'this browser keeps nothing')
  await start.shows('This browser keeps nothing of this site.')
  await page.getByPlaceholder('Title (optional)').fill('Without storage')
  await page.getByRole('button', { name: 'New board' }).click()
  await page.waitForURL(/\/board\//)
  await start.ready()
  await start.part('fleeting').waitFor()
  await page.screenshot({ path: output('withheld.png') })
  await start.create(box('first'))
  await start.says('connected', 'saved')
  await page.reload()
  await start.ready()
  await start.sees('first')
  await page.getByRole('link', { name: 'All boards' }).click()
  await page.getByRole('link', { name: 'Without storage' }).click()
  await start.ready()
  await page.getByRole('link', { name: 'All boards' }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await start.shows('Sign in with a token')
  await page.getByLabel(/Token, or a link/).fill(alice.token)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await start.shows('Without storage')
})

test('with site data blocked a link opens its board, and an address that is none says so', async stage => {
  const board = await stage.board('alice')
  const { token } = await stage.api('alice').link(board, 'edit')
  const guest = await stage.person(null, { siteData: false })
  const tab = await guest.open(board, { share: token })
  await tab.create(box('by-guest'))
  await tab.says('connected', 'saved')
  guest.watch.expect('refused')
  await tab.page.goto(guest.url('/nowhere'))
  await tab.shows('There is no such page')
})
