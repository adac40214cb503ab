// The npm package boardwire-react: one module and one style sheet. What it stands on is installed beside it.
import { defineConfig, type Plugin } from 'vite'
import { fileURLToPath } from 'node:url'
import manifest from './package.json' with { type: 'json' }

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const beside = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)]

/** Another page keeps its own colours: those of ours go no further than the component. */
const scope: Plugin = {
  name: 'boardwire-scope',
  enforce: 'pre',
  transform: (code, id) => id.endsWith('/src/styles.css')
    ? code.replace(/^:root \{/m, '.bw-embedded {').replace(/^:root(\[[^\]]*\]) \{/gm, ':root$1 .bw-embedded {').replace(/^body \{[^}]*\}/m, '')
        .replaceAll('.bw-page', '.bw-embedded-page')
    : undefined
}

export default defineConfig({
  plugins: [scope],
  resolve: { alias: [{ find: '../assets', replacement: here('./assets.ts') }] },
  publicDir: false,
  build: {
    target: 'es2022',
    outDir: here('./dist'),
    emptyOutDir: true,
    lib: { entry: here('../src/package.tsx'), formats: ['es'], fileName: 'boardwire-react', cssFileName: 'boardwire-react' },
    rolldownOptions: {
      external: id => !id.endsWith('.css') && beside.some(name => id === name || id.startsWith(name + '/'))
    }
  }
})
