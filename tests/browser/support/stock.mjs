// Stock tldraw beside our page: its page of benches/page, built where it is missing or old, and served with
// the records of a test.
import { execFile } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const PAGE = fileURLToPath(new URL('../../../benches/page/', import.meta.url))
const WEB = fileURLToPath(new URL('../../../web/', import.meta.url))
const SOURCES = [`${PAGE}index.html`, `${PAGE}main.tsx`, `${PAGE}vite.config.mjs`, `${WEB}package-lock.json`]
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.svg': 'image/svg+xml' }

const time = path => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

async function build () {
  const built = time(`${PAGE}dist/index.html`)
  if (SOURCES.every(source => time(source) < built)) return
  await promisify(execFile)(process.execPath, [`${WEB}node_modules/vite/bin/vite.js`, 'build', '--config', `${PAGE}vite.config.mjs`])
}

/** Serves stock tldraw. `url(name)` is the page with the records of that name; "none" has only a page. */
export class Stock {
  #server
  #bodies

  static async start (records) {
    await build()
    const stock = new Stock()
    const all = { none: records.filter(({ typeName }) => typeName === 'page'), ...{ board: records } }
    stock.#bodies = new Map(Object.entries(all).map(([name, list]) => [`/records/${name}`, JSON.stringify(Object.fromEntries(list.map(one => [one.id, one])))]))
    stock.#server = createServer((request, answer) => stock.#answer(new URL(request.url, 'http://stock').pathname, answer))
    await new Promise(resolve => stock.#server.listen(0, '127.0.0.1', resolve))
    return stock
  }

  get http () {
    return `http://127.0.0.1:${this.#server.address().port}`
  }

  url (name) {
    return `${this.http}/?records=${name}`
  }

  stop () {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  #answer (path, answer) {
    const records = this.#bodies.get(path)
    if (records !== undefined) return answer.writeHead(200, { 'Content-Type': TYPES['.json'], 'Cache-Control': 'no-store' }).end(records)
    const file = join(PAGE, 'dist', path === '/' ? 'index.html' : normalize(path))
    const isAsset = path.startsWith('/assets/')
    try {
      const bytes = readFileSync(file)
      answer.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', 'Cache-Control': isAsset ? 'public, max-age=31536000, immutable' : 'no-cache' }).end(bytes)
    } catch {
      answer.writeHead(path === '/favicon.ico' ? 204 : 404).end()
    }
  }
}
