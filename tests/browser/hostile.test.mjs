// Records that no page has written: whatever stands in the document, the page stays up and shows the rest.
import assert from 'node:assert/strict'
import * as Y from 'yjs'
import { peer, rectangle } from './support/peer.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

const { props } = rectangle('x')
// The server lets values of a depth of 64 through.
const deep = depth => { let value = {}; for (let n = 0; n < depth; n++) value = { value }; return value }

// A stroke without points, and the end of an arrow.
const STROKE = { color: 'black', fill: 'none', dash: 'draw', size: 'm', segments: [], isComplete: true, isClosed: false, isPen: false, scale: 1 }
const END = { isPrecise: false, isExact: false, normalizedAnchor: { x: 0.5, y: 0.5 }, terminal: 'end', snap: 'none' }

// Values that nobody can draw, by what is wrong with them.
const UNDRAWABLE = {
  'shape:number': 7,
  'shape:text': 'a shape',
  'shape:null': null,
  'shape:list': [1, 2, 3],
  'shape:bytes': new Uint8Array([1, 2, 3]),
  'shape:empty': {},
  'shape:of-no-kind': { ...rectangle('of-no-kind'), type: 'teapot' },
  'shape:of-no-type': { ...rectangle('of-no-type'), typeName: 'teapot' },
  'shape:other-id': rectangle('quite-another'),
  'shape:text-as-x': { ...rectangle('text-as-x'), x: 'left' },
  'shape:endless': { ...rectangle('endless'), x: 1e300 },
  'shape:no-props': { ...rectangle('no-props'), props: undefined },
  'shape:bad-colour': { ...rectangle('bad-colour'), props: { ...props, color: 'mauve' } },
  'shape:more-props': { ...rectangle('more-props'), props: { ...props, script: 'alert(1)' } },
  'shape:no-segments': { ...rectangle('no-segments'), type: 'draw', props: STROKE },
  'shape:script': { ...rectangle('script'), props: { ...props, url: 'javascript:alert(1)' } },
  'page:odd': { id: 'page:odd', typeName: 'page' },
  'binding:lost': { id: 'binding:lost', typeName: 'binding', type: 'arrow', fromId: 'shape:nowhere', toId: 'shape:nobody', meta: {}, props: END },
  'instance:instance': { id: 'instance:instance', typeName: 'instance', isReadonly: true },
  'camera:page:page': { id: 'camera:page:page', typeName: 'camera', x: 1e9, y: 1e9, z: 1, meta: {} },
  __proto: { polluted: true },
  'no colon': rectangle('no-colon'),
  '': rectangle('nothing')
}

// What leans on what is not there, or on itself, or holds more than this page has words for: shown all the
// same.
const ASTRAY = {
  'shape:bad-text': { ...rectangle('bad-text'), props: { ...props, richText: { type: 'doc', content: [{ type: 'teapot' }] } } },
  'shape:deep': { ...rectangle('deep'), meta: deep(50), props: { ...props, richText: { type: 'doc', content: [deep(50)] } } },
  'shape:orphan': rectangle('orphan', 500, 0, { parentId: 'shape:nowhere' }),
  'shape:on-no-page': rectangle('on-no-page', 500, 200, { parentId: 'page:nowhere' }),
  'shape:ouroboros': rectangle('ouroboros', 500, 400, { parentId: 'shape:ouroboros' }),
  'shape:cycle-a': rectangle('cycle-a', 700, 0, { parentId: 'shape:cycle-b' }),
  'shape:cycle-b': rectangle('cycle-b', 700, 200, { parentId: 'shape:cycle-a' })
}

