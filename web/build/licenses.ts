// Puts the licences beside what they cover. Vite gathers those of the bundled packages by itself (`build.license`).
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'

/** By name in licenses/ of the build. */
const COPIES = {
  'tldraw.md': '../node_modules/tldraw/LICENSE.md',
  'tldraw-sdk-license.md': '../licenses/tldraw-sdk-license.md',
  'fonts.md': '../licenses/fonts.md'
}

export function licenses (): Plugin {
  return {
    name: 'boardwire:licenses',
    apply: 'build',
    async generateBundle () {
      for (const [name, path] of Object.entries(COPIES)) {
        const source = await readFile(fileURLToPath(new URL(path, import.meta.url)))
        this.emitFile({ type: 'asset', fileName: 'licenses/' + name, source })
      }
    }
  }
}
