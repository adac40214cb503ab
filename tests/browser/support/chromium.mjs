// Chromium under test: one process for a test file, a fresh context for each person, and a watch over all
// that a page does.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { Watch } from './watch.mjs'

/** The browser: BROWSER_BIN, or Debian's. */
export const EXECUTABLE = process.env.BROWSER_BIN ?? '/usr/bin/chromium'

const ARGUMENTS = [
  // Chromium's sandbox does not work for root, as whom containers and CI machines often run this.
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  // A host name that is not localhost, so that plain http is no secure context there.
  '--host-resolver-rules=MAP boards.lan 127.0.0.1',
  '--no-first-run'
]

const VIEWPORT = { width: 1280, height: 800 }

async function watched (context, origin) {
  context.setDefaultTimeout(15_000)
  const watch = new Watch(context, origin)
  await watch.start()
  return { context, watch }
}

/** The browser of this file. `stop` ends it. */
export class Chromium {
  #browser

  static async start () {
    if (!existsSync(EXECUTABLE)) {
      throw new Error(`${EXECUTABLE} is missing, in which the page is tested. On Debian: apt-get install chromium fonts-dejavu-core; ` +
        'or set BROWSER_BIN to a Chromium of your own.')
    }
    const chrome = new Chromium()
    chrome.#browser = await chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS, headless: true })
    return chrome
  }

  async stop () {
    await this.#browser.close()
  }

  /**
   * Another person: storage, service worker and network of their own, so that what they see of others came through the
   * server. What their pages do is watched; `watch.check()` tells.
   */
  async context (origin, options = {}) {
    return await watched(await this.#browser.newContext({ viewport: VIEWPORT, ...options }), origin)
  }

  /** Somebody whose browser is told to keep no data of any site. It is a process of its own, which its context ends. */
  static async withoutSiteData (origin) {
    const profile = mkdtempSync(join(tmpdir(), 'boardwire-profile-'))
    mkdirSync(join(profile, 'Default'))
    const settings = { profile: { default_content_setting_values: { cookies: 2 } } }
    writeFileSync(join(profile, 'Default', 'Preferences'), JSON.stringify(settings))
    const context = await chromium.launchPersistentContext(profile, { executablePath: EXECUTABLE, args: ARGUMENTS, headless: true, viewport: VIEWPORT })
    // The browser writes to it until it is gone.
    process.once('exit', () => rmSync(profile, { recursive: true, force: true }))
    return await watched(context, origin)
  }
}