test('a page that is open stays up, whatever comes', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  await alice.create(box('good', 100, 100))
  const hostile = await peer(stage, board)
  // One by one, so that each is met alone; then all at once.
  let n = 0
  for (const [key, value] of Object.entries({ ...UNDRAWABLE, ...ASTRAY })) {
    hostile.records.set(key, value)
    hostile.records.set(`shape:after-${++n}`, rectangle(`after-${n}`, 100, 100 * n))
    await alice.sees(`after-${n}`)
  }
  hostile.doc.transact(() => {
    hostile.records.set('shape:y-map', new Y.Map([['id', 'shape:y-map']]))
    hostile.records.set('shape:y-text', new Y.Text('shape'))
    hostile.records.set('shape:y-array', Y.Array.from([1]))
    hostile.records.set('shape:y-xml', new Y.XmlElement('shape'))
    hostile.records.set('shape:batch', rectangle('batch', 900, 100))
  })
  await alice.sees('batch')
  // A shape that is good becomes bad, and good again.
  hostile.records.set('shape:batch', { ...rectangle('batch'), type: 'teapot' })
  await alice.misses('batch')
  hostile.records.set('shape:batch', rectangle('batch', 950, 100))
  await alice.sees('batch', { x: 950 })
  await intact(alice, n)

  // What cannot be read is left alone: the page writes beside it, and nothing of it away.
  await alice.update('good', { x: 123 })
  await alice.says('connected', 'saved')
  assert.equal(hostile.records.get('shape:number'), 7)
  assert.deepEqual(hostile.records.get('shape:of-no-kind'), UNDRAWABLE['shape:of-no-kind'])
  assert.ok(hostile.records.get('shape:y-text') instanceof Y.Text)
  assert.deepEqual(hostile.records.get('shape:orphan'), ASTRAY['shape:orphan'])
})

test('a board that is full of it opens', async stage => {
  const board = await stage.board('alice')
  const hostile = await peer(stage, board)
  hostile.doc.transact(() => {
    for (const [key, value] of Object.entries({ ...UNDRAWABLE, ...ASTRAY })) hostile.records.set(key, value)
    hostile.records.set('shape:good', rectangle('good', 100, 100))
    hostile.records.set('shape:after-1', rectangle('after-1', 300, 100))
    hostile.records.set('shape:y-map', new Y.Map([['id', 'shape:y-map']]))
  })
  const alice = await stage.editor(board, 'alice')
  await intact(alice, 1)
  await alice.part('hidden').waitFor()
  assert.match(await alice.part('hidden').textContent(), /\d+ things on this board cannot be shown/)
})

test('another application\'s document of the same name does not break the page', async stage => {
  const board = await stage.board('alice')
  const hostile = await peer(stage, board)
  hostile.doc.getText('notes').insert(0, 'hello')
  hostile.doc.getArray('list').push([1, 2, 3])
  hostile.doc.getMap('tldraw').set('shape:one', rectangle('one'))
  const alice = await stage.editor(board, 'alice')
  await alice.sees('one')
})

/** Where something is once it stays there: the canvas may still be on its way. */
const settled = async locator => {
  let before = null
  for (;;) {
    const box = await locator.boundingBox()
    if (before !== null && JSON.stringify(before) === JSON.stringify(box)) return box
    before = box
    await locator.page().evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))))
  }
}

test('a link on a board signs nobody in, and runs nothing', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const hostile = await peer(stage, board)
  const trap = (await stage.person('mallory')).url(`/board/${board}`)
  assert.match(trap, /token=/)
  const words = (text, href) => ({
    type: 'doc', content: [{ type: 'paragraph', content: [{ type: 'text', text, marks: [{ type: 'link', attrs: { href, target: '_blank' } }] }] }]
  })
  hostile.doc.transact(() => {
    hostile.records.set('shape:button', rectangle('button', 300, 100, { url: trap }))
    hostile.records.set('shape:words', rectangle('words', 300, 300, { w: 300, richText: words('press here', trap) }))
    hostile.records.set('shape:script', rectangle('script', 300, 500, { w: 300, richText: words('and here', 'javascript:alert(1)') }))
  })
  await alice.sees('script')
  await alice.evaluate(() => { window.boardwire.editor.zoomToFit({ immediate: true }) })
  const { page } = alice
  for (const shape of ['button', 'words']) {
    const link = page.locator(`[data-shape-id="shape:${shape}"] a`).first()
    // Without an opener it is no popup of the page.
    const opened = page.context().waitForEvent('page')
    const { x, y, width, height } = await settled(link)
    await page.mouse.move(x + width / 2, y + height / 2)
    await page.mouse.click(x + width / 2, y + height / 2)
    const tab = await opened
    await tab.waitForLoadState()
    assert.equal(new URL(tab.url()).pathname, `/board/${board}`)
    await tab.locator('[data-testid=board]').waitFor()
    assert.equal(await tab.evaluate(() => sessionStorage.getItem('boardwire.token')), null, 'nobody is signed in there')
    await tab.close()
  }
  assert.equal(await page.locator('a[href^="javascript" i]').count(), 0)
  assert.equal(hostile.records.get('shape:button').props.url, trap, 'what is drawn is left as it is')
  await alice.says('connected', 'saved')
})

