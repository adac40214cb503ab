// A client that speaks the protocol by hand, message by message, to see and send what stock providers hide.
import net from 'node:net'
import { randomBytes } from 'node:crypto'
import { WebSocket } from 'ws'
import * as encoding from 'lib0/encoding'
import * as decoding from 'lib0/decoding'
import * as Y from 'yjs'
import { tokenFor } from './token.mjs'
import { until } from './wait.mjs'

const write = build => {
  const encoder = encoding.createEncoder()
  build(encoder)
  return encoding.toUint8Array(encoder)
}

/** Message bytes by kind. */
export const messages = {
  step1: (vector = Uint8Array.of(0)) => write(e => { encoding.writeVarUint(e, 0); encoding.writeVarUint(e, 0); encoding.writeVarUint8Array(e, vector) }),
  step2: update => write(e => { encoding.writeVarUint(e, 0); encoding.writeVarUint(e, 1); encoding.writeVarUint8Array(e, update) }),
  update: update => write(e => { encoding.writeVarUint(e, 0); encoding.writeVarUint(e, 2); encoding.writeVarUint8Array(e, update) }),
  awareness: entries => write(e => {
    encoding.writeVarUint(e, 1)
    encoding.writeVarUint8Array(e, write(inner => {
      encoding.writeVarUint(inner, entries.length)
      for (const { id, clock, state } of entries) {
        encoding.writeVarUint(inner, id)
        encoding.writeVarUint(inner, clock)
        encoding.writeVarString(inner, typeof state === 'string' ? state : JSON.stringify(state))
      }
    }))
  }),
  queryAwareness: () => Uint8Array.of(3)
}

/** One message as a value: `{ kind, ... , bytes }`. */
export function parse (bytes) {
  const decoder = decoding.createDecoder(bytes)
  const type = decoding.readVarUint(decoder)
  const message = { kind: `unknown ${type}`, bytes }
  if (type === 0) {
    message.kind = ['step1', 'step2', 'update'][decoding.readVarUint(decoder)]
    message.payload = decoding.readVarUint8Array(decoder)
  } else if (type === 1) {
    message.kind = 'awareness'
    const inner = decoding.createDecoder(decoding.readVarUint8Array(decoder))
    message.entries = Array.from({ length: decoding.readVarUint(inner) }, () =>
      ({ id: decoding.readVarUint(inner), clock: decoding.readVarUint(inner), state: JSON.parse(decoding.readVarString(inner)) }))
  } else if (type === 2) {
    message.kind = 'auth'
    message.denied = decoding.readVarUint(decoder) === 0
    message.reason = decoding.readVarString(decoder)
  } else if (type === 3) {
    message.kind = 'queryAwareness'
  }
  message.rest = decoder.arr.length - decoder.pos
  return message
}

/** A WebSocket whose messages are kept in order of arrival, each with the time of it. */
export class Raw {
  constructor (server, board, options = {}) {
    const { sub = 'alice', level = 'edit', token = tokenFor(board, { sub, level }), params = {}, headers = {}, protocols = [], localAddress, path } = options
    const query = new URLSearchParams(token === null ? params : { token, ...params }).toString()
    const url = `ws://${server.host}:${server.port}${path ?? `/ws/canvas/${board}`}${query === '' ? '' : '?' + query}`
    this.messages = []
    this.texts = 0
    this.pings = []
    this.status = null
    this.opened = false
    this.close = null
    this.begun = performance.now()
    this.socket = new WebSocket(url, protocols, { headers, localAddress, perMessageDeflate: false })
    this.socket.binaryType = 'nodebuffer'
    this.socket.on('open', () => { this.opened = true })
    this.socket.on('message', (data, isBinary) => {
      if (isBinary) this.messages.push({ ...parse(new Uint8Array(data)), at: performance.now() })
      else this.texts++
    })
    this.socket.on('ping', () => this.pings.push(performance.now()))
    this.socket.on('unexpected-response', (request, response) => {
      this.status = response.statusCode
      this.headers = response.headers
      request.destroy()
      this.close ??= { code: 0, reason: `HTTP ${response.statusCode}`, at: performance.now() }
    })
    this.socket.on('error', error => { this.error = error })
    this.socket.on('close', (code, reason) => { this.close ??= { code, reason: reason.toString(), at: performance.now() } })
  }

  /** Opens a connection that is gone when the test `t` ends, without waiting. */
  static dial (t, server, board, options) {
    const raw = new Raw(server, board, options)
    t.after(() => raw.socket.terminate())
    return raw
  }

  /** Opens a connection, waits until it is accepted, and for editors until the server's step 1 is here. */
  static async open (t, server, board, options = {}) {
    const raw = Raw.dial(t, server, board, options)
    await until(() => raw.opened || raw.close, 'the upgrade')
    if (raw.close !== null) throw new Error(`refused: ${JSON.stringify(raw.close)}`)
    if ((options.level ?? 'edit') === 'edit') await raw.next('step1')
    return raw
  }

