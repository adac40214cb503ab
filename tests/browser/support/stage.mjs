// What a test of the page is given: a server and a browser that its file shares, and people who open boards.
import assert from 'node:assert/strict'
import { after, before, test as nodeTest } from 'node:test'
import { Api } from '../../node/support/api.mjs'
import { Server } from '../../node/support/server.mjs'
import { mint } from '../../node/support/token.mjs'
import { within } from '../../node/support/wait.mjs'
import { Chromium } from './chromium.mjs'
import { output } from './measure.mjs'
import { Tab } from './tab.mjs'

/** No test takes longer: a page that hangs is a failure, and the file's server and browser must end. */
const TEST_MS = 60_000

/**
 * The `test` of a file, with a deadline of its own where it measures much. Each is given a `Stage`; when it is over, whatever it did, every page that was open must have
 * kept to the rules of support/watch.mjs.
 */
export function suite (flags = {}) {
  const world = {}
  before(async () => {
    world.chromium = await Chromium.start()
    world.server = await Server.start(flags)
    await assertPage(world.server)
  })
  after(async () => {
    world.server?.dispose()
    await world.chromium?.stop()
  })
  return (name, play, timeout = TEST_MS) => nodeTest(name, { timeout }, async t => {
    const stage = new Stage(world, t)
    try {
      await play(stage, t)
      await stage.check()
    } catch (error) {
      await stage.capture(name)
      throw error
    } finally {
      await stage.close()
    }
  })
}

async function assertPage (server) {
  const answer = await fetch(server.http + '/')
  const isPage = /text\/html/.test(answer.headers.get('content-type') ?? '')
  assert.ok(isPage, 'this binary has no page: build it with (cd web && npm ci && npm run build) && cargo build --features page')
}

/** One test's people and boards. */
export class Stage {
  #world
  #t
  #people = []
  #ends = []

  constructor (world, t) {
    this.#world = world
    this.#t = t
    this.server = world.server
  }

  /** A server of this test's own, to be stopped and killed. */
  async ownServer (flags) {
    this.server = await Server.start(flags)
    const { server } = this
    this.#ends.push(() => server.dispose())
    return server
  }

  /** A new board of `owner`. */
  async board (owner = 'alice', title) {
    const { id } = await this.api(owner).create(undefined, title)
    return id
  }

  /** The HTTP API as this user calls it. */
  api (sub = 'alice') {
    return Api.user(this.server, sub)
  }

  /**
   * Somebody with a browser profile of their own. `sub` null is nobody; `claims` go into the token; without `siteData` their
   * browser keeps nothing.
   */
  async person (sub = 'alice', { claims = {}, siteData = true, ...options } = {}) {
    const { http } = this.server
    const { context, watch } = await (siteData ? this.#world.chromium.context(http, options) : Chromium.withoutSiteData(http))
    const person = new Person(this.server, context, watch, sub, sub === null ? null : mint({ sub, ...claims }))
    this.#people.push(person)
    return person
  }

  /** Somebody with edit on the board, and their tab with it open. */
  async editor (board, sub, options) {
    const person = await this.person(sub, { claims: { boards: { [board]: 'edit' } }, ...options })
    return await person.open(board)
  }

  /** A page of a browser profile of its own, for what is not ours: nothing watches it. */
  async foreign (origin) {
    const { context } = await this.#world.chromium.context(origin)
    this.#ends.push(() => context.close())
    return await context.newPage()
  }

  /** What is to be done when the test is over. */
  atEnd (end) {
    this.#ends.push(end)
  }

  async check () {
    for (const person of this.#people) {
      await person.settle()
      person.watch.check()
    }
  }

  /** Pictures of all pages as a test left them that failed. */
  async capture (name) {
    const file = name.replace(/[^a-z0-9]+/gi, '-').slice(0, 60)
    let n = 0
    for (const page of this.#people.flatMap(({ context }) => context.pages())) {
      n++
      await within(page.screenshot({ path: output(`failed-${file}-${n}.png`) }), 3_000).catch(() => {})
    }
    if (n > 0) this.#t.diagnostic(`pictures of its ${n} pages: output/failed-${file}-*.png`)
  }

  async close () {
    for (const { context } of this.#people) await within(context.close(), 10_000, 'a context to close').catch(() => {})
    for (const end of this.#ends) await end()
  }
}

/** Somebody with a browser profile. */
export class Person {
  constructor (server, context, watch, sub, token) {
    this.server = server
    this.context = context
    this.watch = watch
    this.sub = sub
    this.token = token
  }

  /** Their address of a path, with their token where they have one. */
  url (path, query = {}) {
    const url = new URL(path, this.server.http)
    if (this.token !== null) url.searchParams.set('token', this.token)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    return url.href
  }

  /** A new tab at a path, as soon as the browser has loaded it. */
  async visit (path, query) {
    const tab = new Tab(await this.context.newPage(), this)
    await tab.page.goto(this.url(path, query))
    return tab
  }

  /** A new tab with a board that can be drawn on or looked at. */
  async open (board, query) {
    const tab = await this.visit(`/board/${board}`, query)
    await tab.ready()
    return tab
  }

  /** Waits until what the pages have already done has been told to the watch. */
  async settle () {
    for (const page of this.context.pages()) await within(page.evaluate(() => 0), 2_000).catch(() => {})
  }
}
