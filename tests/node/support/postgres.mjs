// A PostgreSQL of one's own, as tests/support/postgres.rs has it: the same shell keeps it, as an unprivileged
// user, and ends it when this process ends, however it does.
import { execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import net from 'node:net'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { within } from './wait.mjs'

const KEEPER = readFileSync(fileURLToPath(new URL('../../support/postgres.sh', import.meta.url)), 'utf8')
const PACKAGED = '/usr/lib/postgresql'
const run = promisify(execFile)

// Debian has the server's programs in no path.
function programs () {
  const packaged = existsSync(PACKAGED) ? readdirSync(PACKAGED).sort().reverse().map(version => join(PACKAGED, version, 'bin')) : []
  const isWhole = path => ['initdb', 'postgres', 'pg_isready', 'psql'].every(program => existsSync(join(path, program)))
  const found = [...packaged, ...process.env.PATH.split(delimiter)].find(isWhole)
  if (found === undefined) throw new Error('PostgreSQL is missing: apt-get install postgresql')
  return found
}

/** A port of loopback that nobody listens on. */
export const freePort = () => new Promise((resolve, reject) => {
  const listener = net.createServer().on('error', reject).listen(0, '127.0.0.1', () => {
    const { port } = listener.address()
    listener.close(() => resolve(port))
  })
})

/** A server; it lives until `dispose`, or until this process ends. `settings` are words for it: `fsync=on`. */
export class Postgres {
  static async start ({ settings = [] } = {}) {
    const server = new Postgres()
    server.bin = programs()
    server.port = await freePort()
    // It refuses to run as root.
    const asNobody = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups']
    const [program, ...args] = [...(process.getuid() === 0 ? asNobody : []), 'sh', '-c', KEEPER]
    const env = { ...process.env, BIN: server.bin, PORT: server.port, PREPARE: 'true', SETTINGS: settings.map(setting => `-c ${setting}`).join(' ') }
    server.keeper = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'inherit'] })
    server.exit = new Promise(resolve => server.keeper.on('close', resolve))
    const lines = createInterface({ input: server.keeper.stdout })
    const first = new Promise(resolve => lines.once('line', resolve))
    server.directory = await within(Promise.race([first, server.exit]), 60_000, 'PostgreSQL')
    if (typeof server.directory !== 'string') throw new Error('PostgreSQL did not start')
    return server
  }

  /** How its owner reaches it; `schema` is made where it is missing. */
  url (schema) {
    return `postgres://owner:geheim@127.0.0.1:${this.port}/postgres?schema=${schema}`
  }

  /** Asks it something as its owner: the rows, each a list of texts. */
  async ask (sql) {
    const args = ['-X', '-q', '-t', '-A', '-v', 'ON_ERROR_STOP=1', '-U', 'owner', '-d', 'postgres', '-h', this.directory, '-p', String(this.port), '-c', sql]
    const { stdout } = await run(join(this.bin, 'psql'), args, { maxBuffer: 1 << 28 })
    return stdout.split('\n').filter(line => line !== '').map(line => line.split('|'))
  }

  async dispose () {
    this.keeper.stdin.end()
    await within(this.exit, 15_000, 'the end of PostgreSQL')
  }
}
