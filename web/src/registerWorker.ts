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

async function start (serviceWorker: ServiceWorkerContainer): Promise<void> {
  // The next build's worker begins with an empty cache.
  serviceWorker.addEventListener('controllerchange', () => tellLoaded(serviceWorker.controller))
  await serviceWorker.register(under('/sw.js'), { updateViaCache: 'none' })
  tellLoaded((await serviceWorker.ready).active)
}

/** What was loaded before the worker was there: the language, the fonts in use. It keeps those too. */
function tellLoaded (worker: ServiceWorker | null): void {
  worker?.postMessage({ loaded: performance.getEntriesByType('resource').map(entry => entry.name) })
}
