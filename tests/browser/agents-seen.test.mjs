// Agents are seen at work, and who manages the board stops them from the bar.
import assert from 'node:assert/strict'
import { Api } from '../node/support/api.mjs'
import { until } from '../node/support/wait.mjs'
import { output } from './support/measure.mjs'
import { peer } from './support/peer.mjs'
import { suite } from './support/stage.mjs'

const test = suite()

const items = (board, path = '') => `/v1/boards/${board}/items${path}`
const sticky = (id, x, y) => ({ id, type: 'sticky', x, y, content: { text: id } })
const batch = (operations) => ({ operations: operations.map(item => ({ action: 'create', item })) })

/** A board of alice's with an agent that reaches it by a key. */
async function withAgent (stage, name = 'Planner') {
  const board = await stage.board('alice')
  const made = await stage.api('alice').key(board, 'edit', name)
  return { board, made, agent: new Api(stage.server, { key: made.key }) }
}

/** Keeps the agent at work, as one that goes on drawing is, until the test is over. */
function atWork (stage, agent, board) {
  let n = 0
  const timer = setInterval(() => {
    n++
    agent.call('POST', items(board), sticky(`busy-${n}`, 220 * (n % 5), 220 * Math.floor(n / 5))).catch(() => {})
  }, 700)
  stage.atEnd(() => clearInterval(timer))
}

/** How many of these are not whole on the screen. */
const outside = (tab, selector) => tab.evaluate(selector => [...document.querySelectorAll(selector)]
  .map(element => element.getBoundingClientRect())
  .filter(({ left, right, width }) => width > 0 && (left < -0.5 || right > innerWidth + 0.5)).length, selector)

/** The mark in the bar of whoever is called so. */
const named = (tab, name) => tab.page.locator(`[data-testid=person][aria-label^="${name}"]`)

/** Where the cursors of the others are, by name, as the canvas has them. */
const cursors = tab => tab.evaluate(() => window.boardwire.editor.getCollaborators()
  .map(({ userName, cursor, chatMessage }) => [userName, cursor && { x: cursor.x, y: cursor.y }, chatMessage]))

test('what an agent does is told in the bar and at its cursor, which goes there', async stage => {
  const { board, agent } = await withAgent(stage)
  const alice = await stage.editor(board, 'alice')
  await agent.ok('POST', items(board, '/batch'), batch([sticky('a', 0, 0), sticky('b', 300, 0), sticky('c', 300, 300)]))
  await alice.meets('Planner, an agent, drawing 3 items')
  assert.equal(await alice.part('person').getAttribute('data-kind'), 'agent')
  assert.equal(await alice.part('doing').textContent(), 'drawing 3 items')
  await alice.page.locator('.tl-nametag-chat').getByText('drawing 3 items').waitFor()
  const seen = new Set()
  await until(async () => {
    const [planner] = await cursors(alice)
    if (planner?.[1]) seen.add(JSON.stringify(planner[1]))
    return planner?.[1]?.x === 300 && planner[1].y === 300
  }, 'the cursor at the last item')
  assert.ok(seen.size > 2, `it goes there: ${[...seen].join(' ')}`)
  await alice.page.screenshot({ path: output('agents-seen.png') })
  await agent.ok('DELETE', items(board, '/b'))
  await alice.meets('Planner, an agent, deleting 1 item')
  await until(async () => (await cursors(alice))[0]?.[1]?.y === 0, 'the cursor where the item was')
})

test('with reduced motion the cursor is there at once', async stage => {
  const { board, agent } = await withAgent(stage)
  const alice = await stage.editor(board, 'alice', { reducedMotion: 'reduce' })
  await alice.evaluate(() => {
    window.places = new Set()
    const { store } = window.boardwire.editor
    store.listen(() => {
      for (const record of store.allRecords()) if (record.typeName === 'instance_presence' && record.cursor) window.places.add(record.cursor.x)
    })
  })
  await agent.ok('POST', items(board), sticky('a', 0, 0))
  await alice.meets('Planner, an agent, drawing 1 item')
  await agent.ok('POST', items(board), sticky('b', 400, 0))
  await alice.eventually(() => window.places.has(400), undefined, 'the second place')
  assert.deepEqual(await alice.evaluate(() => [...window.places]), [0, 400])
})

