// A boardwire process under test: started on a free port with a data file of its own, killed by its own pid
// whatever happens.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SECRET } from './token.mjs'
import { until, within } from './wait.mjs'

const here = fileURLToPath(new URL('..', import.meta.url))

/** The binary under test: BOARDWIRE_BIN, relative to the working directory, or the debug build of this repository. */
export const BINARY = process.env.BOARDWIRE_BIN ? resolve(process.env.BOARDWIRE_BIN) : resolve(here, '../../target/debug/boardwire')

const started = new Set()
process.on('exit', () => {
  for (const server of started) server.dispose()
})
// The test runner ends a file that takes too long by a signal, past the event above.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

/** One data file, and the processes that serve it one after another. */
export class Server {
  constructor (flags = {}) {
    this.flags = flags
    /** What is started: an older program, in tests of updates. */
    this.binary = BINARY
    this.directory = mkdtempSync(join(tmpdir(), 'boardwire-node-'))
    this.data = join(this.directory, 'boards.redb')
    this.child = null
    this.port = 0
    this.log = ''
    started.add(this)
  }

  /** Starts a server that lives until the test `t` ends; without one the caller disposes of it. */
  static async start (flags, t) {
    const server = new Server(flags)
    t?.after(() => server.dispose())
    return server.up()
  }

  get #arguments () {
    const list = ['serve', '--listen', `127.0.0.1:${this.port}`, '--jwt-secret', SECRET, '--log-format', 'json']
    if (this.flags.store === undefined) list.push('--data', this.data)
    for (const [name, value] of Object.entries(this.flags)) {
      for (const one of [value].flat()) list.push(`--${name}`, ...(one === true ? [] : [String(one)]))
    }
    return list
  }

  /** Starts the process and waits until it accepts: on a free port, and after a restart on the same, so that clients find it again. */
  async up () {
    const log = this.log.length
    const child = spawn(this.binary, this.#arguments, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.child = child
    this.exit = new Promise(resolve => {
      child.on('error', error => resolve({ error }))
      child.on('close', (code, signal) => resolve({ code, signal }))
    })
    let ended = null
    this.exit.then(how => { ended = how })
    const read = chunk => { this.log += chunk }
    child.stdout.setEncoding('utf8').on('data', read)
    child.stderr.setEncoding('utf8').on('data', read)
    const listen = await until(() => {
      if (ended !== null) throw new Error(`${this.binary} did not start: ${ended.error ?? `${ended.code} ${ended.signal}`}\n${this.log.slice(log)}`)
      return /"listen":"([^"]+)"/.exec(this.log.slice(log))
    }, () => `the server's address in its log:\n${this.log.slice(log)}`)
    const at = listen[1].lastIndexOf(':')
    this.host = listen[1].slice(0, at)
    this.port = Number(listen[1].slice(at + 1))
    return this
  }

  /** The base URL that a provider appends the board to. */
  get ws () {
    return `${this.isSecure ? 'wss' : 'ws'}://${this.host}:${this.port}/ws/canvas`
  }

  /** The base URL of HTTP calls. */
  get http () {
    return `${this.isSecure ? 'https' : 'http'}://${this.host}:${this.port}`
  }

  /** Whether it speaks TLS. */
  get isSecure () {
    return this.flags['tls-cert'] !== undefined
  }

  signal (name) {
    this.child.kill(name)
  }

  /** Ends the process as a platform does, and returns how it went. */
  async stop (deadlineMs = 15_000) {
    this.signal('SIGTERM')
    return within(this.exit, deadlineMs, `the exit after SIGTERM; log:\n${this.log.slice(-4000)}`)
  }

  /** Kills the process at once, as a power cut would, and waits until it is gone. */
  async kill () {
    this.signal('SIGKILL')
    return within(this.exit, 5_000, 'the exit after SIGKILL')
  }

  /** The answer of /health. */
  async health () {
    const answer = await fetch(this.http + '/health', { signal: AbortSignal.timeout(5_000) })
    return answer.json()
  }

  /** Bytes of the data file. */
  get dataBytes () {
    return statSync(this.data).size
  }

  /** The last lines of the log, for messages of failed checks. */
  get tail () {
    return this.log.slice(-2000)
  }

  /** Kills what runs and removes the files. May be called again. */
  dispose () {
    if (this.child !== null && this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
    started.delete(this)
  }
}
