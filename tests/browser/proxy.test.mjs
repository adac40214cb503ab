// The page behind the real nginx: under a path of a host it works as at its root, and where the proxy is set
// up wrong it says what is wrong instead of opening for ever.
import assert from 'node:assert/strict'
import { freePort } from '../node/support/postgres.mjs'
import { until } from '../node/support/wait.mjs'
import { HOST, startNginx, UPGRADE } from './support/nginx.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

/** A server that people reach under `/wb`, with nginx in front of it. `to` is what stands behind the server's address. */
async function behind (stage, { passes, to = '/' }) {
  const port = await freePort()
  const server = await stage.ownServer({ 'public-url': `http://127.0.0.1:${port}/wb` })
  const origin = await startNginx(stage, port, `location /wb/ { proxy_pass ${server.http}${to}; ${passes} }`)
  // People come by the proxy from here on; the API is asked directly.
  stage.server = { http: origin }
  return { server, origin }
}

/** Everything that a context asks for, and what is not found. */
function asked (person) {
  const paths = new Set()
  person.context.on('request', request => {
    const { protocol, pathname } = new URL(request.url())
    if (protocol === 'http:') paths.add(pathname)
  })
  person.context.on('page', page => page.on('websocket', socket => paths.add(new URL(socket.url()).pathname)))
  return paths
}

