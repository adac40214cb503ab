// At the door: who may not come in is told why and how to, and comes back to where they wanted; who is signed
// in stays who they are behind a share link.
import assert from 'node:assert/strict'
import { seconds } from '../node/support/token.mjs'
import { until } from '../node/support/wait.mjs'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

/** The token field of the page, filled and sent. */
async function signIn (tab, token) {
  await tab.page.getByLabel(/Token, or a link/).fill(token)
  await tab.page.getByRole('button', { name: 'Sign in' }).click()
}

const kind = tab => tab.part('verdict').getAttribute('data-kind')

for (const [where, path] of [['a board', id => `/board/${id}`], ['a board\'s public address', id => `/board/${id}/public`]]) {
  for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 700 }]) {
    test(`the bare address of ${where} takes a sign-in and leads back, ${viewport.width} px wide`, async stage => {
      await stage.ownServer()
      const board = await stage.board('alice')
      const alice = await stage.person('alice')
      const nobody = await stage.person(null, { viewport })
      nobody.watch.expect('refused')
      const tab = await nobody.visit(path(board))
      await tab.part('verdict').waitFor()
      assert.equal(await kind(tab), 'signin')
      assert.doesNotMatch(await tab.part('verdict').textContent(), /expired|revoked|lost/)
      const button = await tab.page.getByRole('button', { name: 'Sign in' }).boundingBox()
      assert.ok(button.x >= 0 && button.x + button.width <= viewport.width && button.y + button.height <= viewport.height, JSON.stringify(button))
      await tab.page.screenshot({ path: output(`signin-${viewport.width}.png`) })
      await signIn(tab, 'nonsense')
      await tab.shows(/This is no token/)
      await signIn(tab, alice.token)
      await tab.ready()
      assert.equal(new URL(tab.page.url()).pathname, `/board/${board}`)
      assert.equal(new URL(tab.page.url()).search, '')
      assert.equal(await tab.part('self').getAttribute('title'), 'alice (you)')
    })
  }
}

test('a sign-in that has expired, or is of another server, is told apart and made anew', async stage => {
  for (const [expected, token] of [['expired', { exp: seconds(-60) }], ['token', 'a.b.c']]) {
    await stage.ownServer()
    const board = await stage.board('alice')
    const person = await stage.person('alice', typeof token === 'string' ? {} : { claims: token })
    person.watch.expect('refused')
    const tab = await person.visit(`/board/${board}`, typeof token === 'string' ? { token } : {})
    await tab.part('verdict').waitFor()
    assert.equal(await kind(tab), expected)
    await signIn(tab, (await stage.person('alice')).token)
    await tab.ready()
  }
})

test('what did not reach the server is not told as lost while the browser keeps it', async stage => {
  await stage.ownServer()
  for (const lose of ['ungrant', 'remove']) {
    const board = await stage.board('alice')
    await stage.api('alice').grant(board, 'users/bob', 'edit')
    const bob = await stage.person('bob')
    const tab = await bob.open(board)
    await tab.create(box('before'))
    await tab.says('connected', 'saved')
    bob.watch.expect('refused', 'unreachable')
    await bob.context.setOffline(true)
    await tab.create(box('late'))
    await tab.eventually(() => document.querySelector('[data-testid=indicator]').dataset.saving === 'waiting', undefined, 'it to wait')
    await stage.api('alice')[lose](board, 'users/bob')
    await bob.context.setOffline(false)
    await tab.part('verdict').waitFor()
    assert.match(await tab.part('verdict').textContent(), /did not reach the server. They are kept in this browser/)
    await tab.page.getByRole('button', { name: 'Look at it' }).click()
    await tab.sees('late')
    await tab.page.reload()
    await tab.canvas()
    await tab.sees('late')
  }
})

test('who is signed in stays who they are behind a share link, with the better of both rights', async stage => {
  const board = await stage.board('alice', 'Plans')
  await stage.api('alice').grant(board, 'users/bob', 'view')
  const links = { edit: await stage.api('alice').link(board, 'edit'), view: await stage.api('alice').link(board, 'view') }
  const bob = await stage.person('bob')
  const tab = await bob.visit('/')
  await tab.shows('Plans')
  await tab.page.goto(`${stage.server.http}/board/${board}?share=${links.edit.token}`)
  await tab.ready()
  assert.equal(await tab.part('self').getAttribute('title'), 'bob (you)')
  await tab.create(box('by-bob'))
  await tab.says('connected', 'saved')
  assert.equal((await tab.shape('by-bob')).meta.created_by, 'user:bob')
  const seen = await stage.api('alice').all(`/v1/boards/${board}/presence`)
  assert.deepEqual(seen.map(({ subject, level }) => [subject, level]), [['user:bob', 'edit']])

  // An owner keeps what is theirs behind a link that gives less.
  const alice = await (await stage.person('alice')).visit('/')
  await alice.page.goto(`${stage.server.http}/board/${board}?share=${links.view.token}`)
  await alice.ready()
  assert.equal(await alice.part('level').count(), 0)
  await alice.page.getByRole('button', { name: 'Share', exact: true }).waitFor()
})

