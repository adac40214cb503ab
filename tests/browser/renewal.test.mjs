// A page outlives its sign-in: it is renewed with the same document and the same undo; without renewal what
// was drawn is kept, and the page says so.
import assert from 'node:assert/strict'
import { mint, seconds } from '../node/support/token.mjs'
import { until } from '../node/support/wait.mjs'
import { elsewhere } from './support/elsewhere.mjs'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

/** Seconds for which the server lets a token go on after its end. */
const LEEWAY = 30

const status = async (tab, wanted) => {
  await until(async () => await tab.part('renewal').getAttribute('data-status').catch(() => null) === wanted, `the page to say that the sign-in is ${wanted}`, 30_000)
}

/** Remembers the editor, and makes a step that can be undone. */
async function begin (tab) {
  await tab.evaluate(() => { window.first = window.boardwire.editor; window.first.markHistoryStoppingPoint('before') })
  await tab.create(box('before', 100, 100))
  await tab.says('connected', 'saved')
}

/** The same editor holds the same document, and what was done before the renewal can be undone. */
async function goesOn (tab) {
  await tab.eventually(() => window.boardwire?.editor === window.first, undefined, 'the same editor')
  await tab.create(box('after', 300, 100))
  await tab.says('connected', 'saved')
  await tab.evaluate(() => window.first.deleteShapes(['shape:after']))
  await tab.evaluate(() => { window.first.undo(); window.first.undo() })
  await tab.misses('before')
  await tab.says('connected', 'saved')
}

/** Alice's tab with a board, whose token ends after so many seconds. */
async function ending (stage, after, options = {}) {
  const board = await stage.board('alice')
  const alice = await stage.person('alice', { claims: { exp: seconds(after) }, ...options })
  return { board, tab: await alice.open(board) }
}

for (const [width, height, colorScheme] of [[1280, 800, 'light'], [320, 640, 'dark']]) {
  test(`two minutes before the end one is warned, and renews at the login page with drawing and undo as they were, ${width} px wide`, async stage => {
    const site = await elsewhere(stage)
    await stage.ownServer({ 'login-url': site.login })
    const { board, tab } = await ending(stage, 125, { viewport: { width, height }, colorScheme })
    tab.person.watch.expect('elsewhere')
    await begin(tab)
    await status(tab, 'ending')
    await tab.shows('Your sign-in ends in two minutes.')
    await tab.page.screenshot({ path: output(`renewal-ending-${width}.png`) })
    const renew = tab.part('renew')
    await renew.waitFor()
    const place = await renew.boundingBox()
    assert.ok(place.x >= 0 && place.x + place.width <= width, JSON.stringify(place))
    site.who = { sub: 'alice', exp: seconds(3600) }
    // By the keyboard.
    await renew.focus()
    const [window] = await Promise.all([tab.page.context().waitForEvent('page'), tab.press('Enter')])
    await tab.part('renewal').waitFor({ state: 'detached' })
    await window.getByText('You are signed in again').waitFor().catch(error => { if (!window.isClosed()) throw error })
    if (!window.isClosed()) {
      assert.equal(new URL(window.url()).hash, '')
      await window.screenshot({ path: output(`renewal-returned-${width}.png`) })
      await window.close()
    }
    const back = new URL(new URL(site.asked.find(url => url.startsWith('/in')), site.origin).searchParams.get('return'))
    assert.equal(back.origin + back.pathname, stage.server.http + '/')
    assert.doesNotMatch(site.asked.join(), /token|share/)
    await goesOn(tab)
    assert.ok(new URL(tab.sockets.at(-1).url).searchParams.get('token') !== tab.person.token, 'the connection has the new token')
    // The tab keeps it.
    await tab.page.reload()
    await tab.ready()
    assert.equal((await stage.api('alice').all(`/v1/boards/${board}/presence`)).length, 1)
  })
}

test('a token of somebody else asks first, and renews nothing; one of the same person renews', async stage => {
  await stage.ownServer()
  const { board, tab } = await ending(stage, 60)
  await begin(tab)
  await status(tab, 'ending')
  const paste = async token => {
    await tab.page.getByLabel(/Token, or a link/).fill(token)
    await tab.page.getByRole('button', { name: 'Use it' }).click()
  }
  await tab.page.getByRole('button', { name: 'I have a token' }).click()
  await paste('nonsense')
  await tab.shows(/This is no token/)
  await paste(mint({ sub: 'alice', exp: seconds(-5) }))
  await tab.shows('This token has expired, too.')
  await paste(mint({ sub: 'bob', boards: { [board]: 'edit' } }))
  await tab.part('switch').waitFor()
  assert.match(await tab.part('switch').textContent(), /signed in as alice.*as bob/)
  await tab.page.screenshot({ path: output('renewal-rival.png') })
  await tab.press('Escape')
  await tab.part('switch').waitFor({ state: 'detached' })
  assert.equal(await tab.part('self').getAttribute('title'), 'alice (you)')
  await status(tab, 'ending')
  await paste(mint({ sub: 'alice' }))
  await tab.part('renewal').waitFor({ state: 'detached' })
  await goesOn(tab)
})

