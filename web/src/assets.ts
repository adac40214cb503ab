// The fonts, icons and translations of tldraw, from this server: without these URLs tldraw asks its own CDN.
import { getAssetUrlsByImport } from '@tldraw/assets/imports.vite'

/** For the `assetUrls` of `<Tldraw>`. Each is a file under /assets/ with a hash in its name. */
export const assetUrls = getAssetUrlsByImport(url => url)
