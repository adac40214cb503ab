// Starts the service worker, where there can be one.
import { under } from './base'

/**
 * Registers it once the page has loaded, so that it competes with nothing.
 *
 * Only built pages have one; browsers want https or localhost for it. Without it everything works but opening a page offline.
 */
export function registerWorker (): void {
  if (!import.meta.env.PROD || !isSecureContext || !('serviceWorker' in navigator)) return
  const register = () => {
    void start().catch((cause: unknown) => console.warn('No service worker, so pages do not open offline:', cause))
  }
  if (document.readyState === 'complete') register()
  else addEventListener('load', register, { once: true })
}

async function start (): Promise<void> {
  const { serviceWorker } = navigator
  // The next build's worker begins with an empty cache.
  serviceWorker.addEventListener('controllerchange', () => tellLoaded(serviceWorker.controller))
  await serviceWorker.register(under('/sw.js'), { updateViaCache: 'none' })
  tellLoaded((await serviceWorker.ready).active)
}

/** What was loaded before the worker was there: the language, the fonts in use. It keeps those too. */
function tellLoaded (worker: ServiceWorker | null): void {
  worker?.postMessage({ loaded: performance.getEntriesByType('resource').map(entry => entry.name) })
}
