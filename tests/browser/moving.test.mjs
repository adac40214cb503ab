// Drawings are moved: files of tldraw and Excalidraw onto a board, and a board into files.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'
import { box } from './support/tab.mjs'

const test = suite()

const FILES = fileURLToPath(new URL('files/', import.meta.url))
const text = name => readFileSync(FILES + name, 'utf8')

// As somebody drags files from a folder onto a point of the window.
async function drop (tab, at, ...files) {
  await tab.evaluate(([at, files]) => {
    const data = new DataTransfer()
    for (const { name, text } of files) data.items.add(new File([text], name))
    const canvas = document.querySelector('.tl-canvas')
    for (const type of ['dragenter', 'dragover', 'drop']) {
      canvas.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: data, clientX: at.x, clientY: at.y }))
    }
  }, [at, files])
}

const told = async (tab, words) => {
  await tab.part('notice').filter({ hasText: words }).waitFor()
  return await tab.part('notice').textContent()
}

/** Kinds of the shapes on the current page, and how many of each. */
const kinds = tab => tab.evaluate(() => window.boardwire.editor.getCurrentPageShapes()
  .reduce((counts, { type }) => ({ ...counts, [type]: (counts[type] ?? 0) + 1 }), {}))
const records = tab => tab.evaluate(() => JSON.stringify(Object.entries(window.boardwire.editor.store.serialize('document')).sort()))

test('an Excalidraw file is dropped where one lets it go, is selected, is one step to undo, and others see it', async stage => {
  const board = await stage.board('ada', 'Moved')
  const ada = await (await stage.person('ada')).open(board)
  await ada.create(box('there', 900, 500))
  await ada.says('connected', 'saved')
  const before = await records(ada)
  await drop(ada, { x: 500, y: 400 }, { name: 'plan.excalidraw', text: text('plan.excalidraw') })
  assert.match(await told(ada, 'imported'), /^plan\.excalidraw: 15 things were imported\. Not imported: 1 x page of another server\./)
  assert.deepEqual(await kinds(ada), { geo: 7, arrow: 2, text: 2, draw: 1, line: 1, image: 1, frame: 1, group: 1 })
  const { middle, selected, at } = await ada.evaluate(() => {
    const { editor } = window.boardwire
    const { center } = editor.getSelectionPageBounds()
    return { middle: center, selected: editor.getSelectedShapeIds().length, at: editor.screenToPage({ x: 500, y: 400 }) }
  })
  assert.ok(Math.hypot(middle.x - at.x, middle.y - at.y) < 1, 'its middle is where it was dropped')
  assert.ok(selected > 3)
  await ada.says('connected', 'saved')
  await ada.page.screenshot({ path: output('moving-excalidraw.png') })

  // Arrows hold on to what they were bound to.
  const bound = await ada.evaluate(() => window.boardwire.editor.store.allRecords().filter(({ typeName }) => typeName === 'binding').length)
  assert.equal(bound, 3)

  await stage.api('ada').grant(board, 'users/bea', 'view')
  const bea = await (await stage.person('bea')).open(board)
  assert.deepEqual(await kinds(bea), await kinds(ada))
  await ada.focus()
  await ada.press('Control+z')
  assert.equal(await records(ada), before, 'one step back, all is as it was')
  await ada.press('Control+Shift+z')
  await ada.eventually(() => window.boardwire.editor.getCurrentPageShapes().length > 10, undefined, 'all of it again')
})

test('a tldraw file comes with ids of its own, so that the same file twice is there twice', async stage => {
  const board = await stage.board('cleo')
  const cleo = await (await stage.person('cleo')).open(board)
  await cleo.create(box('a'), box('b', 200, 0))
  const file = await cleo.evaluate(() => {
    const { editor } = window.boardwire
    editor.createPage({ name: 'Second' })
    editor.setCurrentPage(editor.getPages()[1].id)
    editor.createShape({ type: 'note', x: 0, y: 0 })
    editor.setCurrentPage(editor.getPages()[0].id)
    return JSON.stringify({ tldrawFileFormatVersion: 1, schema: editor.store.schema.serialize(), records: editor.store.allRecords() })
  })
  await drop(cleo, { x: 600, y: 400 }, { name: 'Mine.TLDR', text: file })
  assert.match(await told(cleo, 'imported'), /Mine\.TLDR: 3 things were imported, on 2 pages\./)
  assert.deepEqual(await kinds(cleo), { geo: 4 })
  assert.deepEqual(await cleo.evaluate(() => window.boardwire.editor.getPages().map(({ name }) => name)), ['Page 1', 'Second', 'Second'])
  await cleo.sees('a', { x: 0, y: 0 })
  await cleo.says('connected', 'saved')

  // An older file, as tldraw.com saved it years ago.
  await drop(cleo, { x: 300, y: 300 }, { name: 'old.tldr', text: text('old.tldr') })
  assert.match(await told(cleo, 'old.tldr'), /1 thing was imported/)
})

