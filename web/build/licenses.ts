// Puts the licences beside what they cover. Vite gathers those of the bundled packages (`build.license`);
// this adds what the packages leave out, and stops a build that would leave something out.
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'

/** What Vite gathers goes here: a heading for each package, and the text of its license file under it. */
export const GATHERED = 'licenses/third-party.txt'

/**
 * By name in licenses/ of the build.
 *
 * tldraw's own file only points at the text, and its license asks for a verbatim copy: that is tldraw-sdk.txt. The fonts of
 * `@tldraw/assets` come without their license, and so do some packages under the MIT license.
 */
const COPIES = {
  'tldraw-LICENSE.md': '../node_modules/tldraw/LICENSE.md',
  'tldraw-sdk.txt': '../licenses/tldraw-sdk.txt',
  'fonts.txt': '../licenses/fonts.txt',
  'mit.txt': '../licenses/mit.txt'
}

/** The packages that licenses/mit.txt names. */
const NAMED_IN_MIT = /^(@tiptap\/\S+|react-remove-scroll-bar) - \S+ \(MIT\)$/

export function licenses (): Plugin {
  return {
    name: 'boardwire:licenses',
    apply: 'build',
    async generateBundle () {
      for (const [name, path] of Object.entries(COPIES)) {
        const source = await readFile(fileURLToPath(new URL(path, import.meta.url)))
        this.emitFile({ type: 'asset', fileName: 'licenses/' + name, source })
      }
    },
    // Only here what Vite gathered is in the bundle.
    writeBundle (_, bundle) {
      const gathered = bundle[GATHERED]
      if (gathered?.type !== 'asset') throw new Error(`no ${GATHERED} in the build`)
      const missing = withoutText(String(gathered.source)).filter(heading => !NAMED_IN_MIT.test(heading))
      if (missing.length > 0) throw new Error(`packages without the text of their license: ${missing.join(', ')}`)
    }
  }
}

/** The headings in `text` that nothing stands under. */
export function withoutText (text: string): string[] {
  return text.split(/^## (?=\S+ - \S+ \()/m).slice(1)
    .map(part => part.trimEnd().split('\n'))
    .filter(lines => lines.length === 1)
    .map(lines => lines[0] ?? '')
}
