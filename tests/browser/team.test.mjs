// A team of five gets in without an application of its own: the server is started, five are invited from the
// command line, draw in five browsers, one is revoked, and one comes back after the server was away.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { BINARY } from '../node/support/server.mjs'
import { SECRET } from '../node/support/token.mjs'
import { until } from '../node/support/wait.mjs'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()
const run = promisify(execFile)

/** The command line beside the server, as whoever runs it calls it. */
const boardwire = async (...words) => (await run(BINARY, words, { env: { BOARDWIRE_JWT_SECRET: SECRET } })).stdout

const TEAM = ['Ann', 'Ben', 'Cleo', 'Dan', 'Eve']

test('a team of five: install, invite, draw together, one is revoked, one comes back', async stage => {
  const server = await stage.ownServer()
  const link = async (name, ...more) => new URL((await boardwire('invite', name, ...more, '--public-url', server.http)).trim())
  const join = async (name, ...more) => {
    const { pathname, hash } = await link(name, ...more)
    const person = await stage.person(null)
    const tab = await person.visit(pathname + hash)
    await tab.page.getByRole('button', { name: `Join as ${name}` }).click()
    return { person, tab, name }
  }
  const ann = await join('Ann', '--admin')
  await ann.tab.page.getByRole('button', { name: /^New board/ }).first().click()
  await ann.tab.ready()
  const board = new URL(ann.tab.page.url()).pathname.split('/').at(-1)
  const others = []
  for (const name of TEAM.slice(1)) others.push(await join(name, '--board', `${board}:edit`))
  const team = [ann, ...others]
  for (const { tab } of others) await tab.ready()
  for (const [n, { tab, name }] of team.entries()) await tab.create(box(`of-${name.toLowerCase()}`, 260 * n))
  for (const { tab, name } of team) {
    await until(async () => (await Promise.all(TEAM.map(one => tab.shape(`of-${one.toLowerCase()}`)))).every(shape => shape != null), `${name} sees all five`)
    await tab.says('connected', 'saved')
  }
  const present = await stage.api('root').all(`/v1/boards/${board}/presence`).catch(() => null)
  assert.equal(present, null, 'nobody else may look')
  await ann.tab.page.screenshot({ path: output('team.png') })

  // Ben's laptop is lost.
  const rows = (await boardwire('sessions', '--url', server.http)).trim().split('\n').slice(1).map(row => row.split(/\s+/))
  assert.deepEqual(rows.map(([, user]) => user).sort(), TEAM)
  const [ben] = others
  ben.person.watch.expect('refused')
  await boardwire('sessions', '--url', server.http, '--revoke', rows.find(([, user]) => user === 'Ben')[0])
  await ben.tab.part('verdict').waitFor()
  await ben.tab.page.screenshot({ path: output('team-revoked.png') })
  await ann.tab.says('connected', 'saved')

  // Dan closes the browser, the server goes away and comes back, and Dan's cookie is good.
  const dan = others[2]
  await dan.tab.page.close()
  for (const { person, tab } of team.filter(one => one !== dan)) {
    person.watch.expect('refused')
    await tab.page.close()
  }
  await server.kill()
  await server.up()
  const again = await dan.person.open(board)
  await again.ready()
  assert.equal(await again.part('self').getAttribute('title'), 'Dan (you)')
  for (const one of TEAM) assert.ok(await again.shape(`of-${one.toLowerCase()}`), `${one}'s drawing is there`)
  await again.create(box('later', 0, 300))
  await again.says('connected', 'saved')
}, 120_000)
