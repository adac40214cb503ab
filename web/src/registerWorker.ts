// Starts the service worker, where there can be one.

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
  await navigator.serviceWorker.register('/sw.js', { updateViaCache: 'none' })
  const { active } = await navigator.serviceWorker.ready
  active?.postMessage({ loaded: performance.getEntriesByType('resource').map(entry => entry.name) })
}
