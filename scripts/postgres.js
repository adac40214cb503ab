// A PostgreSQL of one's own, as tests/support/postgres.rs has it: the same shell keeps it, as an unprivileged
// user, and ends it when this process ends, however it does. Here it syncs, as one that people run does.
'use strict'
const { execFile, execFileSync, spawn } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { createInterface } = require('node:readline')
const { promisify } = require('node:util')
const { childrenOf, cpuOf, freePort, refuse } = require('./measure.js')

const KEEPER = path.join(__dirname, '../tests/support/postgres.sh')
const PACKAGED = '/usr/lib/postgresql'
/** The shell sets the first two off, and the last word counts. */
const SETTINGS = ['fsync=on', 'full_page_writes=on', 'shared_buffers=128MB']

/** Where its programs are: Debian has them in no path. */
function programs() {
  const versions = fs.existsSync(PACKAGED) ? fs.readdirSync(PACKAGED).sort().reverse() : []
  const places = [...versions.map(version => path.join(PACKAGED, version, 'bin')), ...process.env.PATH.split(path.delimiter)]
  const isWhole = place => ['initdb', 'postgres', 'pg_isready', 'psql'].every(name => fs.existsSync(path.join(place, name)))
  return places.find(isWhole) ?? refuse('PostgreSQL is missing; on Debian: apt-get install postgresql')
}

/** A server that runs. */
async function postgres() {
  const bin = programs()
  const port = await freePort()
  // It refuses to run as root.
  const asNobody = process.getuid() === 0 ? ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups'] : []
  const [command, ...words] = [...asNobody, 'sh', '-c', fs.readFileSync(KEEPER, 'utf8')]
  const settings = SETTINGS.map(setting => `-c ${setting}`).join(' ')
  const env = { ...process.env, BIN: bin, PORT: port, PREPARE: 'true', SETTINGS: settings }
  // Not among those that are killed at the end: it ends when its input does, and takes its directory along.
  const keeper = spawn(command, words, { env, stdio: ['pipe', 'pipe', 'inherit'] })
  keeper.on('error', error => refuse(`${command}: ${error.message}`))
  const ended = new Promise(done => keeper.on('close', done))
  const first = new Promise(done => createInterface({ input: keeper.stdout }).once('line', done))
  const directory = await Promise.race([first, ended])
  if (typeof directory !== 'string') refuse('PostgreSQL did not start')
  const asked = sql => [path.join(bin, 'psql'), [
    '-X', '-q', '-t', '-A', '-v', 'ON_ERROR_STOP=1', '-U', 'owner', '-d', 'postgres', '-h', directory, '-p', String(port), '-c', sql,
  ], { env: { ...process.env, PGOPTIONS: '-c client_min_messages=warning' } }]
  const ask = sql => execFileSync(...asked(sql)).toString().trim()
  const pid = Number(fs.readFileSync(path.join(directory, 'data/postmaster.pid'), 'utf8').split('\n')[0])
  return {
    version: ask('SHOW server_version').split(' ')[0],
    url: schema => `postgres://owner:geheim@127.0.0.1:${port}/postgres?schema=${schema}`,
    ask,
    /** The same, of which several may be on their way. */
    run: sql => promisify(execFile)(...asked(sql)),
    /** Seconds of CPU so far, of all its processes that live. */
    cpu: () => [pid, ...childrenOf(pid)].reduce((sum, one) => sum + cpuOf(one), 0),
    /** Where its log of changes ends, in bytes. */
    wal: () => Number(ask("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")),
    end: () => {
      keeper.stdin.end()
      return ended
    },
  }
}

module.exports = { postgres }
