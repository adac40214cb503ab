// Chromium under test: one process for a test file, a fresh context for each person, and a watch over all that a page does.
import { existsSync } from 'node:fs'
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
  '--no-first-run'
]

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
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
    context.setDefaultTimeout(15_000)
    const watch = new Watch(context, origin)
    await watch.start()
    return { context, watch }
  }
}
