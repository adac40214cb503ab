// Starts the service worker, where there can be one.
import { under } from './base'
import { serviceWorkers } from './browser'

/**
 * Registers it once the page has loaded, so that it competes with nothing.
 *
 * Only built pages have one; browsers want https or localhost for it. Without it everything works but opening a page offline.
 */
export function registerWorker (): void {
  const workers = import.meta.env.PROD ? serviceWorkers() : null
  if (workers === null) return
  const register = () => {
    void start(workers).catch((cause: unknown) => console.info('No service worker, so pages do not open offline:', cause))
  }
  if (document.readyState === 'complete') register()
  else addEventListener('load', register, { once: true })
}

/** Tells the worker what was loaded without it: the language, the fonts in use. It keeps those too. */
async function start (serviceWorker: ServiceWorkerContainer): Promise<void> {
  await serviceWorker.register(under('/sw.js'), { updateViaCache: 'none' })
  const first = (await serviceWorker.ready).active
  const loaded: string[] = []
  const tell = (names: readonly string[]) => (serviceWorker.controller ?? first)?.postMessage({ loaded: names })
  // What was asked for before the worker was there may come after: so each file is told when it is there.
  const observer = new PerformanceObserver(list => {
    const names = list.getEntries().map(entry => entry.name).filter(name => name.includes(under('/assets/')))
    if (names.length === 0) return
    loaded.push(...names)
    tell(names)
  })
  observer.observe({ type: 'resource', buffered: true })
  // The next build's worker begins with an empty cache.
  serviceWorker.addEventListener('controllerchange', () => tell(loaded))
}