test('bad files are told apart in words, and change nothing', async stage => {
  const board = await stage.board('dora')
  const dora = await (await stage.person('dora')).open(board)
  await dora.create(box('mine'))
  await dora.says('connected', 'saved')
  const before = await records(dora)
  const many = JSON.stringify({ type: 'excalidraw', version: 2, elements: Array.from({ length: 20_001 }, (_, n) => ({ id: `${n}`, type: 'rectangle', x: n, y: 0, width: 9, height: 9 })) })
  for (const [name, text, words] of [
    ['a.tldr', 'nonsense', /no tldraw file/],
    ['a.excalidraw', '{"type":"excalidraw","ele', /cut off/],
    ['b.excalidraw', '{"type":"excalidraw","version":3,"elements":[]}', /newer version/],
    ['empty.excalidraw', '{"type":"excalidraw","version":2,"elements":[]}', /nothing in this file that could be drawn/],
    ['new.tldr', '{"tldrawFileFormatVersion":9,"schema":{"schemaVersion":2,"sequences":{}},"records":[]}', /newer tldraw/],
    ['first.tldr', '{"document":{"version":15.5}}', /first tldraw/],
    ['many.excalidraw', many, /20001 things, and a page of a board has room for 20000; 19999 are left here/],
    ['large.tldr', ' '.repeat(16 * 1024 * 1024 + 1), /more than 16 MiB/]
  ]) {
    await drop(dora, { x: 400, y: 400 }, { name, text })
    const said = await told(dora, words)
    assert.match(said, /Nothing was changed\./)
    assert.equal(await records(dora), before, name)
  }
  await dora.page.screenshot({ path: output('moving-bad.png') })
  await dora.page.getByRole('button', { name: 'Dismiss' }).click()
  assert.equal(await dora.part('notice').count(), 0)
})

test('who may only view is told so', async stage => {
  const board = await stage.board('emil')
  await stage.api('emil').grant(board, 'users/fay', 'view')
  const fay = await (await stage.person('fay', { viewport: { width: 320, height: 640 }, colorScheme: 'dark' })).open(board)
  await drop(fay, { x: 100, y: 300 }, { name: 'plan.excalidraw', text: text('plan.excalidraw') })
  await told(fay, 'You may only view this board')
  assert.deepEqual(await kinds(fay), {})
  await fay.page.screenshot({ path: output('moving-readonly-320.png') })
})

test('a board is saved as .tldr, JSON, SVG and PNG under its title, by keyboard, and the .tldr comes back', async stage => {
  const board = await stage.board('gil', 'Plan: spring/summer')
  const gil = await (await stage.person('gil')).open(board)
  await gil.create(box('one'), box('two', 200, 100))
  const { page } = gil
  const saved = {}
  for (const [item, ending] of [['tldraw file (.tldr)', 'tldr'], ['JSON', 'json'], ['SVG', 'svg'], ['PNG', 'png']]) {
    await page.getByTestId('main-menu.button').focus()
    await page.keyboard.press('Enter')
    await page.getByTestId('main-menu-sub.export-all-as-button').focus()
    await page.keyboard.press('ArrowRight')
    if (ending === 'tldr') await page.screenshot({ path: output('moving-menu.png') })
    const download = page.waitForEvent('download')
    await page.getByRole('menuitem', { name: item, exact: true }).focus()
    await page.keyboard.press('Enter')
    const file = await download
    assert.equal(file.suggestedFilename(), `Plan spring summer.${ending}`)
    saved[ending] = readFileSync(await file.path())
  }
  assert.deepEqual(Object.values(JSON.parse(saved.json)).filter(({ typeName }) => typeName === 'shape').map(({ id }) => id).sort(), ['shape:one', 'shape:two'])
  assert.match(saved.svg.toString(), /^<svg/)
  assert.equal(saved.png.subarray(1, 4).toString(), 'PNG')
  assert.doesNotMatch(saved.tldr.toString(), /"typeName":"(camera|pointer|instance)/, 'nothing of who saved it')
  await drop(gil, { x: 640, y: 400 }, { name: 'back.tldr', text: saved.tldr.toString() })
  await told(gil, '2 things were imported')
  assert.deepEqual(await kinds(gil), { geo: 4 })
})

test('files are chosen by keyboard, too', async stage => {
  const board = await stage.board('hana')
  const hana = await (await stage.person('hana')).open(board)
  await hana.focus()
  const chooser = hana.page.waitForEvent('filechooser')
  await hana.press('Control+Shift+o')
  await (await chooser).setFiles(FILES + 'plan.excalidraw')
  await told(hana, '15 things were imported')
})

test('who takes long to choose a file still gets it', async stage => {
  const board = await stage.board('ivo')
  const ivo = await (await stage.person('ivo')).open(board)
  await ivo.evaluate(() => {
    HTMLInputElement.prototype.click = function () { window.asked = new WeakRef(this) }
  })
  await ivo.focus()
  await ivo.press('Control+Shift+o')
  await ivo.eventually(() => window.asked !== undefined, undefined, 'files to be asked for')
  // What nothing holds on to is gone after this.
  const session = await ivo.page.context().newCDPSession(ivo.page)
  await session.send('HeapProfiler.collectGarbage')
  await ivo.evaluate(text => {
    const input = window.asked.deref()
    const data = new DataTransfer()
    data.items.add(new File([text], 'plan.excalidraw'))
    input.files = data.files
    input.dispatchEvent(new Event('change'))
  }, text('plan.excalidraw'))
  await told(ivo, '15 things were imported')
  assert.equal(await ivo.page.locator('input[type=file]').count(), 0, 'what asked is gone')
})
