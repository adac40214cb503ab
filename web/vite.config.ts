// How the page is built. What the server may rely on: index.html, sw.js, a few named files and licenses/ at
// the root, everything else under assets/ with a hash of its content in its name.
import { defineConfig } from 'vitest/config'
import { GATHERED, licenses } from './build/licenses.ts'
import { precache, WORKER } from './build/precache.ts'

const server = process.env['BOARDWIRE_URL'] ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [precache(), licenses()],
  // The document is told where it is by the server; all else finds its like from where it is itself, under
  // any base path.
  experimental: {
    renderBuiltUrl: (file, { hostType }) => hostType === 'html' ? '/' + file : { relative: true }
  },
  build: {
    target: 'es2022',
    // Files, not data URLs: one copy each, kept by its hash.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2500,
    license: { fileName: GATHERED },
    rolldownOptions: {
      // "use client" is for servers that render React; a bundle for browsers loses nothing without it.
      onLog: (level, log, report) => { if (log.code !== 'MODULE_LEVEL_DIRECTIVE') report(level, log) },
      input: { index: 'index.html', sw: 'src/worker/sw.ts' },
      output: {
        entryFileNames: chunk => chunk.name === 'sw' ? WORKER : 'assets/[name]-[hash].js'
      }
    }
  },
  // Its imports end in ?url, which only Vite itself understands.
  optimizeDeps: { exclude: ['@tldraw/assets'] },
  server: {
    proxy: {
      '/ws': { target: server, ws: true },
      '/v1': { target: server },
      '/health': { target: server }
    }
  },
  test: {
    // Some try hundreds of drawings, which takes a busy machine longer than vitest's 5 s.
    testTimeout: 60_000,
    include: ['src/**/*.test.{ts,tsx}', 'build/**/*.test.ts']
  }
})
