// A stock client without a page: what another application may do to a board.
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { mint } from '../../node/support/token.mjs'
import { until } from '../../node/support/wait.mjs'

/** Connects to a board with edit, and is gone with the stage. */
export async function peer (stage, board, sub = 'peer') {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(stage.server.ws, board, doc, {
    params: { token: mint({ sub, boards: { [board]: 'edit' } }) },
    disableBc: true,
    WebSocketPolyfill: WebSocket
  })
  stage.atEnd(() => {
    provider.destroy()
    // Presence has a timer of its own.
    doc.destroy()
  })
  await until(() => provider.synced, 'a peer in sync')
  return { doc, provider, records: doc.getMap('tldraw') }
}

/** A record of a rectangle as tldraw 3.15 writes it, for clients that have no tldraw. */
export const rectangle = (id, x = 0, y = 0, { index = 'a1', parentId = 'page:page', ...props } = {}) => ({
  id: `shape:${id}`,
  typeName: 'shape',
  type: 'geo',
  x,
  y,
  rotation: 0,
  index,
  parentId,
  isLocked: false,
  opacity: 1,
  meta: {},
  props: {
    geo: 'rectangle',
    dash: 'draw',
    url: '',
    w: 100,
    h: 80,
    growY: 0,
    scale: 1,
    labelColor: 'black',
    color: 'blue',
    fill: 'solid',
    size: 'm',
    font: 'draw',
    align: 'middle',
    verticalAlign: 'middle',
    richText: { type: 'doc', content: [{ type: 'paragraph' }] },
    ...props
  }
})