test('a picture is saved under the ending of what it is', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const hostile = await peer(stage, board)
  const src = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
  const shown = { assetId: 'asset:cat', w: 200, h: 200, playing: true, url: '', crop: null, flipX: false, flipY: false, altText: '' }
  hostile.doc.transact(() => {
    hostile.records.set('asset:cat', {
      id: 'asset:cat', typeName: 'asset', type: 'image', meta: {}, props: { name: '../cat.html', src, w: 1, h: 1, mimeType: 'image/png', isAnimated: false }
    })
    hostile.records.set('shape:cat', { ...rectangle('cat', 300, 200), type: 'image', props: shown })
  })
  await alice.sees('cat')
  const { page } = alice
  await alice.evaluate(() => { window.boardwire.editor.zoomToFit({ immediate: true }) })
  await page.locator('[data-shape-id="shape:cat"]').click({ button: 'right' })
  const saved = page.waitForEvent('download')
  await page.getByRole('menuitem', { name: /Download/ }).click()
  assert.equal((await saved).suggestedFilename(), 'cat.png')
})

test('what is pasted and cannot be drawn as it is comes as its words', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  await alice.create(box('good', 100, 100))
  const texts = [[{ type: 'teapot', content: [{ type: 'text', text: 'short and stout' }] }], [{ type: 'paragraph', content: [{ type: 'text', text: '' }] }], [7]]
  for (const content of texts) {
    await alice.evaluate(async content => {
      const { editor } = window.boardwire
      const copied = editor.getContentFromCurrentPage(['shape:good'])
      copied.shapes[0].props.richText = { type: 'doc', content }
      await editor.putExternalContent({ type: 'tldraw', point: { x: 300, y: 300 }, content: copied })
    }, content)
  }
  await alice.says('connected', 'saved')
  assert.equal((await alice.shapeIds()).length, 4)
  await alice.page.reload()
  await alice.ready()
  assert.equal((await alice.shapeIds()).length, 4)
  assert.equal(await alice.part('hidden').count(), 0)
  assert.match(JSON.stringify(await alice.evaluate(() => window.boardwire.editor.getCurrentPageShapes())), /short and stout/)
})

test('presence that no page has sent is not shown, or harmless', async stage => {
  const board = await stage.board('alice')
  const alice = await stage.editor(board, 'alice')
  const hostile = await peer(stage, board)
  const states = [
    { user: 'mallory' },
    { user: { id: 7, name: {}, color: [] }, cursor: 'everywhere' },
    { user: { id: 'user:mallory', name: '<img src=x onerror=alert(1)>', color: 'url(https://elsewhere.example/x.png)' }, cursor: { x: 'a', y: NaN }, selection: 'all' },
    { user: { id: 'user:mallory', name: 'M'.repeat(5000), color: '#ff0000' }, cursor: { x: 1e308, y: -1e308 }, page: 'nowhere', selection: Array(500).fill('shape:x') },
    { user: { id: 'user:mallory', name: '\u202eevil', color: '#00ff00' }, cursor: { x: 10, y: 10 }, page: 'page:nowhere', selection: [7, null] }
  ]
  for (const state of states) {
    const stamp = Math.random()
    hostile.provider.awareness.setLocalState({ ...state, stamp })
    await alice.eventually(stamp => [...window.boardwire.provider.awareness.getStates().values()].some(state => state.stamp === stamp), stamp, 'the state')
  }
  // The server knows who it is.
  await alice.meets('peer')
  assert.equal(await alice.page.locator('img[src=x]').count(), 0)
  await alice.create(box('after'))
  await alice.says('connected', 'saved')
})

/** The page is up, and shows what can be shown. */
async function intact (tab, others) {
  await tab.sees('good')
  for (let n = 1; n <= others; n++) await tab.sees(`after-${n}`)
  for (const id of Object.keys(ASTRAY)) await tab.sees(id.replace('shape:', ''))
  const drawn = await tab.shapeIds()
  for (const id of Object.keys(UNDRAWABLE)) assert.ok(!drawn.includes(id), `${id} is drawn`)
  assert.equal(await tab.page.locator('text=/This page broke|Something went wrong/').count(), 0)
  assert.equal(await tab.page.locator('[data-shape-id="shape:good"]').count(), 1, 'it is on the screen, too')
  assert.equal(await tab.evaluate(() => ({}).polluted), undefined)
}