  /** Waits for a message of `kind` (that `accepts` likes) after position `from`, and returns it. */
  async next (kind, { accepts = () => true, from = 0, deadlineMs } = {}) {
    return until(() => this.messages.slice(from).find(message => message.kind === kind && accepts(message)),
      () => `a message ${kind}; got ${this.messages.map(message => message.kind)}, close ${JSON.stringify(this.close)}`, deadlineMs)
  }

  /** All messages of `kind` so far. */
  all (kind) {
    return this.messages.filter(message => message.kind === kind)
  }

  send (...parts) {
    this.socket.send(Buffer.concat(parts))
  }

  /** Waits for the close, and returns its code and reason. */
  async closed (deadlineMs) {
    return until(() => this.close, 'the close', deadlineMs)
  }

  /** Sends a state vector and returns the answer's update. */
  async pull (vector) {
    const from = this.messages.length
    this.send(messages.step1(vector))
    return (await this.next('step2', { from })).payload
  }

  /**
   * Waits until the server has handled all that was sent before: its answers are in order, so the step 2 to a
   * step 1 sent now follows whatever those messages caused.
   */
  async settled () {
    await this.pull()
  }

  /** The board's state by a fresh reader's eyes. */
  async document () {
    const doc = new Y.Doc()
    Y.applyUpdate(doc, await this.pull())
    return doc
  }

  /** Waits until the awareness entries received say `state` of `id`; `null` is a removal. */
  async sawState (id, state, { from = 0, deadlineMs } = {}) {
    const wanted = JSON.stringify(state)
    return this.next('awareness', { from, deadlineMs, accepts: message => message.entries.some(entry => entry.id === id && JSON.stringify(entry.state) === wanted) })
  }

  /** Every state received about `id`, as text, in order. */
  statesOf (id) {
    return this.all('awareness').flatMap(message => message.entries).filter(entry => entry.id === id).map(entry => JSON.stringify(entry.state))
  }
}

/** One masked client frame by hand; `length` may lie, `masked` may be false. */
export function frame (payload, { opcode = 2, fin = true, masked = true, rsv = 0 } = {}) {
  const length = payload.length
  const head = [(fin ? 0x80 : 0) | rsv | opcode]
  const mask = masked ? 0x80 : 0
  if (length < 126) head.push(mask | length)
  else if (length < 65536) head.push(mask | 126, length >> 8, length & 0xff)
  else head.push(mask | 127, 0, 0, 0, 0, (length >>> 24) & 0xff, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff)
  if (!masked) return Buffer.concat([Buffer.from(head), payload])
  const key = randomBytes(4)
  return Buffer.concat([Buffer.from(head), key, Buffer.from(payload.map((byte, i) => byte ^ key[i & 3]))])
}

/** A bare TCP connection after a hand-written upgrade: for frames that no library sends, and for not reading. */
export class Wire {
  constructor (server, board, { sub = 'alice', level = 'edit', token = tokenFor(board, { sub, level }), localAddress } = {}) {
    this.received = Buffer.alloc(0)
    this.ended = false
    this.socket = net.connect({ host: server.host, port: server.port, localAddress })
    this.socket.on('error', () => {})
    this.socket.on('close', () => { this.ended = true })
    this.socket.on('data', chunk => { this.received = Buffer.concat([this.received, chunk]) })
    this.socket.write([
      `GET /ws/canvas/${board}?token=${token} HTTP/1.1`, `Host: ${server.host}:${server.port}`, 'Connection: Upgrade', 'Upgrade: websocket',
      'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`, '', ''].join('\r\n'))
  }

  static async open (t, server, board, options) {
    const wire = new Wire(server, board, options)
    t.after(() => wire.socket.destroy())
    await until(() => wire.received.includes('\r\n\r\n') || wire.ended, 'the upgrade')
    if (!wire.received.toString('latin1').startsWith('HTTP/1.1 101 ')) throw new Error(wire.received.toString('latin1'))
    return wire
  }

  write (bytes) {
    this.socket.write(bytes)
  }

  /** The server's frames so far: `{ opcode, payload }`. */
  get frames () {
    const frames = []
    let at = this.received.indexOf('\r\n\r\n') + 4
    const bytes = this.received
    while (at + 2 <= bytes.length) {
      let length = bytes[at + 1] & 0x7f
      let body = at + 2
      if (length === 126) {
        if (body + 2 > bytes.length) break
        length = bytes.readUInt16BE(body)
        body += 2
      } else if (length === 127) {
        if (body + 8 > bytes.length) break
        length = Number(bytes.readBigUInt64BE(body))
        body += 8
      }
      if (body + length > bytes.length) break
      frames.push({ opcode: bytes[at] & 0x0f, fin: (bytes[at] & 0x80) !== 0, payload: bytes.subarray(body, body + length) })
      at = body + length
    }
    return frames
  }

  /** Waits for the server's close frame and returns its code; 1006 where the connection ends without one. */
  async closeCode (deadlineMs) {
    return until(() => {
      const close = this.frames.find(({ opcode }) => opcode === 8)
      if (close !== undefined) return close.payload.length >= 2 ? close.payload.readUInt16BE(0) : 1005
      return this.ended ? 1006 : undefined
    }, 'a close frame', deadlineMs)
  }
}
