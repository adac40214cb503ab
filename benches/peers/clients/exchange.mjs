// Two stock clients exchange an edit: node exchange.mjs DIALECT URL ROOM. Ends with 0 where the second has
// what the first wrote, with 1 and a sentence where not. The URL is the whole one, which ends with the room.
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const SECONDS = 10
const [dialect, url, room] = process.argv.slice(2)
const { origin, pathname, search } = new URL(url)
// The client adds the room itself.
const server = origin + pathname.slice(0, pathname.lastIndexOf('/'))

function open () {
  const document = new Y.Doc()
  if (dialect === 'hocuspocus') {
    const websocketProvider = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket })
    const provider = new HocuspocusProvider({ websocketProvider, name: room, document })
    provider.attach()
    return { document, provider }
  }
  const provider = new WebsocketProvider(server, room, document, {
    WebSocketPolyfill: WebSocket, disableBc: true, params: Object.fromEntries(new URLSearchParams(search))
  })
  return { document, provider }
}

const isSynced = client => new Promise(resolve => {
  if (client.provider.synced) resolve()
  else client.provider.on(dialect === 'hocuspocus' ? 'synced' : 'sync', () => resolve())
})

setTimeout(() => {
  console.error(`the second client did not have the edit of the first within ${SECONDS} seconds`)
  process.exit(1)
}, SECONDS * 1000)
const writer = open()
const reader = open()
await Promise.all([writer, reader].map(isSynced))
reader.document.getMap('tldraw').observe(event => {
  if (event.keysChanged.has('shape:1')) process.exit(0)
})
writer.document.getMap('tldraw').set('shape:1', { x: 1, y: 2 })
