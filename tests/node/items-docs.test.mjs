// Promise: the examples of docs/items.md work as they stand there, in curl and in Python's standard library,
// and print what the page shows.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { LANGUAGES, examples, run, save, shows, stand } from './support/examples.mjs'

const page = examples(readFileSync(new URL('../../docs/items.md', import.meta.url), 'utf8'))
const where = example => `docs/items.md, line ${example.line}`

describe('docs/items.md against a server', () => {
  let server
  let alice
  let cwd
  let env
  let dispose
  before(async () => { ({ alice, cwd, dispose, env, server } = await stand('robot')) })
  after(() => dispose?.())

  test('every example shows what it prints, or is saved for later ones', () => {
    assert.ok(page.length > 6)
    for (const example of page) assert.equal(example.output === null, !example.name.startsWith('line-'), where(example))
  })

  for (const example of page) {
    test(`${where(example)}: ${example.language}`, async () => {
      const path = save(example, cwd)
      const ended = await run([...LANGUAGES[example.language].run, path], { cwd, env })
      assert.equal(ended.code, 0, `it ends well; printed:\n${ended.stdout}\n${ended.stderr}\nlog:\n${server.tail}`)
      if (example.output === null) return
      assert.ok(shows(example.output, ended.stdout), `the page shows:\n${example.output}\nit printed:\n${ended.stdout}`)
    })
  }

  test('the flow chart stands in its frame, a step below the other', async () => {
    const items = new Map((await alice.all('/v1/boards/plan/items')).map(item => [item.id, item]))
    const flow = items.get('flow')
    const steps = ['start', 'build', 'tests', 'ship'].map(id => items.get(id))
    let bottom = flow.y
    for (const { id, y, height, x, width } of steps) {
      assert.ok(y >= bottom, `${id} is below the one before`)
      assert.ok(x >= flow.x && x + width <= flow.x + flow.width, `${id} is in the frame`)
      bottom = y + height
    }
    assert.ok(bottom <= flow.y + flow.height)
    steps.slice(1).forEach(({ id }, n) => {
      const { from, to } = items.get(`to-${id}`)
      assert.deepEqual([from, to], [{ item: steps[n].id }, { item: id }])
    })
  })
})
