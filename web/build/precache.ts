// Tells the service worker which files of this build a board needs.
import { createHash } from 'node:crypto'
import type { Plugin } from 'vite'

/** The worker's file, at the root: its scope is every page. */
export const WORKER = 'sw.js'

/** All code and styles, the icons, and the fonts in which everything is written at first. The rest is kept once it was used. */
const NEEDED = [/\.js$/, /\.css$/, /\/0_merged-/, /(Regular|Medium)-[^/]*\.woff2$/]

export function precache (): Plugin {
  return {
    name: 'boardwire:precache',
    apply: 'build',
    // After everything else, the page included: its content is part of the build's name.
    enforce: 'post',
    generateBundle (_, bundle) {
      const worker = bundle[WORKER]
      if (worker?.type !== 'chunk') throw new Error(`no ${WORKER} in the build`)
      if (worker.imports.length > 0) throw new Error(`${WORKER} must stand alone, but imports ${worker.imports.join(', ')}`)
      const files = Object.keys(bundle)
        .filter(name => name.startsWith('assets/') && NEEDED.some(needed => needed.test(name)))
        .sort()
      const page = bundle['index.html']
      if (page?.type !== 'asset') throw new Error('no index.html in the build')
      const build = createHash('sha256').update(files.join('\n')).update(page.source).digest('hex').slice(0, 16)
      const list = JSON.stringify({ build, files })
      const code = worker.code.replace('__PRECACHE__', () => list)
      if (code === worker.code) throw new Error(`${WORKER} has no place for its list`)
      worker.code = code
    }
  }
}
