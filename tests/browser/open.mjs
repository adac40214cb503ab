// How our page opens 5,000 mixed shapes and pans over them, beside stock tldraw with the same records, in the
// same browser and interleaved. Prints the table of docs/performance.md.
//   node open.mjs [--rounds 3] [--shapes 5000] [--json FILE] [--page URL-OF-ANOTHER-PAGE]
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Api } from '../node/support/api.mjs'
import { Server } from '../node/support/server.mjs'
import { mint } from '../node/support/token.mjs'
import { until } from '../node/support/wait.mjs'
import { Chromium } from './support/chromium.mjs'
import { distribution } from './support/measure.mjs'
import { mixedRecords, putRecords } from './support/mixed.mjs'
import { openingDone, pan, watchOpening } from './support/opening.mjs'
import { Stock } from './support/stock.mjs'

const PAN_MS = 3_000
const OPEN_MS_MAX = 120_000

const { values: told } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, shapes: { type: 'string', default: '5000' }, json: { type: 'string' } }
})
const shapes = Number(told.shapes)

/** Opens an address in a browser that has its scripts, and nothing of the board unless `before` is the board itself. */
async function openOnce (chromium, origin, before, address) {
  const { context } = await chromium.context(origin)
  try {
    const page = await context.newPage()
    await page.addInitScript(watchOpening)
    await page.goto(before)
    await until(() => page.evaluate(openingDone, before === address ? shapes : 0).catch(() => null), 'the page before', OPEN_MS_MAX)
    await page.goto(address)
    const opened = await until(() => page.evaluate(openingDone, shapes).catch(() => null), 'all of the board', OPEN_MS_MAX)
    const frames = distribution(await page.evaluate(pan, PAN_MS))
    return { ...opened, frameP50: frames.p50, frameP90: frames.p90, perSecond: 1000 * frames.count / PAN_MS }
  } finally {
    await context.close()
  }
}

const ROWS = {
  first: 'first shapes painted, ms', view: 'all in view painted, ms', idle: 'all loaded and idle, ms', longest: 'longest stretch without an answer, ms',
  perSecond: 'frames a second while panning', frameP50: 'a frame while panning, p50, ms', frameP90: 'the same, p90, ms'
}

const median = list => distribution(list).p50

async function main () {
  const records = mixedRecords(shapes)
  const [server, stock, chromium] = [await Server.start(), await Stock.start(records), await Chromium.start()]
  try {
    const api = Api.user(server, 'alice')
    const [empty, full] = [await api.create(undefined, 'Empty'), await api.create(undefined, 'Full')]
    await putRecords(api, full.id, records)
    const ours = board => `${server.http}/board/${board.id}?token=${mint({ sub: 'alice' })}`
    const columns = {
      'stock tldraw': () => openOnce(chromium, stock.http, stock.url('none'), stock.url('board')),
      'our page': () => openOnce(chromium, server.http, ours(empty), ours(full)),
      'our page, opened before': () => openOnce(chromium, server.http, ours(full), ours(full))
    }
    const found = Object.fromEntries(Object.keys(columns).map(name => [name, []]))
    for (let round = 0; round < Number(told.rounds); round++) {
      for (const [name, open] of Object.entries(columns)) {
        found[name].push(await open())
        console.error(round + 1, name, JSON.stringify(found[name].at(-1)))
      }
    }
    const names = Object.keys(columns)
    console.log(`| ${shapes} mixed shapes, medians of ${told.rounds} | ${names.join(' | ')} |\n| --- | ${names.map(() => '---').join(' | ')} |`)
    for (const [row, words] of Object.entries(ROWS)) {
      console.log(`| ${words} | ${names.map(name => Math.round(median(found[name].map(one => one[row]))).toLocaleString('en')).join(' | ')} |`)
    }
    if (told.json !== undefined) writeFileSync(told.json, JSON.stringify(found) + '\n')
  } finally {
    await chromium.stop()
    stock.stop()
    server.dispose()
  }
}

await main()