test('without renewal one goes on drawing, is told that it is kept, and it is sent once one is signed in again', async stage => {
  await stage.ownServer()
  const { board, tab } = await ending(stage, 18 - LEEWAY)
  tab.person.watch.expect('refused')
  await begin(tab)
  await status(tab, 'ended')
  await tab.shows('Your sign-in has ended. What you drew is kept in this browser and will be sent once you sign in again.')
  assert.equal(await tab.part('verdict').count(), 0)
  assert.equal(await tab.evaluate(() => window.boardwire.editor.getIsReadonly()), false)
  await tab.create(box('late', 200, 300))
  await tab.eventually(() => /^Signed out, 1 change waiting/.test(document.querySelector('.bw-indicator-text').textContent), undefined, 'what waits')
  await tab.page.screenshot({ path: output('renewal-ended.png') })
  const opened = tab.sockets.length
  const bob = await stage.editor(board, 'bob')
  await bob.sees('before')
  assert.equal(tab.sockets.length, opened, 'it leaves the server alone')
  await tab.page.getByRole('button', { name: 'I have a token' }).click()
  await tab.page.getByLabel(/Token, or a link/).fill(mint({ sub: 'alice' }))
  await tab.press('Enter')
  await tab.says('connected', 'saved')
  await bob.sees('late')
  await bob.meets('alice')
  await tab.eventually(() => window.boardwire?.editor === window.first, undefined, 'the same editor')
})

test('what was drawn after the end is there after a reload, and is sent after a new sign-in', async stage => {
  await stage.ownServer()
  const { board, tab } = await ending(stage, 18 - LEEWAY)
  tab.person.watch.expect('refused')
  await begin(tab)
  await status(tab, 'ended')
  await tab.create(box('late', 200, 300))
  await tab.eventually(() => document.querySelector('[data-testid=indicator]').dataset.waiting === '1', undefined, 'it to wait')
  await tab.page.reload()
  await tab.part('verdict').waitFor()
  assert.match(await tab.part('verdict').textContent(), /sign-in has expired.*did not reach the server.*kept in this browser/)
  await tab.page.getByLabel(/Token, or a link/).fill(mint({ sub: 'alice' }))
  await tab.page.getByRole('button', { name: 'Sign in' }).click()
  await tab.ready()
  await tab.says('connected', 'saved')
  const bob = await stage.editor(board, 'bob')
  await bob.sees('late')
})

test('a session of the browser is renewed without a word, also after it was refused', async stage => {
  await stage.ownServer()
  const board = await stage.board('alice')
  const admin = stage.api('root')
  admin.headers.Authorization = `Bearer ${mint({ sub: 'root', role: 'admin' })}`
  const { url } = await admin.ok('POST', '/v1/invites', { name: 'alice' })
  const alice = await stage.person(null)
  let [ends, asked] = [Date.now() + 124_000, 0]
  await alice.context.route('**/v1/session', async route => {
    if (route.request().method() !== 'GET') return await route.continue()
    asked++
    const answer = await route.fetch()
    const said = { ...await answer.json(), expires_at: new Date(ends).toISOString() }
    await route.fulfill({ response: answer, json: said })
  })
  const tab = await alice.visit(new URL(url).hash === '' ? '/' : '/' + new URL(url).hash)
  await tab.page.getByRole('button', { name: 'Join as alice' }).click()
  await tab.page.getByRole('button', { name: 'New board' }).waitFor()
  ends = Date.now() + 124_000
  await tab.evaluate(() => localStorage.removeItem('boardwire.session'))
  await tab.page.goto(`${stage.server.http}/board/${board}`)
  await tab.ready()
  await begin(tab)
  const [before, opened] = [asked, tab.sockets.length]
  ends = Date.now() + 3_600_000
  // It is asked 120 s before the end, and every 15 s from then on.
  await until(() => tab.sockets.length > opened, 'a new connection', 40_000)
  assert.ok(asked > before)
  assert.equal(await tab.part('renewal').count(), 0)
  await tab.says('connected', 'saved')
  await goesOn(tab)
})
