// A connector is tldraw's arrow: it follows what it connects, whoever moves that, in every window; what
// people draw comes back as connectors; and what loses an end is left as tldraw leaves it.
import assert from 'node:assert/strict'
import { until } from '../node/support/wait.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

/** Where an arrow goes from and to on a tab's canvas, as whole numbers: what it points at, and what is drawn. */
const arrow = (tab, id) => tab.page.evaluate(id => {
  const { editor } = window.boardwire
  const shape = editor.getShape(id)
  if (shape === undefined) return null
  const transform = editor.getShapePageTransform(shape)
  const at = point => { const { x, y } = transform.applyToPoint(point); return [Math.round(x), Math.round(y)] }
  const [start, end] = ['start', 'end'].map(name => at(editor.getShapeHandles(shape).find(handle => handle.id === name)))
  const { x, y, maxX, maxY } = editor.getShapePageBounds(shape)
  return { start, end, box: [x, y, maxX, maxY].map(Math.round), text: shape.props.text, bound: editor.getBindingsFromShape(shape, 'arrow').length }
}, `shape:${id}`)

/** Waits until an arrow points from and to these places. */
async function points (tab, id, start, end) {
  let seen = null
  await until(async () => {
    seen = await arrow(tab, id)
    return seen !== null && String([seen.start, seen.end]) === String([start, end])
  }, () => `arrow ${id} from ${start} to ${end}; it is ${JSON.stringify(seen)}`)
}

async function connected (stage) {
  const board = await stage.board('alice')
  const agent = stage.api('alice')
  const items = `/v1/boards/${board}/items`
  const operations = [
    { id: 'c', type: 'connector', from: { item: 'a' }, to: { item: 'b' }, content: { text: 'calls' }, style: { color: 'blue' } },
    { id: 'a', type: 'shape', x: 100, y: 150, width: 100, height: 100, style: { fill: 'solid' } },
    { id: 'b', type: 'shape', x: 500, y: 150, width: 100, height: 100, style: { fill: 'solid' } }
  ].map(item => ({ action: 'create', item }))
  const { results } = await agent.ok('POST', `${items}/batch`, { operations })
  assert.deepEqual(results.map(({ status }) => status), [201, 201, 201])
  return { board, agent, items }
}

test('a person drags a shape, and its connector follows in every window', async stage => {
  const { board, agent, items } = await connected(stage)
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  for (const tab of [alice, bob]) await points(tab, 'c', [150, 200], [550, 200])
  const drawn = await arrow(alice, 'c')
  assert.deepEqual([drawn.text, drawn.bound], ['calls', 2])
  // It ends at the edges, not in the middles.
  assert.ok(drawn.box[0] >= 198 && drawn.box[2] <= 500, JSON.stringify(drawn))

  await alice.focus()
  await alice.drag([560, 220], [560, 470])
  await alice.says('connected', 'saved')
  for (const tab of [alice, bob]) await points(tab, 'c', [150, 200], [550, 450])
  const { from, to, y, height } = await agent.ok('GET', `${items}/c`)
  assert.deepEqual([from, to, y, height], [{ item: 'a' }, { item: 'b' }, 200, 250])

  // And where the agent moves it.
  await agent.ok('PATCH', `${items}/a`, { x: 100, y: 400 })
  for (const tab of [alice, bob]) await points(tab, 'c', [150, 450], [550, 450])
  await agent.ok('PATCH', `${items}/c`, { from: { x: 20, y: 30 }, to: { anchor: { x: 0, y: 0 } } })
  for (const tab of [alice, bob]) await points(tab, 'c', [20, 30], [500, 400])
  await agent.ok('DELETE', `${items}/c`)
  for (const tab of [alice, bob]) await tab.misses('c')
})

test('an arrow that a person draws is a connector, and stays one when an agent changes it', async stage => {
  const board = await stage.board('alice')
  const agent = stage.api('alice')
  const items = `/v1/boards/${board}/items`
  const alice = await stage.editor(board, 'alice')
  await alice.create(box('a', 100, 150), box('b', 500, 150))
  await alice.focus()
  await alice.press('a')
  await alice.drag([150, 190], [550, 190], 12)
  await alice.says('connected', 'saved')
  const [item] = (await agent.ok('GET', items)).items.filter(({ type }) => type === 'connector')
  assert.deepEqual([item.from.item, item.to.item, item.created_by], ['a', 'b', 'user:alice'])
  const before = await arrow(alice, item.id)
  const changed = await agent.ok('PATCH', `${items}/${item.id}`, { content: { text: 'so' }, style: { color: 'red', arrow_start: 'dot' } })
  assert.deepEqual([changed.from, changed.to], [item.from, item.to])
  await alice.sees(item.id, { color: 'red', arrowheadStart: 'dot' })
  const after = await arrow(alice, item.id)
  assert.deepEqual([after.start, after.end, after.text, after.bound], [before.start, before.end, 'so', 2])
  // A place on the canvas is one in the answer.
  await alice.press('Escape')
  await alice.press('a')
  await alice.drag([150, 500], [400, 550], 12)
  await alice.says('connected', 'saved')
  const free = (await agent.ok('GET', items)).items.find(({ type, id }) => type === 'connector' && id !== item.id)
  const seen = await arrow(alice, free.id)
  assert.deepEqual([free.from, free.to].map(({ x, y }) => [Math.round(x), Math.round(y)]), [seen.start, seen.end])
})

test('what loses an end is left as tldraw leaves it', async stage => {
  const { board, agent, items } = await connected(stage)
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  await points(alice, 'c', [150, 200], [550, 200])
  // The same again, 300 below; that one tldraw is to take apart.
  const below = ({ id, ...item }) => ({ action: 'create', item: { ...item, id: `${id}2` } })
  await agent.ok('POST', `${items}/batch`, { operations: [
    { id: 'a', type: 'shape', x: 100, y: 450, width: 100, height: 100 },
    { id: 'b', type: 'shape', x: 500, y: 450, width: 100, height: 100 },
    { id: 'c', type: 'connector', from: { item: 'a2' }, to: { item: 'b2' } }
  ].map(below) })
  for (const tab of [alice, bob]) await points(tab, 'c2', [150, 500], [550, 500])
  await agent.ok('DELETE', `${items}/b`)
  await alice.remove('b2')
  await alice.says('connected', 'saved')
  for (const tab of [alice, bob]) {
    await until(async () => (await arrow(tab, 'c')).bound === 1 && (await arrow(tab, 'c2')).bound === 1, 'the bindings to be gone')
    const [ours, theirs] = [await arrow(tab, 'c'), await arrow(tab, 'c2')]
    assert.deepEqual([ours.start, ours.end[0], ours.end[1] + 300], [[150, 200], ...theirs.end])
  }
  const [ours, theirs] = [await agent.ok('GET', `${items}/c`), await agent.ok('GET', `${items}/c2`)]
  assert.ok(Math.abs(ours.to.x - theirs.to.x) < 1 && Math.abs(ours.to.y + 300 - theirs.to.y) < 1, JSON.stringify([ours.to, theirs.to]))
  assert.deepEqual([ours.from, theirs.from], [{ item: 'a' }, { item: 'a2' }])
})
