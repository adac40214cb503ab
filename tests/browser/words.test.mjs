// Words longer than any line: whoever writes one sees it, so does everybody else, and the page stays quick.
import assert from 'node:assert/strict'
import { peer, rectangle } from './support/peer.mjs'
import { suite } from './support/stage.mjs'

/** Nothing that one does with such a word may hold the page longer than this, on a slow machine too. */
const BUSY_MS_MAX = 1_500

const test = suite()

// Signed addresses, minified JSON, pictures in base64, scripts without spaces; letters that the hand-drawn
// font joins.
const WORDS = {
  url: 'https://files.example.com/report.pdf?X-Amz-Signature=' + 'a1b2%2Fc3'.repeat(180),
  json: '{"id":1,"tags":["a","b"],"next":null},'.repeat(300).replaceAll(' ', ''),
  base64: Array.from({ length: 12_000 }, (_, n) => 'ABCDEFGHabcdefgh0123456789+/'[n * 7919 % 28]).join(''),
  thai: '\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e04\u0e23\u0e31\u0e1a'.repeat(1_000),
  joined: 'xT'.repeat(6_000),
  arabic: '\u062c'.repeat(12_000),
  marks: 'e' + '\u0301'.repeat(12_000)
}

/** The longest that the page was held while `act` ran and what followed from it was drawn. */
async function held (tab, act) {
  await tab.evaluate(() => {
    window.longest = 0
    window.longTasks = new PerformanceObserver(list => {
      for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration)
    })
    window.longTasks.observe({ entryTypes: ['longtask'] })
  })
  await act()
  // Drawn, and the observer told of it.
  await tab.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve, 100)))))
  return await tab.evaluate(() => {
    window.longTasks.disconnect()
    return Math.round(window.longest)
  })
}

/** As other keyboards bring text, and as a paste does. */
const insert = (tab, text) => tab.page.keyboard.insertText(text)
const paste = (tab, text) => tab.evaluate(text => {
  const clipboardData = new DataTransfer()
  clipboardData.setData('text/plain', text)
  document.activeElement.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }))
}, text)

/** Draws a shape by hand, and begins to write into it. */
async function write (tab, key) {
  await tab.focus()
  await tab.press(key)
  const { x, y } = await tab.at(400, 200)
  await tab.page.mouse.click(x, y)
  if (key !== 'n') await tab.press('Enter')
  await tab.page.locator('[data-isediting=true] .ProseMirror:focus').waitFor()
  return await tab.evaluate(() => window.boardwire.editor.getEditingShapeId().slice('shape:'.length))
}

for (const [how, bring] of Object.entries({ pasted: paste, inserted: insert })) {
  test(`a note in which a long word is ${how} stays, for its author and for others, and after a reload`, async (stage, t) => {
    const board = await stage.board('alice')
    const alice = await stage.editor(board, 'alice')
    const bob = await stage.editor(board, 'bob')
    const texts = {}
    for (const [kind, word] of Object.entries(WORDS)) {
      const id = await write(alice, 'n')
      const busy = await held(alice, async () => {
        await alice.page.keyboard.type('first ')
        await bring(alice, word)
        await alice.page.keyboard.type(' and more')
        await alice.sees(id)
      })
      t.diagnostic(`${kind}, while it is written: ${busy} ms`)
      assert.ok(busy < BUSY_MS_MAX, `${kind} held the page for ${busy} ms`)
      assert.equal(await alice.page.locator(`[data-shape-id="shape:${id}"]`).count(), 1, `${kind} is on the screen`)
      await alice.press('Escape')
      await alice.press('Escape')
      texts[id] = `first ${word} and more`
      // The next one would be put beside it.
      await alice.update(id, { y: 5_000 })
    }
    await alice.says('connected', 'saved')
    await alice.page.reload()
    await alice.ready()
    for (const tab of [alice, bob]) {
      for (const [id, text] of Object.entries(texts)) {
        await tab.sees(id)
        assert.equal(await tab.text(id), text)
      }
      assert.equal(await tab.part('hidden').count(), 0)
    }
  })
}

