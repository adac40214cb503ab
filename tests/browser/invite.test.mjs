// Getting in by an invitation: one press signs a browser in, once; what is signed in is seen and ended.
import assert from 'node:assert/strict'
import { adminToken, mint } from '../node/support/token.mjs'
import { until } from '../node/support/wait.mjs'
import { elsewhere } from './support/elsewhere.mjs'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

const admin = stage => {
  const api = stage.api('root')
  api.headers.Authorization = `Bearer ${adminToken()}`
  return api
}

/** The path of an invitation. */
async function invitation (stage, name, more = {}) {
  const { url } = await admin(stage).ok('POST', '/v1/invites', { name, ...more })
  const { pathname, hash } = new URL(url)
  return pathname + hash
}

/** Somebody in a browser that joined by an invitation. */
async function joined (stage, name, { more, ...options } = {}) {
  const person = await stage.person(null, options)
  const tab = await person.visit(await invitation(stage, name, more))
  await tab.page.getByRole('button', { name: `Join as ${name}` }).click()
  return tab
}

const refusal = tab => tab.part('invite-refused').getAttribute('data-code')

for (const [width, height, colorScheme] of [[1280, 800, 'light'], [320, 640, 'dark']]) {
  test(`an invitation signs a browser in by one press, and by nothing else, ${width} px wide`, async stage => {
    const board = await stage.board('alice', 'Plans')
    await stage.api('alice').grant(board, 'users/Zo%C3%AB%20B', 'edit')
    const path = await invitation(stage, 'Zoë B')
    const options = { viewport: { width, height }, colorScheme }
    // Whoever only looks at it uses nothing.
    const preview = await stage.person(null, options)
    const looked = await preview.visit(path)
    await looked.shows('You are invited')
    assert.equal(new URL(looked.page.url()).hash, '', 'it is taken out of the address at once')
    await looked.page.screenshot({ path: output(`invite-${width}.png`) })

    const zoe = await stage.person(null, options)
    const tab = await zoe.visit(path)
    const join = tab.page.getByRole('button', { name: 'Join as Zoë B' })
    await join.focus()
    await tab.press('Enter')
    await tab.shows('Plans')
    assert.equal(new URL(tab.page.url()).pathname + new URL(tab.page.url()).hash, '/')
    await tab.page.screenshot({ path: output(`invite-start-${width}.png`) })
    assert.equal(await tab.evaluate(() => document.cookie), '', 'no script sees the session')
    await tab.page.locator(`a[href="/board/${board}"]`, { hasText: 'Plans' }).click()
    await tab.ready()
    assert.equal(await tab.part('self').getAttribute('title'), 'Zoë B (you)')
    await tab.create(box('hers'))
    await tab.says('connected', 'saved')
    assert.equal((await tab.shape('hers')).meta.created_by, 'user:Zoë B')
    const seen = await stage.api('alice').all(`/v1/boards/${board}/presence`)
    assert.deepEqual(seen.map(({ subject, name }) => [subject, name]), [['user:Zoë B', 'Zoë B']])

    // A new tab, and a reload, are signed in too.
    const second = await zoe.open(board)
    assert.equal(await second.part('self').getAttribute('title'), 'Zoë B (you)')
    await second.page.close()

    // Once.
    looked.person.watch.expect('refused')
    await looked.page.getByRole('button', { name: 'Join as Zoë B' }).click()
    await looked.part('invite-refused').waitFor()
    assert.equal(await refusal(looked), 'invite_used')
    await looked.shows('This invitation was used already')
    await looked.page.screenshot({ path: output(`invite-used-${width}.png`) })
  })
}

