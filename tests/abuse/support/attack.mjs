// What an attack is given while it runs: whom to attack, for how long, the few calls that most of them make,
// and a place to note what became of it. Must not know the probes or the verdict.
import { setImmediate } from 'node:timers/promises'
import { mint, tokenFor } from '../../node/support/token.mjs'
import { pause } from '../../node/support/wait.mjs'
import { call, Peer, pour } from './peer.mjs'

/** Who owns all that attacks store: the bytes of this user's boards do not count as taken by the attack. */
export const ATTACKER = 'mallory'

export class On {
  #end = Infinity
  #over = null

  constructor (server) {
    this.server = server
    this.outcomes = {}
  }

  /** From now on it counts, for `ms` milliseconds. */
  begin (ms) {
    this.#end = performance.now() + ms
    this.#over = pause(ms)
  }

  get running () {
    return performance.now() < this.#end
  }

  /** Milliseconds that are left. */
  get left () {
    return Math.max(0, this.#end - performance.now())
  }

  /** Notes one outcome: words that stand in the attack's `must` or `may`. */
  note (outcome) {
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1
  }

  /** Waits until the time is up. */
  over () {
    return this.#over
  }

  /** Writes `next()`, whatever it gives each time, as fast as the server reads, until the time is up or the connection gone. */
  async flood (socket, next) {
    while (this.running && !socket.destroyed) {
      await Promise.race([pour(socket, next()), this.#over])
      // Others of this process have their turn, and what the server says is read.
      await setImmediate()
    }
  }

  /** Runs `act(i)` for each i below `count` side by side, again and again until the time is up. */
  async loop (count, act) {
    await Promise.all(Array.from({ length: count }, async (_, i) => {
      while (this.running) {
        await act(i)
        await setImmediate()
      }
    }))
  }

  /** Makes a board of the attacker's, with `update` in it where one is given. Throws where it is not taken. */
  async board (board, update) {
    const made = await call(this.server, 'POST', '/v1/boards', { token: this.owner, body: { id: board }, headers: { 'Content-Type': 'application/json' } })
    if (made.status !== 201) throw new Error(`board ${board}: ${made.status} ${made.text}`)
    if (update === undefined) return
    const status = await this.upload(board, update)
    if (status !== 204) throw new Error(`content of ${board}: ${status}`)
  }

  /** The token of the attacker, who owns the boards. */
  get owner () {
    return (this.minted ??= mint({ sub: ATTACKER }))
  }

  /** Posts an update, and returns the status. */
  async upload (board, update, ms = 60_000) {
    return (await call(this.server, 'POST', `/v1/boards/${board}/document`, { token: this.owner, body: update, ms })).status
  }

  /** Reads something of a board, and returns the status. */
  async read (board, what, ms) {
    return (await call(this.server, 'GET', `/v1/boards/${board}/${what}`, { token: this.owner, ms })).status
  }

  /** A connection of a stranger who may only look, or of one who may edit; waits until it is there. */
  join (board, level = 'view', { sub = 'stranger', ...options } = {}) {
    return Peer.open(this.server, board, { token: tokenFor(board, { sub, level }), ...options })
  }

  /** `count` connections at once, each of another user: a bound on what one may do must not be all that holds. */
  crowd (count, board, level) {
    return Promise.all(Array.from({ length: count }, (_, i) => this.join(board, level, { sub: `stranger-${i}` })))
  }

  /** Notes how each connection stands. */
  noteAll (peers, who = '') {
    for (const peer of peers) this.note(who + peer.state)
  }
}

