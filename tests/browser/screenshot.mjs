// Makes docs/screenshot.png: two people and an agent on one board, at 1280 by 800. Run it again when the page
// changes: BOARDWIRE_BIN=../../target/debug/boardwire node screenshot.mjs [file] The picture is drawn as an
// agent and people would draw it: sticky notes and a flow chart over HTTP, arrows by the editor.
import { statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Api } from '../node/support/api.mjs'
import { Server } from '../node/support/server.mjs'
import { mint } from '../node/support/token.mjs'
import { Chromium } from './support/chromium.mjs'
import { output } from './support/measure.mjs'
import { Person } from './support/stage.mjs'

const FILE = process.argv[2] ?? fileURLToPath(new URL('../../docs/screenshot.png', import.meta.url))

/** As large as a picture in the repository may be. */
const BYTES_MAX = 200 * 1024

// Left: what people wrote. The grid is one of 220.
const NOTES = [
  { id: 'note-1', x: 0, y: 0, color: 'yellow', text: 'Everyone sees every change within 200 ms' },
  { id: 'note-2', x: 220, y: 0, color: 'light-blue', text: 'One binary, one file of data' },
  { id: 'note-3', x: 0, y: 220, color: 'light-green', text: 'Works offline, merges when back' },
  { id: 'note-4', x: 220, y: 220, color: 'light-violet', text: 'Agents draw with plain HTTP' },
  { id: 'note-5', x: 0, y: 440, color: 'light-red', text: 'Who may do what? Try share links' },
  { id: 'note-6', x: 220, y: 440, color: 'orange', text: 'Demo on Friday!' }
]

// Right: how an update travels.
const STEPS = [
  { id: 'edit', x: 560, y: 60, geo: 'ellipse', color: 'green', text: 'Somebody draws' },
  { id: 'check', x: 560, y: 240, geo: 'diamond', color: 'blue', text: 'May they?' },
  { id: 'relay', x: 570, y: 460, geo: 'rectangle', color: 'blue', text: 'Sent to everyone' },
  { id: 'denied', x: 840, y: 260, geo: 'rectangle', color: 'red', text: 'Told why not' },
  { id: 'disk', x: 840, y: 460, geo: 'rectangle', color: 'violet', text: 'Synced to disk' },
  { id: 'saved', x: 1090, y: 460, geo: 'ellipse', color: 'green', text: 'Saved' }
]
const SIZES = { ellipse: [200, 110], diamond: [200, 150], rectangle: [180, 110] }

// From, to, label.
const ARROWS = [
  ['edit', 'check', ''], ['check', 'relay', 'yes'], ['check', 'denied', 'no'], ['relay', 'disk', ''], ['disk', 'saved', '']
]

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
  const { id: board } = await owner.create(undefined, 'How Boardwire works')
  const { key } = await owner.key(board, 'edit', 'Planner')
  const agent = new Api(server, { key })
  const [ada, grace] = [await join(board, 'alice', 'Ada'), await join(board, 'grace', 'Grace Hopper')]

  const items = [
    ...NOTES.map(({ id, x, y, color, text }) => ({ id, type: 'sticky', x, y, content: { text }, style: { color } })),
    { id: 'title', type: 'text', x: 560, y: -10, width: 680, content: { text: 'How an update travels' }, style: { size: 'l', font: 'draw' } },
    ...STEPS.map(({ id, x, y, geo, color, text }) => {
      const [width, height] = SIZES[geo]
      return { id, type: 'shape', x, y, width, height, content: { text }, style: { geo, color, fill: 'solid', size: 's', dash: 'draw' } }
    })
  ]
  await agent.ok('POST', `/v1/boards/${board}/items/batch`, { operations: items.map(item => ({ action: 'create', item })) })
  await ada.sees('saved')
  await ada.evaluate(connect, ARROWS)
  await grace.eventually(count => window.boardwire.editor.getCurrentPageShapes().filter(({ type }) => type === 'arrow').length === count, ARROWS.length, 'arrows')
  // Grace has a note in her hand, and the agent has just changed one.
  await grace.evaluate(() => { window.boardwire.editor.select('shape:note-6') })
  for (const tab of [ada, grace]) await tab.evaluate(frame)
  const hand = await grace.at(350, 590)
  await grace.page.mouse.move(hand.x, hand.y)
  await agent.ok('PATCH', `/v1/boards/${board}/items/note-4`, { content: { text: 'Agents draw with plain HTTP, too' } })
  await ada.meets('Grace Hopper', 'Planner, an agent')
  await ada.eventually(() => window.boardwire.editor.getCollaborators().some(({ userName, cursor }) => userName === 'Grace Hopper' && cursor !== null), undefined, 'her cursor')
  await ada.says('connected', 'saved')
  await ada.evaluate(() => document.fonts.ready.then(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))))
  await ada.page.screenshot({ path: FILE })
  await ada.page.emulateMedia({ colorScheme: 'dark' })
  await ada.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)).then(() => {}))
  await ada.page.screenshot({ path: output('board-dark.png') })
  const { size } = statSync(FILE)
  console.log(`${FILE}: ${Math.round(size / 1024)} KiB`)
  if (size > BYTES_MAX) throw new Error(`more than ${BYTES_MAX / 1024} KiB`)
}

async function join (board, sub, name) {
  const { context, watch } = await chromium.context(server.http)
  return await new Person(server, context, watch, sub, mint({ sub, name, boards: { [board]: 'edit' } })).open(board)
}

/** In the page: arrows that hold on to what they connect. */
function connect (arrows) {
  const { editor } = window.boardwire
  editor.run(() => {
    for (const [from, to, label] of arrows) {
      const id = `shape:arrow-${from}-${to}`
      editor.createShape({ id, type: 'arrow', props: { size: 's', color: 'grey', text: label } })
      for (const [terminal, end] of [['start', from], ['end', to]]) {
        editor.createBinding({
          type: 'arrow', fromId: id, toId: `shape:${end}`,
          props: { terminal, normalizedAnchor: { x: 0.5, y: 0.5 }, isExact: false, isPrecise: false, snap: 'none' }
        })
      }
    }
  })
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