test('an invitation that is none, or for one board, says so or leads there', async stage => {
  const board = await stage.board('alice', 'The one')
  const tab = await joined(stage, 'Bob', { more: { boards: { [board]: 'edit' } } })
  await tab.ready()
  assert.equal(new URL(tab.page.url()).pathname, `/board/${board}`)
  assert.equal(await tab.part('board').getAttribute('data-level'), 'edit')
  const nobody = await stage.person(null)
  nobody.watch.expect('refused')
  const wrong = await nobody.visit('/#invite=' + mint({ sub: undefined, name: 'Bob' }, { secret: 'x'.repeat(40) }))
  await wrong.page.getByRole('button', { name: 'Join as Bob' }).click()
  await wrong.part('invite-refused').waitFor()
  assert.equal(await refusal(wrong), 'invalid_credential')
  await wrong.shows('This invitation is not valid here')
})

test('who is signed in is asked before an invitation makes them somebody else', async stage => {
  const tab = await joined(stage, 'Ann')
  await tab.shows('No boards yet')
  // The address is another in its fragment only, and the page sees it.
  await tab.page.goto(stage.server.http + await invitation(stage, 'Bob'))
  await tab.page.getByRole('button', { name: 'Join as Bob' }).click()
  await tab.part('switch').waitFor()
  assert.match(await tab.part('switch').textContent(), /signed in as Ann.*as Bob/)
  await tab.page.screenshot({ path: output('invite-switch.png') })
  await tab.press('Escape')
  await tab.part('switch').waitFor({ state: 'detached' })
  await tab.page.getByRole('button', { name: 'Join as Bob' }).click()
  await tab.page.getByRole('button', { name: 'Switch' }).click()
  await tab.page.locator('.bw-who').getByText('Bob').waitFor()
  // The same person needs none.
  await tab.page.goto('about:blank')
  await tab.page.goto(stage.server.http + await invitation(stage, 'Bob'))
  await tab.shows(/signed in as Bob here already/)
})

test('a browser that is signed out from another one closes its boards within a second, and says that nothing is lost', async stage => {
  await stage.ownServer()
  const board = await stage.board('alice', 'Plans')
  await stage.api('alice').grant(board, 'users/Bob', 'edit')
  const [lost, kept] = [await joined(stage, 'Bob'), await joined(stage, 'Bob')]
  await lost.shows('Plans')
  await lost.page.goto(`${stage.server.http}/board/${board}`)
  await lost.ready()
  await lost.create(box('before'))
  await lost.says('connected', 'saved')
  await kept.page.getByRole('button', { name: 'Signed-in browsers' }).click()
  const rows = kept.part('browser')
  await until(async () => await rows.count() === 2, 'two browsers')
  assert.equal(await rows.first().getAttribute('data-current'), 'true')
  assert.match(await rows.first().textContent(), /Chrome on Linux.*This browser/)
  await kept.page.screenshot({ path: output('browsers.png') })
  lost.person.watch.expect('refused', 'unreachable')
  const other = rows.nth(1).getByRole('button')
  await other.click()
  await other.getByText('Really sign out?').waitFor()
  await other.click()
  const at = performance.now()
  await lost.part('verdict').waitFor()
  assert.ok(performance.now() - at < 2_000, 'within a second, and one for a busy machine')
  assert.equal(await lost.part('verdict').getAttribute('data-kind'), 'revoked')
  await lost.shows('You are signed out in this browser')
  await lost.page.screenshot({ path: output('signed-out.png') })
  await until(async () => await rows.count() === 1, 'one browser')

  // A reload tells the same, and what was drawn is where it was.
  await lost.page.reload()
  await lost.part('verdict').waitFor()
  await lost.page.goto(stage.server.http + await invitation(stage, 'Bob'))
  await lost.page.getByRole('button', { name: 'Join as Bob' }).click()
  await lost.shows('Plans')
  await lost.page.goto(`${stage.server.http}/board/${board}`)
  await lost.ready()
  await lost.sees('before')

  // Signing out here ends it here.
  kept.person.watch.expect('refused')
  await kept.press('Escape')
  await kept.page.getByRole('button', { name: 'Sign out', exact: true }).click()
  await kept.shows('Boards to draw on together')
  await kept.page.goto(`${stage.server.http}/board/${board}`)
  await kept.part('verdict').waitFor()
  assert.equal(await kept.part('verdict').getAttribute('data-kind'), 'signin')
})

