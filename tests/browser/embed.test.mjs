// A board in a page of somebody else: without the bar, signed in by the page around it, which renews it too.
import assert from 'node:assert/strict'
import { mint, seconds } from '../node/support/token.mjs'
import { pause, until } from '../node/support/wait.mjs'
import { elsewhere } from './support/elsewhere.mjs'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'

const test = suite()

/** A page of another origin with the board in it, and the frame; `hand` is the token that it answers with. */
async function framed (stage, site, board, hand, options = {}) {
  const person = await stage.person(null, options)
  person.watch.expect('elsewhere', 'refused', 'hurried')
  const page = await person.context.newPage()
  await page.addInitScript(hand => { if (window === window.parent) addEventListener('DOMContentLoaded', () => { window.hand = hand }) }, hand)
  await page.goto(`${site.origin}/around?board=${encodeURIComponent(`${stage.server.http}/board/${board}?embed=1`)}`)
  const frame = await until(() => page.frames().find(one => one.url().includes('/board/')) ?? null, 'the frame')
  return { page, frame, part: name => frame.locator(`[data-testid=${name}]`) }
}

const link = async ({ part }, wanted) => await until(async () => await part('indicator').getAttribute('data-link').catch(() => null) === wanted, wanted, 20_000)

for (const [width, height, colorScheme] of [[1280, 800, 'light'], [320, 480, 'dark']]) {
  test(`a board in a frame has no bar, and is signed in by the page around it, ${width} px wide`, async stage => {
    const site = await elsewhere(stage)
    await stage.ownServer({ 'allow-frame': site.origin })
    const board = await stage.board('alice')
    const inside = await framed(stage, site, board, mint({ sub: 'alice', name: 'Alice' }), { viewport: { width, height }, colorScheme })
    await link(inside, 'connected')
    assert.equal(await inside.part('board').getAttribute('data-embedded'), 'true')
    assert.equal(await inside.frame.locator('.bw-bar').count(), 0)
    assert.equal(await inside.part('self').getAttribute('title'), 'Alice (you)')
    assert.deepEqual(await inside.page.evaluate(() => window.asked), [board])
    const bob = await stage.editor(board, 'bob')
    await until(async () => await inside.part('presence-bar').getAttribute('data-count') === '2', 'bob in the corner')
    const corner = await inside.part('corner').boundingBox()
    assert.ok(corner.x >= 0 && corner.x + corner.width <= width && corner.height <= 48, JSON.stringify(corner))
    await inside.page.screenshot({ path: output(`embed-${width}.png`) })
    await bob.meets('Alice')
    // Nothing of the token is kept: the page around knows who sits here the next time.
    assert.equal(await inside.frame.evaluate(() => sessionStorage.getItem('boardwire.token')), null)
  })
}

test('the page around renews a sign-in without a word, for the same person only', async stage => {
  const site = await elsewhere(stage)
  await stage.ownServer({ 'allow-frame': site.origin })
  const board = await stage.board('alice')
  const inside = await framed(stage, site, board, mint({ sub: 'alice', exp: seconds(125) }))
  await link(inside, 'connected')
  await inside.page.evaluate(token => { window.hand = token }, mint({ sub: 'bob', boards: { [board]: 'edit' } }))
  // Who is somebody else is not taken, asked or unasked.
  await inside.page.evaluate(token => window.give(token), mint({ sub: 'bob', boards: { [board]: 'edit' } }))
  await until(async () => await inside.page.evaluate(() => window.asked.length) >= 2, 'the page to ask for a token', 20_000)
  // On a slow machine the token of alice was renewed by the same one first, and is not at once again.
  await inside.part('renewal').waitFor({ timeout: 30_000 })
  assert.equal(await inside.part('self').getAttribute('title'), 'alice (you)')
  assert.equal(await inside.part('switch').count(), 0)
  await inside.page.evaluate(token => window.give(token), mint({ sub: 'alice' }))
  await inside.part('renewal').waitFor({ state: 'detached' })
  await link(inside, 'connected')
  assert.equal(await inside.part('self').getAttribute('title'), 'alice (you)')
})

test('a page around whose tokens all end soon is asked now and then, and not for ever at once', async stage => {
  const site = await elsewhere(stage)
  await stage.ownServer({ 'allow-frame': site.origin })
  const board = await stage.board('alice')
  const inside = await framed(stage, site, board, mint({ sub: 'alice', exp: seconds(100) }))
  const asked = async () => await inside.page.evaluate(() => window.asked.length)
  await until(async () => await asked() >= 2, 'the page to ask for a later token')
  await link(inside, 'connected')
  await pause(1_500)
  assert.equal(await asked(), 2, 'once to open, and once to renew')
})

test('a frame that is given no token shows the door, and opens as soon as one comes', async stage => {
  const site = await elsewhere(stage)
  await stage.ownServer({ 'allow-frame': site.origin })
  const board = await stage.board('alice')
  const inside = await framed(stage, site, board, null)
  await inside.part('verdict').waitFor()
  assert.equal(await inside.part('verdict').getAttribute('data-kind'), 'signin')
  await inside.page.evaluate(token => window.give(token), mint({ sub: 'alice' }))
  await link(inside, 'connected')
  assert.equal(await inside.part('verdict').count(), 0)
})

test('the page of a server that allows no frames is shown in none', async stage => {
  const site = await elsewhere(stage)
  await stage.ownServer()
  const board = await stage.board('alice')
  const person = await stage.person(null)
  person.watch.forgive()
  const page = await person.context.newPage()
  const refused = page.waitForEvent('console', message => /frame-ancestors|refused to connect/i.test(message.text()))
  await page.goto(`${site.origin}/around?board=${encodeURIComponent(`${stage.server.http}/board/${board}?embed=1`)}`)
  await refused
  assert.equal(page.frames().some(one => one.url().startsWith(stage.server.http)), false)
})
