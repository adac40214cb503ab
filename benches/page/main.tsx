// Stock tldraw with the records of a file, and nothing of ours in it: what our page is held against.
import { createRoot } from 'react-dom/client'
import { createTLStore, defaultBindingUtils, defaultShapeUtils, loadSnapshot, Tldraw, type SerializedStore, type TLRecord } from 'tldraw'
import { getAssetUrlsByImport } from '@tldraw/assets/imports.vite'
import 'tldraw/tldraw.css'

const assetUrls = getAssetUrlsByImport(url => url)
const name = new URLSearchParams(location.search).get('records') ?? 'none'
const records = await (await fetch(`/records/${encodeURIComponent(name)}`)).json() as SerializedStore<TLRecord>
const store = createTLStore({ shapeUtils: defaultShapeUtils, bindingUtils: defaultBindingUtils })
loadSnapshot(store, { document: { store: records, schema: store.schema.serialize() } })
createRoot(document.getElementById('root') as HTMLElement).render(
  <Tldraw store={store} assetUrls={assetUrls} onMount={editor => { Object.assign(window, { stock: editor }) }} autoFocus />
)
