// The fonts, icons and translations of tldraw, from where the page that uses the package is built to: its
// bundler finds `new URL(file, import.meta.url)`. Stands in for src/assets.ts.
import { getAssetUrlsByMetaUrl } from '@tldraw/assets/urls'

export const assetUrls = getAssetUrlsByMetaUrl()
