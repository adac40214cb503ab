// A pair of clients on a board that nobody attacks: one changes it ten times a second, the other takes the
// time until it hears of it. A process of its own with normal priority. Latency counts from when a change was
// due, so that a stall counts for all who wait in it; what has not come by the end counts with the time it
// has waited.
import { tokenFor } from '../node/support/token.mjs'
import { until } from '../node/support/wait.mjs'
import { KIND, message, update } from './support/bytes.mjs'
import { Peer } from './support/peer.mjs'

const EVERY_MS = 100
const BOARD = 'probed'
/** How long an answer is waited for after the attack. */
const PATIENCE_MS = 15_000

const server = JSON.parse(process.argv[2])
const client = 1 + Math.floor(Math.random() * 2 ** 31)
const due = []
const heard = []

/** The clock of the only struct of a change by `client`; every relay is one. */
function clockOf (payload) {
  if (payload[0] !== 0 || payload[1] !== 2) return null
  let at = 2
  const number = () => {
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = payload[at++]
      value += (byte & 0x7f) * scale
      if (!(byte & 0x80)) return value
    }
  }
  const [, sections, , author, clock] = [number(), number(), number(), number(), number()]
  return sections === 1 && author === client ? clock : null
}

const token = tokenFor(BOARD, { sub: 'probe', level: 'edit' })
const writer = await Peer.open(server, BOARD, { token })
const reader = await Peer.open(server, BOARD, {
  token,
  hear: payload => {
    const clock = clockOf(payload)
    if (clock !== null) heard[clock] ??= performance.now()
  }
})

function change (at) {
  const clock = due.push(at) - 1
  writer.send(message.update(update([{
    client,
    clock,
    count: 1,
    build: bytes => (clock === 0 ? bytes.first(KIND.any, 'probes') : bytes.after(KIND.any, client, clock - 1)).number(1).byte(125).byte(1)
  }])))
}

let next = performance.now()
;(function beat () {
  change(next)
  next += EVERY_MS
  setTimeout(beat, Math.max(0, next - performance.now()))
})()

await until(() => heard.length > 2, () => `the probes to hear each other; ${writer.state}, ${reader.state}`)
process.send({ ready: true })

let from = 0
process.on('message', async what => {
  if (what === 'begin') {
    from = due.length
    return
  }
  const end = due.length
  const all = () => {
    for (let clock = from; clock < end; clock++) if (heard[clock] === undefined) return false
    return true
  }
  await until(() => all() || writer.how || reader.how, 'the answers', PATIENCE_MS).catch(() => {})
  const now = performance.now()
  const latencies = due.slice(from, end).map((at, i) => (heard[from + i] ?? now) - at)
  const missing = due.slice(from, end).filter((_, i) => heard[from + i] === undefined).length
  process.send({ latencies, missing, states: [writer.state, reader.state] })
})
process.on('disconnect', () => process.exit(0))