test('of a sign-in and a link one that does not count keeps nobody out', async stage => {
  await stage.ownServer()
  const board = await stage.board('alice')
  const good = await stage.api('alice').link(board, 'view')
  const gone = await stage.api('alice').link(board, 'edit')
  await stage.api('alice').unlink(board, gone.id)
  const cases = [
    ['alice', {}, gone, 'alice (you)'],
    ['alice', { exp: seconds(-60) }, good, 'Guest (you)']
  ]
  for (const [sub, claims, link, self] of cases) {
    const person = await stage.person(sub, { claims })
    person.watch.expect('refused')
    const tab = await person.visit('/')
    await tab.page.goto(`${stage.server.http}/board/${board}?share=${link.token}`)
    await tab.ready()
    await until(async () => await tab.part('self').getAttribute('title') === self, self)
  }
  // The server finds a token invalid that this page cannot judge.
  const stranger = await stage.person(null)
  stranger.watch.expect('refused')
  const tab = await stranger.visit('/')
  await tab.evaluate(token => sessionStorage.setItem('boardwire.token', token), 'e30.eyJzdWIiOiJib2IifQ.c2ln')
  await tab.page.goto(`${stage.server.http}/board/${board}?share=${good.token}`)
  await tab.ready()
  assert.equal(await tab.part('self').getAttribute('title'), 'Guest (you)')
})

test('addresses that are beside a page lead to it, or say where one can go', async stage => {
  const board = await stage.board('alice')
  const { token } = await stage.api('alice').link(board, 'view')
  const guest = await stage.person(null)
  const tab = await guest.visit(`/board/${board}/`, { share: token })
  await tab.ready()
  assert.equal(tab.page.url(), `${stage.server.http}/board/${board}?share=${token}`)
  guest.watch.expect('refused')
  for (const path of ['/boards', `/board/${board}/private`, '/board/a%20b']) {
    await tab.page.goto(stage.server.http + path)
    await tab.shows('There is no such page')
    await tab.page.getByRole('link', { name: /Your boards, and signing in/ }).click()
    await tab.shows('Sign in with a token')
  }
})

test('a link is for looking and for 30 days unless one chooses, and what commenting means is said', async stage => {
  const board = await stage.board('alice', 'Shared')
  const alice = await stage.person('alice')
  const tab = await alice.open(board)
  const { page } = tab
  await page.getByRole('button', { name: 'Share', exact: true }).click()
  await page.getByRole('button', { name: 'Make a link' }).click()
  await page.getByRole('textbox', { name: /New link/ }).waitFor()
  const [{ level, expires_at: end }] = await stage.api('alice').all(`/v1/boards/${board}/links`)
  const days = (Date.parse(end) - Date.now()) / 86_400_000
  assert.ok(level === 'view' && days > 29.9 && days <= 30, `${level} for ${days} days`)
  await page.getByRole('tab', { name: 'Public' }).click()
  await page.getByRole('button', { name: 'Let everybody view' }).click()
  for (const name of ['Links', 'People', 'Public', 'Agents']) {
    await page.getByRole('tab', { name, exact: true }).click()
    const offered = page.getByRole('tabpanel').locator('option[value=comment]').first()
    await offered.waitFor({ state: 'attached' })
    assert.match(await offered.textContent(), /only view/, name)
  }

  // A board that is gone is neither shared nor renamed, nor does the open dialog stay.
  alice.watch.expect('refused')
  await stage.api('alice').remove(board)
  await tab.part('verdict').waitFor()
  assert.equal(await page.getByRole('button', { name: 'Share', exact: true }).count(), 0)
  assert.equal(await page.getByRole('dialog').filter({ hasText: 'Share' }).count(), 0)
  assert.equal(await page.locator('input[data-testid=title]').count(), 0)
})