test('the owner pauses an agent from the bar, and lets it go on', async stage => {
  const { board, agent, made } = await withAgent(stage)
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  atWork(stage, agent, board)
  const mark = alice.page.locator('[data-testid=person][data-kind=agent]')
  await until(async () => await mark.getAttribute('aria-expanded') === 'false', 'the menu of the agent')
  await mark.click()
  await alice.part('agent-menu').waitFor()
  await alice.page.screenshot({ path: output('agents-menu.png') })
  await alice.part('pause').click()
  await alice.part('agent-menu').locator('[data-testid=resume]').waitFor()
  const refused = await agent.call('POST', items(board), sticky('late', 0, 0))
  assert.deepEqual([refused.status, refused.body.code], [403, 'agent_paused'])
  assert.equal((await stage.api('alice').all(`/v1/boards/${board}/keys`))[0].paused, true)
  await alice.press('Escape')
  await alice.part('agent-menu').waitFor({ state: 'detached' })

  // It stays listed when the agent is gone, also after a reload, and for nobody else.
  await alice.part('paused-agents').waitFor()
  await until(async () => await mark.count() === 0, 'the agent to go')
  assert.equal(await bob.part('paused-agents').count(), 0)
  await alice.page.reload()
  await alice.ready()
  const paused = alice.part('paused-agents')
  await paused.waitFor()
  assert.equal(await paused.getAttribute('aria-label'), '1 paused: Planner')
  // By keyboard.
  await paused.focus()
  await alice.press('Enter')
  await alice.part('paused-list').waitFor()
  await alice.page.screenshot({ path: output('agents-paused.png') })
  await alice.press('Tab')
  await alice.press('Enter')
  await paused.waitFor({ state: 'detached' })
  assert.equal((await agent.call('POST', items(board), sticky('again', 0, 0))).status, 201)
  assert.deepEqual((await stage.api('alice').all(`/v1/boards/${board}/audit`)).filter(({ action }) => /key\.(pause|resume)/.test(action)).map(({ action, detail }) => [action, detail.id]), [
    ['key.resume', made.id], ['key.pause', made.id]
  ])
})

test('whoever does not manage the board, and whoever only says to be an agent, is offered nothing', async stage => {
  const { board, agent, made } = await withAgent(stage)
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  const { provider } = await peer(stage, board, 'eve')
  const text = '<img src=x onerror=alert(1)>\n' + 'long '.repeat(200)
  provider.awareness.setLocalState({
    user: { id: 'key:AAAAAAAAAAAAAAAA', name: 'Impostor', color: 'url(//x)' }, kind: 'agent', page: 'page:page', cursor: { x: 100, y: 100 },
    selection: [], doing: text, message: { html: text }
  })
  atWork(stage, agent, board)
  const impostor = named(alice, 'Impostor')
  const planner = named(alice, 'Planner')
  await until(async () => await planner.getAttribute('aria-expanded') === 'false', 'the menu of the agent')
  assert.equal(await impostor.getAttribute('aria-expanded'), null, 'its key is not what the server knows it by')
  assert.ok((await impostor.getAttribute('aria-label')).length < 200)
  assert.equal(await alice.page.locator('.bw-bar img[src=x], .tl-nametag-chat img').count(), 0)
  const theirs = named(bob, 'Planner')
  await theirs.waitFor()
  await theirs.click()
  assert.equal(await theirs.getAttribute('aria-expanded'), null)
  assert.equal(await bob.part('agent-menu').count(), 0)
  assert.equal(made.paused, false)
})

for (const [name, options] of [['narrow', { viewport: { width: 320, height: 640 } }], ['dark', { colorScheme: 'dark' }]]) {
  test(`the menus fit in and can be read: ${name}`, async stage => {
    const { board, agent } = await withAgent(stage, 'A release planner with quite a long name')
    const api = stage.api('alice')
    const other = await api.key(board, 'edit', 'Nightly importer')
    await api.ok('PATCH', `/v1/boards/${board}/keys/${other.id}`, { paused: true })
    for (let n = 0; n < (name === 'narrow' ? 3 : 1); n++) {
      const { provider } = await peer(stage, board, `Person ${n}`)
      provider.awareness.setLocalState({ user: { id: `user:Person ${n}`, name: `Person ${n}`, color: '#00629d' }, kind: 'person', page: 'page:page', cursor: null, selection: [] })
    }
    const alice = await stage.editor(board, 'alice', options)
    assert.ok((await alice.part('title').boundingBox()).width >= 60)
    await alice.part('paused-agents').click()
    await alice.part('paused-list').waitFor()
    await alice.page.screenshot({ path: output(`agents-paused-${name}.png`) })
    assert.equal(await outside(alice, '.bw-bar *'), 0)
    await alice.press('Escape')
    atWork(stage, agent, board)
    if (name === 'narrow') {
      // Behind "+3", with the others.
      await alice.meets('Person 0')
      await alice.part('more-people').click()
      await alice.part('more-list').locator('[data-testid=pause]').waitFor()
      await alice.page.screenshot({ path: output('agents-more-narrow.png') })
      assert.equal(await outside(alice, '.bw-bar *'), 0)
      return
    }
    const mark = alice.page.locator('[data-testid=person][data-kind=agent]')
    await until(async () => await mark.getAttribute('aria-expanded') === 'false', 'the menu of the agent')
    await mark.click()
    await alice.part('agent-menu').waitFor()
    await alice.page.screenshot({ path: output(`agents-menu-${name}.png`) })
    assert.equal(await outside(alice, '.bw-bar *'), 0)
  })
}
