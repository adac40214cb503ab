// One connection of an attacker or a probe: a WebSocket over a bare socket, or one HTTP call. It holds almost
// nothing of what it reads, and can stop reading. (`Wire` of tests/node/support keeps all it reads, and `Raw`
// needs packages.) Must not know what an attack is.
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import tls from 'node:tls'
import { pause, within } from '../../node/support/wait.mjs'
import { frame, message } from './bytes.mjs'

// Of larger messages only the first bytes are looked at.
const KEPT_BYTES = 64 * 1024

/** The connections to servers that are open; an attacker ends them all when it is done. */
const open = new Set()

/** Ends every connection of this process. */
export function hangUp () {
  for (const socket of open) socket.destroy()
}

/** A socket to the server, from `localAddress` where one is given; over TLS where the server speaks it, whoever that is. */
export function dial (server, localAddress) {
  const to = { host: server.host, port: server.port, localAddress }
  return kept(server.isSecure ? tls.connect({ ...to, rejectUnauthorized: false }) : net.connect(to))
}

/** A bare socket, whatever the server speaks. */
export function dialBare (server) {
  return kept(net.connect({ host: server.host, port: server.port }))
}

function kept (socket) {
  socket.on('error', () => {})
  open.add(socket)
  socket.on('close', () => open.delete(socket))
  return socket
}

/** Writes, and waits until the bytes are on their way, so that a server which does not read stops us too. False once the socket is closed. */
export function pour (socket, bytes) {
  if (socket.destroyed || !socket.writable) return false
  if (socket.write(bytes)) return true
  return new Promise(resolve => {
    const settle = () => {
      socket.off('drain', settle)
      socket.off('close', settle)
      resolve(!socket.destroyed)
    }
    socket.on('drain', settle)
    socket.on('close', settle)
  })
}

/** The head of a request by hand. */
export const head = (server, method, path, headers = {}) =>
  [`${method} ${path} HTTP/1.1`, `Host: ${server.host}:${server.port}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')

const UPGRADE = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': 13, 'Sec-WebSocket-Key': 'YWJ1c2UgYWJ1c2UgYWJ1cw==' }

/** The first frame in `bytes`: where its payload starts, how long it is; `null` where the head is not whole. */
function parseHead (bytes) {
  if (bytes.length < 2) return null
  const short = bytes[1] & 0x7f
  const start = short < 126 ? 2 : short === 126 ? 4 : 10
  if (bytes.length < start) return null
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  return { opcode: bytes[0] & 0x0f, start, length }
}

/** A WebSocket client. */
export class Peer {
  /** Calls `hear(payload)` for each message; of one over 64 KiB with its first bytes only. */
  constructor (server, board, { token, share, localAddress, hear = () => {} }) {
    const query = token !== undefined ? `?token=${token}` : share !== undefined ? `?share=${share}` : ''
    this.how = null
    this.upgraded = false
    this.steps = 0
    this.hear = hear
    this.socket = dial(server, localAddress)
    this.ended = new Promise(resolve => this.socket.on('close', () => {
      this.how ??= 'cut'
      resolve(this.how)
    }))
    this.ready = new Promise(resolve => {
      this.isReady = resolve
      this.ended.then(resolve)
    })
    this.rest = Buffer.alloc(0)
    this.skipped = 0
    this.socket.on('data', chunk => this.#take(chunk))
    this.socket.write(head(server, 'GET', `/ws/canvas/${board}${query}`, UPGRADE))
  }

  /** Opens a connection and waits until it is upgraded or refused. */
  static async open (server, board, options) {
    const peer = new Peer(server, board, options)
    await peer.ready
    return peer
  }

  #take (chunk) {
    const passed = Math.min(this.skipped, chunk.length)
    this.skipped -= passed
    if (passed === chunk.length) return
    this.rest = this.rest.length === 0 ? chunk.subarray(passed) : Buffer.concat([this.rest, chunk])
    if (!this.upgraded && !this.#upgrade()) return
    for (;;) {
      const next = parseHead(this.rest)
      if (next === null) return
      const end = next.start + next.length
      if (this.rest.length < Math.min(end, KEPT_BYTES)) return
      this.#frame(next.opcode, this.rest.subarray(next.start, Math.min(end, KEPT_BYTES)))
      this.skipped = Math.max(0, end - this.rest.length)
      this.rest = this.rest.subarray(end)
    }
  }

  #upgrade () {
    const end = this.rest.indexOf('\r\n\r\n')
    if (end < 0) return false
    const status = this.rest.toString('latin1', 9, 12)
    if (status !== '101') {
      this.how = `status ${status}`
      this.socket.destroy()
      return false
    }
    this.rest = this.rest.subarray(end + 4)
    this.upgraded = true
    this.isReady()
    return true
  }

  #frame (opcode, payload) {
    if (opcode === 8) {
      this.how ??= `close ${payload.length >= 2 ? payload.readUInt16BE(0) : 1005}`
      this.socket.destroy()
    } else if (opcode === 9) {
      this.socket.write(frame(payload, { opcode: 10 }))
    } else if (opcode === 2) {
      if (payload[0] === 0 && payload[1] === 1) this.steps++
      this.hear(payload)
    }
  }

  /** Sends one message; false once the connection is gone. */
  send (payload, options) {
    return pour(this.socket, frame(payload, options))
  }

  /** How it stands: `close 1007`, `status 401`, `cut` (ended without a word) or `open`. */
  get state () {
    return this.how ?? 'open'
  }

  /** Waits until what was sent is answered: `open`, or how the connection ended; `no answer` after `ms`. */
  async settled (ms = 20_000) {
    const before = this.steps
    this.send(message.step1())
    const end = performance.now() + ms
    while (this.how === null && this.steps === before) {
      if (performance.now() > end) return 'no answer'
      await pause(2)
    }
    return this.state
  }

  /** Waits until the message that is coming is here to its end. */
  async taken () {
    while (this.how === null && this.skipped > 0) await pause(2)
  }

  /** Waits for the end of the connection, at most `ms`. */
  async end (ms) {
    await within(this.ended, ms).catch(() => {})
    return this.state
  }

  /** Stops reading: what is sent to it stays with the server, and in two kernel buffers. */
  stopReading () {
    this.socket.pause()
    return this
  }

  destroy () {
    this.socket.destroy()
  }
}

/** One HTTP call: `{ status, headers, text }`, of the body at most 64 KiB; status `cut` or `no answer` where there was none. */
export function call (server, method, path, { token, body, headers = {}, localAddress, ms = 20_000 } = {}) {
  return new Promise(resolve => {
    const bytes = body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body)
    const sent = (server.isSecure ? https : http).request({
      rejectUnauthorized: false,
      host: server.host,
      port: server.port,
      method,
      path,
      agent: false,
      localAddress,
      headers: { ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }), ...headers }
    }, answer => {
      const kept = []
      let length = 0
      answer.on('data', chunk => {
        length += chunk.length
        if (length <= KEPT_BYTES) kept.push(chunk)
      })
      answer.on('end', () => settle({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(kept).toString(), length }))
      answer.on('error', () => settle({ status: 'cut', headers: {}, text: '', length }))
    })
    const settle = answer => {
      clearTimeout(timer)
      resolve(answer)
    }
    const timer = setTimeout(() => {
      settle({ status: 'no answer', headers: {}, text: '', length: 0 })
      sent.destroy()
    }, ms)
    sent.on('socket', socket => {
      open.add(socket)
      socket.on('close', () => open.delete(socket))
    })
    sent.on('error', () => settle({ status: 'cut', headers: {}, text: '', length: 0 }))
    sent.end(bytes)
  })
}
