// How the page is built. What the server may rely on: index.html, sw.js and a few named files at the root,
// everything else under assets/ with a hash of its content in its name.
import { defineConfig } from 'vitest/config'

const server = process.env['BOARDWIRE_URL'] ?? 'http://127.0.0.1:8080'

export default defineConfig({
  build: {
    target: 'es2022',
    // Files, not data URLs: one copy each, cached by hash, and the policy needs no exception.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2500
  },
  server: {
    proxy: {
      '/ws': { target: server, ws: true },
      '/v1': { target: server },
      '/health': { target: server }
    }
  },
  test: {
    include: ['src/**/*.test.ts', 'src/**/*.test.tsx']
  }
})
