// Access that ends under an open page: it says so in clear words, draws no more, and leaves the server alone.
import assert from 'node:assert/strict'
import { seconds } from '../node/support/token.mjs'
import { pause } from '../node/support/wait.mjs'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

/** For how long a page that was refused is watched for attempts to come back. */
const WATCHED_MS = 5_000

const test = suite()

// Ways to lose a board, and what the page calls them.
const WAYS = {
  'a grant that is removed': {
    kind: 'forbidden',
    words: /no access to this board/i,
    async open (stage, board) {
      await stage.api('alice').grant(board, 'users/bob', 'edit')
      return await (await stage.person('bob')).open(board)
    },
    lose: (stage, board) => stage.api('alice').ungrant(board, 'users/bob')
  },
  'a link that is revoked': {
    kind: 'credential',
    words: /does not open the board any more/i,
    async open (stage, board) {
      this.link = await stage.api('alice').link(board, 'edit')
      return await (await stage.person(null)).open(board, { share: this.link.token })
    },
    lose (stage, board) {
      return stage.api('alice').unlink(board, this.link.id)
    }
  },
  'a board that is deleted': {
    kind: 'deleted',
    words: /was deleted/i,
    open: (stage, board) => stage.editor(board, 'bob'),
    lose: (stage, board) => stage.api('alice').remove(board)
  },
  'a public grant that is removed': {
    kind: 'forbidden',
    words: /no access to this board/i,
    async open (stage, board) {
      await stage.api('alice').grant(board, 'public', 'edit')
      return await (await stage.person(null)).open(`${board}/public`)
    },
    lose: (stage, board) => stage.api('alice').ungrant(board, 'public')
  }
}

test('access that ends while the page is open', async (stage, t) => {
  await stage.ownServer()
  const tabs = await Promise.all(Object.values(WAYS).map(way => losesAccess(stage, way)))

  // By the browser's count and by the server's.
  const sockets = () => tabs.map(({ sockets }) => sockets.length)
  const [opened, tried] = [sockets(), await upgrades(stage.server)]
  await pause(WATCHED_MS)
  assert.deepEqual(sockets(), opened, 'no page came back')
  assert.equal(await upgrades(stage.server), tried)
  t.diagnostic(`${tabs.length} pages, ${WATCHED_MS / 1000} s: no attempt to come back`)

  // A reload does not help. Each is a refusal, which the server holds for longer and longer: so only some.
  for (const name of ['a grant that is removed', 'a board that is deleted']) {
    const tab = tabs[Object.keys(WAYS).indexOf(name)]
    await tab.page.reload()
    await tab.part('verdict').waitFor()
    assert.match(await tab.part('verdict').textContent(), WAYS[name].words)
  }
})

/** A tab whose board is taken away, when it has said so. */
async function losesAccess (stage, way) {
  const board = await stage.board('alice')
  const tab = await way.open(stage, board)
  tab.person.watch.expect('refused', 'unreachable')
  await tab.create(box('before', 100, 100))
  await tab.says('connected', 'saved')
  await way.lose(stage, board)
  await tab.part('verdict').waitFor()
  assert.equal(await tab.part('verdict').getAttribute('data-kind'), way.kind)
  assert.match(await tab.part('verdict').textContent(), way.words)
  assert.equal(await tab.evaluate(() => window.boardwire.editor.getIsReadonly()), true)
  await tab.page.screenshot({ path: output(`lost-${way.kind}.png`) })
  return tab
}

/** Upgrade requests that the server has had. */
async function upgrades ({ http }) {
  const text = await (await fetch(http + '/metrics')).text()
  const counts = [...text.matchAll(/^boardwire_connections_(?:opened|refused)_total(?:\{[^}]*\})? (\d+)/gm)]
  assert.ok(counts.length > 1, 'the counters of /metrics')
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}

// Each on a server of its own: the server holds repeated refusals of one address for longer and longer.
const REFUSALS = {
  'somebody else': { sub: 'mallory', path: id => `/board/${id}`, words: 'You have no access to this board' },
  'nobody at all': { sub: null, path: id => `/board/${id}`, words: 'Sign in to open this board' },
  'nobody, by the public address': { sub: null, path: id => `/board/${id}/public`, words: 'Sign in to open this board' },
  'a token that is none': { sub: null, path: id => `/board/${id}?token=a.b.c`, words: 'Your sign-in is not valid here' },
  'a token that has expired': { sub: 'alice', claims: { exp: seconds(-60) }, path: id => `/board/${id}`, words: 'Your sign-in has expired' },
  'a link that is none': { sub: null, path: id => `/board/${id}?share=bwl_none`, words: 'This link does not open the board any more' },
  'a board that never was': { sub: 'mallory', path: () => '/board/never-made', words: 'There is no such board' }
}

test('who may not see a board is told so, and sees nothing of it', async stage => {
  for (const [name, { sub, claims, path, words }] of Object.entries(REFUSALS)) {
    await stage.ownServer()
    const board = await stage.board('alice', 'Secret plans')
    const person = await stage.person(sub, { claims })
    person.watch.expect('refused')
    const refused = await person.visit(path(board))
    await refused.shows(words)
    assert.doesNotMatch(await refused.page.locator('body').innerText(), /secret/i, name)
    assert.doesNotMatch(await refused.page.title(), /secret/i, name)
    if (name === 'somebody else') await refused.page.screenshot({ path: output('refused.png') })
    await person.context.close()
  }
})

test('an address that names no page says so', async stage => {
  const nobody = await stage.person(null)
  const tab = await nobody.visit('/board/a%20b')
  await tab.shows('There is no such page')
})
