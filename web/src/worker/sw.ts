// The service worker: lets a board's page open while the server is out of reach. It keeps this build's files
// and the page itself, under addresses without a query, and nothing that the server says about boards.
/// <reference lib="webworker" />
import { choose, isAway, isKeepable } from './choice'

declare const self: ServiceWorkerGlobalScope

/** Set by build/precache.ts: what a board needs, and a name for this build. */
declare const __PRECACHE__: { readonly build: string, readonly files: readonly string[] }

const PRECACHE = __PRECACHE__
/** Where this server is: other servers may be under other paths of the same origin, and all share its caches. */
const BASE = new URL('.', self.location.href)
const PREFIX = `boardwire${BASE.pathname === '/' ? '' : BASE.pathname}-`
const CACHE = PREFIX + PRECACHE.build
/** Every page is this one file; the server sends it for each of their addresses. */
const PAGE = BASE.href
/** A server that takes longer is treated as away, where there is a page to show instead. */
const PATIENCE_MS = 4000

self.addEventListener('install', event => event.waitUntil(install()))
self.addEventListener('activate', event => event.waitUntil(activate()))

self.addEventListener('fetch', event => {
  switch (choose(event.request, BASE.href)) {
    case 'page':
      return event.respondWith(openPage(event.request))
    case 'asset':
      return event.respondWith(openAsset(event.request.url))
    case 'leave':
  }
})

// A page tells what it loaded before the worker was there: its language, the fonts in use.
self.addEventListener('message', event => event.waitUntil(keepLoaded(event.data)))

async function install (): Promise<void> {
  const cache = await caches.open(CACHE)
  const page = await fetch(PAGE, { cache: 'reload', credentials: 'omit' })
  if (!isKeepable(page)) throw new Error(`the page cannot be kept (${page.status})`)
  await cache.put(PAGE, page)
  await cache.addAll(PRECACHE.files.map(file => new URL(file, BASE).href))
  await self.skipWaiting()
}

async function activate (): Promise<void> {
  const names = await caches.keys()
  await Promise.all(names.filter(name => name.startsWith(PREFIX) && name !== CACHE).map(async name => await caches.delete(name)))
  await self.clients.claim()
}

/** The network's page, so that nobody stays on an old one; what is kept only where the server is away. */
async function openPage (request: Request): Promise<Response> {
  const kept = await (await caches.open(CACHE)).match(PAGE)
  if (kept === undefined) return await fetch(request)
  const answer = fetch(request).then(response => isAway(response.status) ? kept : response, () => kept)
  return await Promise.race([answer, after(PATIENCE_MS, kept)])
}

async function openAsset (url: string): Promise<Response> {
  const cache = await caches.open(CACHE)
  const kept = await cache.match(url)
  if (kept !== undefined) return kept
  const response = await fetch(url)
  if (isKeepable(response)) await cache.put(url, response.clone())
  return response
}

async function keepLoaded (message: unknown): Promise<void> {
  const { loaded } = (message ?? {}) as { loaded?: unknown }
  if (!Array.isArray(loaded)) return
  for (const url of loaded) {
    if (typeof url !== 'string' || choose({ method: 'GET', mode: 'cors', url }, BASE.href) !== 'asset') continue
    await openAsset(url).catch(() => {})
  }
}

async function after<T> (milliseconds: number, value: T): Promise<T> {
  return await new Promise(resolve => setTimeout(resolve, milliseconds, value))
}