test('an admin invites somebody from the page, at 320 pixels too', async stage => {
  const tab = await joined(stage, 'Root', { more: { admin: true }, viewport: { width: 320, height: 640 } })
  await tab.page.getByRole('button', { name: 'Invite somebody' }).click()
  await tab.page.getByRole('textbox', { name: 'Name' }).fill('New one')
  await tab.press('Enter')
  const made = tab.page.getByRole('textbox', { name: 'Invitation for New one' })
  await made.waitFor()
  await tab.shows(/It works once, until/)
  await tab.page.screenshot({ path: output('invite-somebody-320.png') })
  const address = new URL(await made.inputValue())
  const guest = await stage.person(null)
  const there = await guest.visit(address.pathname + address.hash)
  await there.page.getByRole('button', { name: 'Join as New one' }).click()
  await there.page.locator('.bw-who').getByText('New one').waitFor()
  assert.equal(await there.page.getByRole('button', { name: 'Invite somebody' }).count(), 0)
  await tab.press('Escape')
  await tab.page.getByRole('button', { name: 'Signed-in browsers' }).click()
  await tab.part('browser').filter({ hasText: 'New one' }).waitFor()
  await tab.page.screenshot({ path: output('browsers-320.png') })
})

test('offline, a board opens as who one was', async stage => {
  const server = await stage.ownServer()
  const board = await stage.board('alice', 'Plans')
  await stage.api('alice').grant(board, 'users/Bob', 'edit')
  const tab = await joined(stage, 'Bob')
  await tab.shows('Plans')
  await tab.page.goto(`${server.http}/board/${board}`)
  await tab.ready()
  await tab.create(box('kept'))
  await tab.says('connected', 'saved')
  await tab.eventually(async () => (await navigator.serviceWorker.ready).active.state === 'activated', undefined, 'the service worker')
  await tab.page.reload()
  await tab.ready()
  tab.person.watch.expect('unreachable')
  await tab.person.context.setOffline(true)
  await tab.page.reload()
  await tab.canvas()
  await tab.sees('kept')
  assert.equal(await tab.part('self').getAttribute('title'), 'Bob (you)')
})

for (const [width, height] of [[1280, 800], [390, 700]]) {
  test(`the door and the start page send people to sign in, and they come back, ${width} px wide`, async stage => {
    const site = await elsewhere(stage)
    await stage.ownServer({ 'login-url': site.login })
    const board = await stage.board('alice', 'Plans')
    const alice = await stage.person(null, { viewport: { width, height } })
    alice.watch.expect('refused', 'elsewhere')
    const tab = await alice.visit(`/board/${board}`)
    await tab.part('verdict').waitFor()
    assert.equal(await tab.part('verdict').getAttribute('data-kind'), 'signin')
    await tab.part('login').waitFor()
    await tab.page.screenshot({ path: output(`door-login-${width}.png`) })
    await tab.part('login').focus()
    await tab.press('Enter')
    await tab.ready()
    assert.equal(tab.page.url(), `${stage.server.http}/board/${board}`)
    assert.equal(await tab.part('self').getAttribute('title'), 'alice (you)')

    const start = await (await stage.person(null, { viewport: { width, height } })).visit('/')
    start.person.watch.expect('elsewhere')
    await start.part('login').waitFor()
    await start.page.screenshot({ path: output(`welcome-login-${width}.png`) })
    // A token stays as the last way.
    await start.page.getByRole('button', { name: 'I have a token' }).click()
    await start.page.getByLabel(/Token, or a link/).waitFor()
    await start.part('login').click()
    await start.shows('Plans')
    assert.equal(new URL(start.page.url()).hash, '')
  })
}