test('every kind of shape shows them', async (stage, t) => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  const rich = text => ({ type: 'doc', content: [{ type: 'paragraph', content: [{ type: 'text', text: text.slice(0, 1_000), marks: [{ type: 'bold' }] }, { type: 'text', text: text.slice(1_000) }] }] })
  const kinds = {
    note: text => ({ richText: rich(text) }),
    geo: text => ({ w: 200, h: 200, richText: rich(text) }),
    text: text => ({ w: 300, autoSize: false, richText: rich(text) }),
    arrow: text => ({ text, start: { x: 0, y: 0 }, end: { x: 300, y: 0 } }),
    frame: text => ({ w: 300, h: 200, name: text })
  }
  for (const [kind, props] of Object.entries(kinds)) {
    for (const [word, text] of Object.entries(WORDS)) {
      const id = `${kind}-${word}`
      const [mine, theirs] = await Promise.all([alice, bob].map(tab => held(tab, async () => {
        if (tab === alice) await alice.create({ id: `shape:${id}`, type: kind, x: 100, y: 100, props: props(text) })
        await tab.sees(id)
      })))
      t.diagnostic(`${id}: ${mine} ms, ${theirs} ms on the other page`)
      assert.ok(Math.max(mine, theirs) < BUSY_MS_MAX, `${id} held a page for ${mine} and ${theirs} ms`)
      for (const tab of [alice, bob]) assert.equal(await tab.page.locator(`[data-shape-id="shape:${id}"]`).count(), 1, `${id} is on the screen`)
      await alice.says('connected', 'saved')
      await alice.remove(id)
      await bob.misses(id)
    }
  }
  for (const tab of [alice, bob]) assert.equal(await tab.part('hidden').count(), 0)
})

test('such a word ends its lines where it must, inside of its shape', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  for (const text of ['W'.repeat(1_200), 'xT'.repeat(600)]) {
    await alice.create({ id: 'shape:box', type: 'geo', x: 300, y: 100, props: { w: 300, h: 100, richText: { type: 'doc', content: [{ type: 'paragraph', content: [{ type: 'text', text }] }] } } })
    const inside = () => alice.evaluate(() => {
      const shape = document.querySelector('[data-shape-id="shape:box"]')
      const bounds = window.boardwire.editor.getShapePageBounds('shape:box')
      const words = shape.querySelector('.ProseMirror p') ?? shape.querySelector('.tl-rich-text p')
      return { width: words.scrollWidth <= bounds.w, height: words.getBoundingClientRect().height / window.boardwire.editor.getZoomLevel() <= bounds.h + 1, text: words.textContent }
    })
    assert.deepEqual(await inside(), { width: true, height: true, text })
    await alice.evaluate(() => { window.boardwire.editor.select('shape:box'); window.boardwire.editor.setEditingShape('shape:box'); window.boardwire.editor.setCurrentTool('select.editing_shape') })
    await alice.page.locator('[data-shape-id="shape:box"] .ProseMirror').waitFor()
    assert.deepEqual(await inside(), { width: true, height: true, text }, 'while it is edited')
    await alice.page.keyboard.press('Escape')
    await alice.remove('box')
  }
})

test('what comes from elsewhere and cannot be shown is said to everybody, and can be saved as a file', async stage => {
  const board = await stage.board('alice', 'Plan "B"')
  const alice = await stage.editor(board, 'alice')
  const bob = await stage.editor(board, 'bob')
  const other = await peer(stage, board, 'alice')
  other.records.set('shape:odd', { ...rectangle('odd'), type: 'teapot' })
  for (const tab of [alice, bob]) {
    await tab.part('hidden').waitFor()
    assert.match(await tab.part('hidden').textContent(), /^One thing on this board cannot be shown/)
  }
  const download = alice.page.waitForEvent('download')
  await alice.part('hidden').getByRole('button', { name: 'Save it as a file' }).click()
  const file = await download
  assert.equal(file.suggestedFilename(), 'Plan B - not shown.json')
  const chunks = []
  for await (const chunk of await file.createReadStream()) chunks.push(chunk)
  assert.equal(JSON.parse(Buffer.concat(chunks))['shape:odd'].type, 'teapot')
  other.records.delete('shape:odd')
  for (const tab of [alice, bob]) await tab.part('hidden').waitFor({ state: 'detached' })
})

test('a list in a list in a list ends somewhere, before the server refuses it', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const id = await write(alice, 'r')
  await alice.page.keyboard.type('- top')
  for (let n = 1; n <= 20; n++) {
    await alice.press('Enter')
    await alice.press('Tab')
    await alice.page.keyboard.type(`level ${n}`)
  }
  await alice.press('Escape')
  await alice.says('connected', 'saved')
  assert.match(await alice.text(id), /top[^]*level 1[^]*level 20/)
  await alice.page.reload()
  await alice.ready()
  await alice.sees(id)
  assert.match(await alice.text(id), /top[^]*level 1[^]*level 20/)
})
