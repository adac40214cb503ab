// Stock clients: the four published y-websocket providers, with what the tests need to know about each.
import { WebSocket } from 'ws'
import * as Y13 from 'yjs'
import * as Y14 from '@y/y'
import { WebsocketProvider as Provider2 } from 'y-websocket-2'
import { WebsocketProvider as Provider30 } from 'y-websocket-30'
import { WebsocketProvider as Provider31 } from 'y-websocket-31'
import { WebsocketProvider as Provider4 } from '@y/websocket'
import { allSameState, assertSame, describe as describeDocument, encode } from './documents.mjs'
import { tokenFor } from './token.mjs'
import { until } from './wait.mjs'

/** Every published provider under the name that test titles use. */
export const PROVIDERS = {
  'y-websocket 2.1': { Provider: Provider2, Y: Y13 },
  'y-websocket 3.0': { Provider: Provider30, Y: Y13 },
  'y-websocket 3.1': { Provider: Provider31, Y: Y13 },
  '@y/websocket 4 rc': { Provider: Provider4, Y: Y14 }
}

/** Names of all providers. */
export const ALL = Object.keys(PROVIDERS)

// Each provider listens for the end of the process.
process.setMaxListeners(0)

let addresses = 0

/** A loopback address that no other client of this process has: the server counts refusals by address. */
export const freshAddress = () => {
  const n = addresses++
  return `127.${1 + process.pid % 200}.${1 + Math.floor(n / 254)}.${1 + n % 254}`
}

/** The WebSocket class of Node, bound to a local address. */
export const socketFrom = localAddress => class extends WebSocket {
  constructor (url, protocols) {
    super(url, protocols, { localAddress })
  }
}

/** A stock provider with its document, as an application would make it. */
export class Client {
  constructor (server, board, options = {}) {
    const { provider = 'y-websocket 3.1', sub = 'alice', level = 'edit', token = tokenFor(board, { sub, level }) } = options
    const { connect = true, localAddress, params = {}, protocols = [], doc, tabs = false } = options
    const { Provider, Y } = PROVIDERS[provider]
    this.name = `${provider} ${sub}`
    this.Y = Y
    this.doc = doc ?? new Y.Doc()
    this.closes = []
    this.denials = []
    this.ended = null
    this.provider = new Provider(server.ws, board, this.doc, {
      connect: false,
      params: token === null ? params : { token, ...params },
      protocols,
      // Tabs of one browser also reach each other past the server.
      disableBc: !tabs,
      WebSocketPolyfill: localAddress === undefined ? WebSocket : socketFrom(localAddress)
    })
    this.awareness = this.provider.awareness
    this.provider.on('connection-close', event => {
      if (event !== null) this.closes.push({ code: event.code, reason: event.reason, at: performance.now() })
    })
    // Only version 3.1 knows it: the end for good.
    this.provider.on('closed', event => { this.ended = event })
    this.#listenForDenials()
    if (connect) this.provider.connect()
  }

  /** Connects a client that is gone when the test `t` ends. */
  static open (t, server, board, options) {
    const client = new Client(server, board, options)
    t.after(() => client.destroy())
    return client
  }

  // The stock handler of auth messages prints to the console; an application replaces it, as we do.
  #listenForDenials () {
    this.provider.messageHandlers[2] = (_encoder, decoder) => {
      decoder.pos += 1
      this.denials.push(new TextDecoder().decode(decoder.arr.subarray(decoder.pos + 1)))
    }
  }

  get clientID () {
    return this.doc.clientID
  }

  get map () {
    return this.Y === Y14 ? this.doc.get('map') : this.doc.getMap('map')
  }

  set (key, value) {
    if (this.Y === Y14) this.map.setAttr(key, value)
    else this.map.set(key, value)
  }

  get (key) {
    return this.Y === Y14 ? this.map.getAttr(key) : this.map.get(key)
  }

  delete (key) {
    if (this.Y === Y14) this.map.deleteAttr(key)
    else this.map.delete(key)
  }

  /** Waits until the server's state has arrived. */
  async synced () {
    await until(() => this.provider.synced, () => `${this.name} to be synced; closes: ${JSON.stringify(this.closes)}, denials: ${this.denials}`)
    return this
  }

  /** Waits until the map has `value` under `key`. */
  async sees (key, value, deadlineMs) {
    const wanted = JSON.stringify(value)
    await until(() => JSON.stringify(this.get(key)) === wanted, () => `${this.name} to see ${key} = ${wanted}; it has ${JSON.stringify(this.get(key))}`, deadlineMs)
  }

  /** Leaves as a closed laptop does not: orderly. */
  disconnect () {
    this.provider.disconnect()
  }

  connect () {
    this.provider.connect()
  }

  /** Cuts the socket without a word, as a lost network does; the provider then reconnects by itself. */
  cut () {
    this.provider.ws?.terminate()
  }

  /** Cuts the socket for good, as a killed tab does. */
  vanish () {
    this.provider.shouldConnect = false
    this.cut()
  }

  /** What others call the user, from the awareness of this client; undefined where there is no state. */
  userSeen (id) {
    return this.awareness.getStates().get(id)?.user?.name
  }

  update () {
    return encode(this.doc)
  }

  destroy () {
    this.provider.shouldConnect = false
    const socket = this.provider.ws
    this.provider.destroy()
    this.awareness.destroy()
    this.doc.destroy()
    socket?.terminate()
  }
}

/** Waits until all clients have equal documents, and checks them whole. */
export async function converged (clients, what = 'convergence', deadlineMs = 30_000) {
  const docs = clients.map(client => client.doc ?? client)
  await until(() => allSameState(docs), () => `${what}:\n${docs.map(describeDocument).join('\n')}`, deadlineMs)
  assertSame(docs, what)
}
