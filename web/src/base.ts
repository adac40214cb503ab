// Where this server's pages are: a proxy may have them under a path of its host (`--public-url`).

/** The path before all of ours, with a slash at both ends: `/`, or such as `/boards/`. */
export const BASE = baseOf(new URL(/* @vite-ignore */ '..', import.meta.url))

// Every script of the build is in assets/, every source in src/. Unit tests run from files, and are at no
// path.
function baseOf ({ protocol, pathname }: URL): string {
  return protocol === 'file:' ? '/' : pathname
}

/** The server where it is not that of the page: the component of another page is told it. A slash at its end. */
let elsewhere: string | null = null

/** From now on all goes to the server at this address: for a page that is not the server's own. One at a time. */
export function serveFrom (address: string): void {
  elsewhere = new URL(address.endsWith('/') ? address : address + '/', location.href).href
}

/** One of our paths, which begin with a slash, as a browser must ask for it. */
export function under (path: string, base = elsewhere ?? BASE): string {
  return base + path.slice(1)
}

/** A name in the browser's storage, which all servers of one origin share. */
export function scoped (name: string, base = elsewhere ?? BASE): string {
  return base === '/' ? name : name + '@' + base
}

/** This server as an address that paths are put behind: `https://boards.example`, or `https://example.com/boards`. */
export function serverAddress (origin = location.origin, base = BASE): string {
  return elsewhere === null ? origin + base.slice(0, -1) : elsewhere.slice(0, -1)
}
