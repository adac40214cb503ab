// The npm package: built, packed, installed, bundled into the example of docs/embed.md, and drawn with from
// another origin.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { after, before } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { mint } from '../node/support/token.mjs'
import { until } from '../node/support/wait.mjs'
import { output } from './support/measure.mjs'
import { suite } from './support/stage.mjs'
import { Tab } from './support/tab.mjs'

const WEB = fileURLToPath(new URL('../../web', import.meta.url))
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' }
const app = { folder: mkdtempSync(join(tmpdir(), 'boardwire-app-')) }
/** How long a token is taken after its end, in seconds: TOKEN_LEEWAY in docs/limits.md. */
const LEEWAY = 30

const test = suite()

before(async () => {
  buildApp(app.folder)
  await bundle(app.folder)
  app.server = await serveApp(join(app.folder, 'dist'), () => app.answers)
  app.origin = `http://localhost:${app.server.address().port}`
})
after(() => {
  app.server?.close()
  rmSync(app.folder, { recursive: true, force: true })
})

// A fresh folder with nothing in it but what an application would install.
function buildApp (folder) {
  const run = (command, args, cwd) => execFileSync(command, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' })
  run('npm', ['run', '--silent', 'package'], WEB)
  const tarball = run('npm', ['pack', '--silent', join(WEB, 'package')], folder).trim().split('\n').at(-1)
  const modules = join(folder, 'node_modules')
  mkdirSync(modules)
  // As `npm install` would unpack it; what it stands on is here already, and nothing is downloaded.
  run('tar', ['-xzf', tarball], folder)
  cpSync(join(folder, 'package'), join(modules, 'boardwire-react'), { recursive: true })
  for (const name of readdirSync(join(WEB, 'node_modules'))) {
    if (!name.startsWith('.') && name !== 'boardwire-react') symlinkSync(join(WEB, 'node_modules', name), join(modules, name))
  }
  const example = /^```jsx\n([^]*?)^```$/m.exec(readFileSync(new URL('../../docs/embed.md', import.meta.url), 'utf8'))[1]
  assert.ok(example.split('\n').length - 1 <= 40, 'the example has at most 40 lines')
  writeFileSync(join(folder, 'main.jsx'), example)
  writeFileSync(join(folder, 'index.html'), '<!doctype html><html lang="en"><meta charset="utf-8"><title>An application</title><link rel="icon" href="data:,">' +
    '<body style="margin:0"><div id="root"></div><script type="module" src="/main.jsx"></script>')
}

async function bundle (root) {
  const { build } = await import(pathToFileURL(join(WEB, 'node_modules/vite/dist/node/index.js')))
  await build({ root, configFile: false, logLevel: 'error', build: { target: 'es2022', chunkSizeWarningLimit: 10_000 }, resolve: { preserveSymlinks: true } })
}

// The application's own server: its files, whom it signs in, and which board it shows.
async function serveApp (folder, answers) {
  const server = http.createServer((request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname
    const answer = answers()?.[path]
    if (answer !== undefined) return response.end(answer())
    try {
      const file = join(folder, path === '/' ? 'index.html' : path.slice(1))
      const bytes = readFileSync(file)
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(bytes)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  return server
}

// The application's page, whose editor the example hands to itself only: a test finds it through tldraw.
async function visit (person) {
  const tab = new Tab(await person.context.newPage(), person)
  await tab.page.goto(app.origin)
  return tab
}

test('the package has types, and nothing in it that was installed beside it', async () => {
  const folder = join(app.folder, 'node_modules/boardwire-react')
  const types = readFileSync(join(folder, 'dist/types/package.d.ts'), 'utf8')
  assert.match(types, /export declare function BoardwireCanvas/)
  writeFileSync(join(app.folder, 'use.tsx'), `import { BoardwireCanvas } from 'boardwire-react'
export const good = <BoardwireCanvas url='https://x.example' board='b' token={async () => 't'} onEditor={editor => editor?.undo()} />
// @ts-expect-error: a board is needed
export const bad = <BoardwireCanvas url='https://x.example' />
`)
  writeFileSync(join(app.folder, 'tsconfig.json'), JSON.stringify({
    compilerOptions: { strict: true, noEmit: true, skipLibCheck: true, jsx: 'react-jsx', module: 'esnext', moduleResolution: 'bundler', target: 'es2022', types: [] }, files: ['use.tsx']
  }))
  execFileSync(join(WEB, 'node_modules/.bin/tsc'), ['-p', app.folder], { cwd: app.folder, stdio: ['ignore', 'inherit', 'inherit'] })
  const script = readFileSync(join(folder, 'dist/boardwire-react.js'), 'utf8')
  assert.match(script, /from ["']tldraw["']/)
  assert.match(script, /from ["']yjs["']/)
  assert.ok(script.length < 400_000, `${script.length} bytes`)
})

test('the example draws from another origin: the server\'s own page sees it, and it says saved', async stage => {
  await stage.ownServer({ 'allow-origin': app.origin })
  const board = await stage.board('alice', 'Embedded')
  await stage.api('alice').grant(board, 'users/bob', 'edit')
  const signed = []
  app.answers = {
    '/settings.json': () => JSON.stringify({ url: stage.server.http, board }),
    '/token': () => { signed.push('bob'); return mint({ sub: 'bob', name: 'Bob' }) }
  }
  const alice = await stage.person('alice')
  const own = await alice.open(board)
  const bob = await stage.person(null)
  bob.watch.allow(app.origin)
  const page = await visit(bob)
  await page.says('connected', 'saved')
  assert.ok(signed.length > 0)
  await own.meets('Bob')
  await page.meets('alice')
  await page.page.getByRole('button', { name: 'Add a note' }).click()
  await own.eventually(() => window.boardwire.editor.getCurrentPageShapes().some(({ type }) => type === 'note'), undefined, 'the note on the own page')
  await page.says('connected', 'saved')

  // The other way round, by hand, and offline for a while.
  await own.create({ id: 'shape:theirs', type: 'text', x: 40, y: 40, props: { richText: { type: 'doc', content: [{ type: 'paragraph', content: [{ type: 'text', text: 'From the server' }] }] } } })
  await page.shows('From the server')
  await page.page.screenshot({ path: output('package-wide.png') })
  for (const { watch } of [bob, alice]) watch.expect('unreachable')
  await stage.server.stop()
  await page.says('reconnecting').catch(async () => await page.says('offline'))
  await page.page.getByRole('button', { name: 'Add a note' }).click()
  await page.says('offline', 'waiting', 40_000).catch(async () => await page.says('reconnecting', 'waiting'))
  await stage.server.up()
  await page.says('connected', 'saved', 40_000)

  await page.page.setViewportSize({ width: 320, height: 640 })
  await page.page.emulateMedia({ colorScheme: 'dark' })
  const fits = await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)
  assert.ok(fits, 'nothing is to be scrolled sideways')
  await page.page.screenshot({ path: output('package-small-dark.png') })
})

test('a token that has ended is asked for anew, and one that is refused is said', async stage => {
  await stage.ownServer({ 'allow-origin': app.origin })
  const board = await stage.board('carol')
  let count = 0
  const now = () => Math.floor(Date.now() / 1000)
  app.answers = {
    '/settings.json': () => JSON.stringify({ url: stage.server.http, board }),
    '/token': () => { count++; return mint({ sub: 'carol', exp: now() + (count <= 2 ? 10 - LEEWAY : 600) }) }
  }
  const carol = await stage.person(null)
  carol.watch.allow(app.origin)
  carol.watch.expect('refused')
  const page = await visit(carol)
  await page.says('connected', 'saved')
  const before = count
  await until(() => count > before, 'another token to be asked for', 30_000)
  await page.says('connected', 'saved')

  app.answers['/token'] = () => 'nonsense'
  const again = await visit(carol)
  await again.part('verdict').waitFor()
  assert.match(await again.part('verdict').textContent(), /not valid here/)
  app.answers['/token'] = () => mint({ sub: 'carol' })
  await again.page.getByRole('button', { name: 'Try again' }).click()
  await again.says('connected', 'saved')
})
