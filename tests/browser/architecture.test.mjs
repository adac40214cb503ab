// An agent with only docs/agents.md draws a diagram in one call; a person drags a frame, and all of it
// follows; the agent reads what the person asks and answers beside it; and its picture shows it all.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { examples, run, save } from '../node/support/examples.mjs'
import { until } from '../node/support/wait.mjs'
import { NEAR, WIDTH, compare, exported } from './support/compared.mjs'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'

const test = suite()
const page = examples(readFileSync(new URL('../../docs/agents.md', import.meta.url), 'utf8'))
const BOARD = 'plan'
const ITEMS = `/v1/boards/${BOARD}/items`

/** An agent with an API key, that runs the examples of docs/agents.md by their names. */
async function architect (stage) {
  const owner = stage.api('alice')
  await owner.create(BOARD, 'Architecture')
  const { key } = await owner.key(BOARD, 'edit', 'Architect')
  const cwd = mkdtempSync(join(tmpdir(), 'boardwire-agent-'))
  stage.atEnd(() => rmSync(cwd, { recursive: true, force: true }))
  for (const example of page) save(example, cwd)
  const env = { PATH: process.env.PATH, HOME: cwd, BOARDWIRE_URL: stage.server.http, BOARDWIRE_KEY: key, PYTHONDONTWRITEBYTECODE: '1' }
  const does = async name => {
    const { code, stdout, stderr } = await run(['python3', join(cwd, name)], { cwd, env })
    assert.equal(code, 0, stderr)
    return stdout
  }
  return { owner, does, key }
}

/** Where the shapes of a tab's canvas are, and the ends of its arrows, on the page. */
const places = tab => tab.page.evaluate(() => {
  const { editor } = window.boardwire
  const found = {}
  for (const shape of editor.getCurrentPageShapes()) {
    const { x, y, w, h } = editor.getShapePageBounds(shape)
    found[shape.id.slice('shape:'.length)] = { type: shape.type, box: [x, y, w, h].map(Math.round), bound: editor.getBindingsFromShape(shape, 'arrow').map(({ toId }) => toId.slice('shape:'.length)).sort() }
  }
  return found
})

test('an agent with only docs/agents.md draws an architecture with people', async stage => {
  const { owner, does, key } = await architect(stage)
  const alice = await stage.editor(BOARD, 'alice', { viewport: { width: 1280, height: 800 } })
  const bob = await stage.editor(BOARD, 'bob')
  assert.equal(await does('architecture.py'), '30 items are on the board\n')
  for (const tab of [alice, bob]) await tab.eventually(() => window.boardwire.editor.getCurrentPageShapes().length === 30, undefined, '30 shapes')
  const drawn = await places(alice)
  const of = type => Object.entries(drawn).filter(([, shape]) => shape.type === type)
  assert.deepEqual([of('frame').length, of('geo').length, of('arrow').length], [3, 12, 15])
  for (const [id, { bound }] of of('arrow')) assert.equal(bound.length, 2, `${id} is bound at both ends`)
  await alice.eventually(() => window.boardwire.editor.getCollaborators().some(({ userName }) => userName === 'Architect'), undefined, 'the agent among those present')

  // A person drags the frame in the middle by its heading: its boxes come along, the others' connectors
  // follow.
  await alice.page.evaluate(() => {
    const { editor } = window.boardwire
    editor.setCamera({ x: 60, y: 120, z: 0.5 }, { immediate: true, force: true })
    editor.focus()
  })
  const [left, top] = drawn.services.box
  await alice.drag([left + 60, top - 16], [left + 60, top + 384], 12)
  await alice.says('connected', 'saved')
  const isMoved = async tab => (await places(tab)).services.box[1] === top + 400
  for (const tab of [alice, bob]) await until(() => isMoved(tab), 'the frame 400 further down')
  for (const tab of [alice, bob]) {
    const now = await places(tab)
    for (const [id, { type, box }] of Object.entries(drawn)) {
      const inside = ['Gateway', 'Boards', 'Accounts', 'Search', 'services'].includes(id)
      if (type !== 'arrow') assert.deepEqual(now[id].box, inside ? [box[0], box[1] + 400, box[2], box[3]] : box, id)
      // An arrow with one end in the frame goes somewhere else now; all are still bound.
      if (type === 'arrow') assert.deepEqual(now[id].bound, drawn[id].bound, id)
    }
    for (const id of ['c0', 'c3', 'c10', 'c12']) assert.notDeepEqual(now[id].box, drawn[id].box, `${id} follows`)
  }
  const gateway = await owner.ok('GET', `${ITEMS}/Gateway`)
  assert.equal(gateway.y, drawn.Gateway.box[1] + 400)

  // The person asks something; the agent answers beside it.
  await alice.page.evaluate(() => {
    window.boardwire.editor.createShape({ id: 'shape:question', type: 'note', x: 700, y: 80, props: { richText: { type: 'doc', content: [{ type: 'paragraph', content: [{ type: 'text', text: 'Where are the logs?' }] }] } } })
  })
  await alice.says('connected', 'saved')
  assert.equal(await does('answer.py'), 'answered\n')
  for (const tab of [alice, bob]) await tab.eventually(() => window.boardwire.editor.getCurrentPageShapes().length === 33, undefined, 'the answer and its connector')
  const answered = Object.entries(await places(bob)).find(([, { bound }]) => bound.includes('question'))
  assert.ok(answered !== undefined, 'an arrow leads to the question')
  const [answer] = answered[1].bound.filter(id => id !== 'question')
  assert.match(await bob.text(answer), /^I have read your question: Where are the logs\?$/)

  // Its picture of the board shows it all.
  const picture = await fetch(`${stage.server.http}/v1/boards/${BOARD}/picture.png`, { headers: { 'X-API-Key': key } })
  assert.equal(picture.status, 200)
  const bytes = Buffer.from(await picture.arrayBuffer())
  writeFileSync(output('architecture-picture.png'), bytes)
  await alice.page.evaluate(() => document.fonts.ready.then(() => true))
  const theirs = await alice.page.evaluate(exported, false)
  const { near, wrong, pair } = await alice.page.evaluate(compare, { ours: 'data:image/png;base64,' + bytes.toString('base64'), theirs, width: WIDTH })
  writeFileSync(output('architecture-pair.png'), Buffer.from(pair.split(',')[1], 'base64'))
  assert.ok(near < NEAR, `the picture is ${near} off the page's own`)
  for (const other of wrong) assert.ok(other > NEAR, `a wrong picture is only ${other} off`)
  await alice.page.evaluate(() => { window.boardwire.editor.zoomToFit({ immediate: true }) })
  await alice.page.screenshot({ path: output('architecture.png') })
})
