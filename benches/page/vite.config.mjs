// Builds the page of stock tldraw from the packages of web/, so that both are of the same versions.
import { fileURLToPath } from 'node:url'

const packages = fileURLToPath(new URL('../../web/node_modules/', import.meta.url))
const NAMES = ['@tldraw/assets', 'react', 'react-dom', 'tldraw']

export default {
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  cacheDir: `${packages}.vite-stock`,
  resolve: { alias: NAMES.map(name => ({ find: new RegExp(`^${name}(?=/|$)`), replacement: packages + name })) },
  build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 2500, emptyOutDir: true }
}
