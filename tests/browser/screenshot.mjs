// Makes docs/screenshot.png: two people and an agent on one board, at 1280 by 800. Run it again when the page
// changes: BOARDWIRE_BIN=../../target/debug/boardwire node screenshot.mjs [file] The agent draws what
// docs/agents.md has it draw, and answers a question; a person has moved a frame.
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Api } from '../node/support/api.mjs'
import { examples, run, save } from '../node/support/examples.mjs'
import { Server } from '../node/support/server.mjs'
import { mint } from '../node/support/token.mjs'
import { Chromium } from './support/chromium.mjs'
import { output } from './support/measure.mjs'
import { Person } from './support/stage.mjs'

const FILE = process.argv[2] ?? fileURLToPath(new URL('../../docs/screenshot.png', import.meta.url))

/** As large as a picture in the repository may be. */
const BYTES_MAX = 200 * 1024

const BOARD = 'plan'

const server = await Server.start()
const chromium = await Chromium.start()
try {
  await draw()
} finally {
  await chromium.stop()
  server.dispose()
}

async function draw () {
  const owner = Api.user(server, 'alice')
  await owner.create(BOARD, 'How a request travels')
  const { key } = await owner.key(BOARD, 'edit', 'Architect')
  const [ada, grace] = [await enter('alice', 'Ada'), await enter('grace', 'Grace Hopper')]
  const cwd = mkdtempSync(join(tmpdir(), 'boardwire-screenshot-'))
  try {
    for (const example of examples(readFileSync(new URL('../../docs/agents.md', import.meta.url), 'utf8'))) save(example, cwd)
    const env = { PATH: process.env.PATH, HOME: cwd, BOARDWIRE_URL: server.http, BOARDWIRE_KEY: key, PYTHONDONTWRITEBYTECODE: '1' }
    const does = async name => {
      const { code, stderr } = await run(['python3', join(cwd, name)], { cwd, env })
      if (code !== 0) throw new Error(stderr)
    }
    await does('architecture.py')
    await ada.eventually(() => window.boardwire.editor.getCurrentPageShapes().length === 30, undefined, 'the diagram')
    await ada.evaluate(() => {
      const { editor } = window.boardwire
      editor.updateShape({ id: 'shape:services', type: 'frame', y: 200 })
      editor.createShape({ id: 'shape:question', type: 'note', x: 380, y: -40, props: { richText: { type: 'doc', content: [{ type: 'paragraph', content: [{ type: 'text', text: 'Where do old logs go?' }] }] } } })
    })
    await ada.says('connected', 'saved')
    // Grace has a box in her hand, and the agent has just answered.
    await grace.sees('question')
    await grace.evaluate(() => { window.boardwire.editor.select('shape:Backups') })
    for (const tab of [ada, grace]) await tab.evaluate(frame)
    const hand = await grace.at(1480, 920)
    await grace.page.mouse.move(hand.x, hand.y)
    await does('answer.py')
    await ada.eventually(() => window.boardwire.editor.getCurrentPageShapes().length === 33, undefined, 'the answer')
    await ada.meets('Grace Hopper', 'Architect, an agent, drawing 1 item')
    await ada.eventually(() => window.boardwire.editor.getCollaborators().some(({ userName, cursor }) => userName === 'Grace Hopper' && cursor !== null), undefined, 'her cursor')
    await ada.says('connected', 'saved')
    await ada.evaluate(() => document.fonts.ready.then(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(() => resolve(true))))))
    await ada.page.screenshot({ path: FILE })
    await ada.page.emulateMedia({ colorScheme: 'dark' })
    await ada.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)).then(() => {}))
    await ada.page.screenshot({ path: output('board-dark.png') })
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
  const { size } = statSync(FILE)
  console.log(`${FILE}: ${Math.round(size / 1024)} KiB`)
  if (size > BYTES_MAX) throw new Error(`more than ${BYTES_MAX / 1024} KiB`)
}

async function enter (sub, name) {
  const { context, watch } = await chromium.context(server.http)
  return await new Person(server, context, watch, sub, mint({ sub, name, boards: { [BOARD]: 'edit' } })).open(BOARD)
}

/** In the page: all of it in view, beside the panel of styles and above the tools. */
function frame () {
  const { editor } = window.boardwire
  const bounds = editor.getCurrentPageBounds()
  const { w, h } = editor.getViewportScreenBounds()
  const [left, top, right, bottom] = [24, 52, 190, 72]
  const z = Math.min((w - left - right) / bounds.w, (h - top - bottom) / bounds.h)
  editor.setCamera({ x: left / z - bounds.x, y: top / z - bounds.y, z }, { immediate: true })
}