for (const [how, to] of [['takes the path off', '/'], ['leaves the path as it is', '']]) {
  test(`under a path of a host, where the proxy ${how}, the page and all its links work`, async stage => {
    const { origin } = await behind(stage, { passes: HOST + UPGRADE, to })
    const alice = await stage.person('alice')
    const paths = asked(alice)
    const start = await alice.visit('/wb/')
    const { page } = start
    await start.shows('No boards yet')
    assert.equal(page.url(), `${origin}/wb/`, 'the token is out of the address')
    await page.getByPlaceholder('Title (optional)').fill('Behind nginx')
    await page.getByRole('button', { name: 'New board' }).click()
    await page.waitForURL(/\/wb\/board\//)
    await start.ready()
    await start.create(box('first'))
    await start.says('connected', 'saved')
    const board = page.url()

    await page.getByRole('button', { name: 'Share', exact: true }).click()
    await page.getByRole('button', { name: 'Make a link' }).click()
    const link = await page.getByRole('textbox', { name: /New link/ }).inputValue()
    assert.ok(link.startsWith(board + '?share='), link)
    await page.getByRole('tab', { name: 'Public' }).click()
    await page.getByRole('button', { name: 'Let everybody view' }).click()
    const open = await page.getByRole('textbox', { name: 'Public address' }).inputValue()
    assert.equal(open, board + '/public')
    await page.getByRole('tab', { name: 'Agents' }).click()
    await page.getByLabel('Name of the key').fill('planner')
    await page.getByRole('button', { name: 'Make a key' }).click()
    await start.shows(`curl ${origin}/wb/v1/boards/`)
    await page.getByRole('button', { name: 'Close' }).click()

    for (const address of [link, open]) {
      const guest = await stage.person(null)
      const looked = asked(guest)
      const tab = await guest.visit(address)
      await tab.ready()
      await tab.sees('first')
      assert.deepEqual([...looked].filter(path => !path.startsWith('/wb/')), [])
    }
    // A slash too many, and an address that is none.
    await page.goto(board + '/')
    await start.ready()
    assert.equal(page.url(), board)
    alice.watch.expect('refused')
    await page.goto(`${origin}/wb/boards`)
    await start.shows('There is no such page')
    await page.getByRole('link', { name: /Your boards/ }).click()
    await page.getByRole('link', { name: 'Behind nginx' }).click()
    await start.ready()
    await page.getByRole('link', { name: 'All boards' }).click()
    await start.shows('Behind nginx')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await start.shows('Sign in with a token')
    assert.equal(page.url(), `${origin}/wb/`)

    assert.deepEqual([...paths].filter(path => !path.startsWith('/wb/')), [], 'nothing is asked of the host beside our path')
    for (const kind of ['/wb/assets/', '/wb/v1/', '/wb/ws/canvas/', '/wb/favicon.svg']) {
      assert.ok([...paths].some(path => path.startsWith(kind)), `${kind} was asked for`)
    }
  })
}

test('under a path of a host a board opens offline, and its copy is no other server\'s', async stage => {
  const { origin } = await behind(stage, { passes: HOST + UPGRADE })
  const alice = await stage.person('alice', { claims: { boards: { plan: 'edit' } } })
  const tab = await alice.visit('/wb/board/plan')
  await tab.ready()
  await tab.create(box('first'))
  await tab.says('connected', 'saved')
  const scope = await tab.eventually(async () => (await navigator.serviceWorker.ready).active?.state === 'activated' &&
    (await navigator.serviceWorker.ready).scope, undefined, 'the service worker')
  assert.equal(scope, `${origin}/wb/`)
  await tab.eventually(async () => {
    const loaded = performance.getEntriesByType('resource').map(({ name }) => name).filter(name => name.includes('/assets/'))
    const kept = await Promise.all([location.origin + '/wb/', ...loaded].map(async url => await caches.match(url)))
    return kept.every(answer => answer !== undefined)
  }, undefined, 'everything that was loaded to be kept')
  for (const { name } of await tab.evaluate(() => indexedDB.databases())) assert.match(name, /@\/wb\//)
  alice.watch.expect('unreachable')
  await alice.context.setOffline(true)
  await tab.page.reload()
  await tab.canvas()
  await tab.sees('first')
})

/** What the server has counted. */
async function counted (server, name) {
  const text = await (await fetch(server.http + '/metrics')).text()
  return Number(text.match(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\d+)$`, 'm'))?.[1])
}

test('where the proxy rewrites Host the page says so, and what would be right', async stage => {
  const server = await stage.ownServer()
  // Without the setting the page is at the root of its host only.
  const origin = await startNginx(stage, await freePort(), `location / { proxy_pass ${server.http}; ${UPGRADE} }`)
  stage.server = { http: origin }
  const alice = await stage.person('alice', { claims: { boards: { plan: 'edit' } } })
  alice.watch.forgive()
  const tab = await alice.visit('/board/plan')
  await tab.part('verdict').waitFor()
  assert.equal(await tab.part('verdict').getAttribute('data-kind'), 'origin')
  await tab.shows(`--public-url ${origin}`)
  assert.equal(await tab.page.getByText('Opening the board').count(), 0)
  const refused = await counted(server, 'boardwire_connections_refused_total{reason="origin_refused"}')
  assert.ok(refused >= 1, `${refused} refused`)
  const lines = server.log.split('\n').filter(line => line.includes('--public-url'))
  assert.equal(lines.length, 1, 'one line however often the page tries')
  assert.ok(lines[0].includes(origin) && lines[0].includes(new URL(server.http).host), lines[0])
})

test('with the public URL a proxy that rewrites Host does no harm', async stage => {
  await behind(stage, { passes: UPGRADE })
  const alice = await stage.person('alice', { claims: { boards: { plan: 'edit' } } })
  const tab = await alice.visit('/wb/board/plan')
  await tab.ready()
  await tab.create(box('first'))
  await tab.says('connected', 'saved')
})

test('where the proxy drops the upgrade the page says so, and the log', async stage => {
  const { server } = await behind(stage, { passes: HOST })
  const alice = await stage.person('alice', { claims: { boards: { plan: 'edit' } } })
  alice.watch.forgive()
  const tab = await alice.visit('/wb/board/plan')
  await tab.part('verdict').waitFor()
  assert.equal(await tab.part('verdict').getAttribute('data-kind'), 'blocked')
  await tab.shows(/pass on Upgrade and Connection/)
  const help = await tab.page.getByRole('link', { name: 'What whoever runs it can do' }).getAttribute('href')
  assert.match(await (await fetch(help)).text(), /^# Troubleshooting\n[^]*<a id="page-blocked">/)
  await until(() => server.log.includes('upgrade got lost'), 'a line of the log')
})

test('whom a proxy has signed in is signed in, with boards of their own, and has nothing to sign out of', async stage => {
  const port = await freePort()
  const flags = { 'public-url': `http://127.0.0.1:${port}`, 'trusted-proxy': '127.0.0.1', 'trusted-user-header': 'X-Forwarded-User' }
  const server = await stage.ownServer(flags)
  // A stand-in for what asks for passwords: whom its cookie names. What a browser sends itself is replaced.
  const origin = await startNginx(stage, port, `location / { proxy_pass ${server.http}; ${HOST + UPGRADE} proxy_set_header X-Forwarded-User $cookie_who; }`)
  stage.server = { http: origin }
  const come = async who => {
    const person = await stage.person(null, { extraHTTPHeaders: { 'X-Forwarded-User': 'mallory' } })
    if (who !== null) await person.context.addCookies([{ name: 'who', value: who, url: origin }])
    return person
  }
  const ann = await (await come('ann')).visit('/')
  await ann.shows('No boards yet')
  assert.equal(await ann.page.locator('.bw-who').innerText().then(text => text.includes('ann')), true)
  assert.equal(await ann.page.getByRole('button', { name: 'Sign out' }).count(), 0)
  await ann.page.getByPlaceholder('Title (optional)').fill('Of ann')
  await ann.page.getByRole('button', { name: 'New board' }).click()
  await ann.page.waitForURL(/\/board\//)
  await ann.ready()
  await ann.create(box('first'))
  await ann.says('connected', 'saved')

  for (const [who, kind] of [['bob', 'forbidden'], [null, 'signin']]) {
    const person = await come(who)
    person.watch.forgive()
    const tab = await person.visit(new URL(ann.page.url()).pathname)
    await tab.part('verdict').waitFor()
    assert.equal(await tab.part('verdict').getAttribute('data-kind'), kind, String(who))
  }
})
