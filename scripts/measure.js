// What scripts that measure share: servers and the generator as processes, system calls as strace
// counts them, the median. All that was started ends with the script, by number, and nothing is left behind.
'use strict'
const { spawn, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')

const SENDS = ['sendto', 'sendmsg', 'sendmmsg', 'writev']

/** The two shapes that are measured: whom a server has, and updates a second of each board. */
const SHAPES = {
  '1 x 50': { boards: 1, clients: 50, rate: 20 },
  '50 x 4': { boards: 50, clients: 4, rate: 10 },
}
/** Of each shape: who writes when the most is looked for, and the rate that it begins with. */
const MOST = { '1 x 50': { writers: '5', from: '16000' }, '50 x 4': { writers: '1', from: '1000' } }
const spread = ({ boards, clients }) => ['--boards', String(boards), '--clients', String(clients)]

const env = { ...process.env, BOARDWIRE_JWT_SECRET: 'only-for-measuring-on-this-machine-0123456789' }

function refuse(text) {
  console.error(`scripts/${path.basename(process.argv[1])}: ${text}`)
  process.exit(2)
}

const has = tool => spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0
const sleep = ms => new Promise(done => setTimeout(done, ms))

function cargo(...args) {
  const built = spawnSync('cargo', args, { stdio: 'inherit' })
  if (built.status !== 0) refuse('the build failed')
}

function targetDirectory() {
  const metadata = spawnSync('cargo', ['metadata', '--locked', '--no-deps', '--format-version', '1'])
  if (metadata.status !== 0) refuse(`cargo metadata: ${metadata.error?.message ?? metadata.stderr}`)
  return JSON.parse(metadata.stdout).target_directory
}

// ---- processes ----

const running = new Set()
const directories = []
function cleanUp() {
  for (const child of running) {
    // A tracer that is killed lets its server live.
    for (const pid of childrenOf(child.pid)) process.kill(pid, 'SIGKILL')
    child.kill('SIGKILL')
  }
  for (const directory of directories) fs.rmSync(directory, { recursive: true, force: true })
}
process.on('exit', cleanUp)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

function childrenOf(pid) {
  try {
    return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** A directory that is gone when the script ends. */
function scratch(under, name) {
  const directory = fs.mkdtempSync(path.join(under, `${name}-`))
  directories.push(directory)
  return directory
}

function start([command, ...args], settings = {}) {
  const child = spawn(command, args, settings)
  running.add(child)
  // Only then is all read that it printed.
  child.ended = new Promise(done => child.on('close', (code, signal) => {
    running.delete(child)
    done(code ?? signal)
  }))
  child.on('error', error => refuse(`${command}: ${error.message}`))
  return child
}

/** Ends what was started; `pid` where it is the child of a tracer. */
async function stop(child, pid = child.pid) {
  if (running.has(child)) process.kill(pid, 'SIGTERM')
  const late = setTimeout(() => process.kill(pid, 'SIGKILL'), 15_000)
  await child.ended
  clearTimeout(late)
}

function freePort() {
  return new Promise(done => {
    const server = net.createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => done(port))
    })
  })
}

/** Waits until a server listens; a sentence where it does not. */
async function unheard(port, child, { seconds = 5, every = 25 } = {}) {
  for (const until = Date.now() + seconds * 1000; Date.now() < until;) {
    if (!running.has(child)) return 'a server ended before it listened'
    const open = await new Promise(done => {
      const socket = net.connect(port, '127.0.0.1', () => done(true))
      socket.on('error', () => done(false))
      socket.on('connect', () => socket.destroy())
    })
    if (open) return undefined
    await sleep(every)
  }
  return `a server did not listen within ${seconds} seconds`
}

async function listening(port, child, seconds) {
  const why = await unheard(port, child, { seconds })
  if (why) refuse(why)
}

// ---- servers and the generator ----

function token(bin) {
  const made = spawnSync(bin, ['token', '--sub', 'load', '--role', 'admin'], { env })
  if (made.status !== 0) refuse(`${bin} token: ${made.error?.message ?? made.stderr}`)
  return made.stdout.toString().trim()
}

/** How a server is started that nothing but its threads holds back; without `data` its store is set elsewhere. */
function serveWords(bin, { port, data, threads }) {
  const store = data ? ['--data', path.join(data, 'b.redb')] : []
  return [bin, 'serve', '--listen', `127.0.0.1:${port}`, ...store, '--threads', String(threads),
    '--max-messages-per-second', '1000000', '--log-level', 'error']
}

const roomUrl = port => `ws://127.0.0.1:${port}/ws/canvas/{room}?token={token}`

/** Runs a scenario to its end: the figures that it found and its warnings, or undefined where it failed. */
async function generate(words, token = '') {
  const load = start([...words, '--json', '-', '--quiet'],
    { env: { ...process.env, BOARDWIRE_LOAD_TOKEN: token }, stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  load.stdout.on('data', data => { text += data })
  if (await load.ended !== 0) return undefined
  const { figures, warnings } = JSON.parse(text)
  return { ...figures, warnings }
}

/** A number of a file of /proc/PID, or undefined where the process is gone. */
function ofProcess(pid, file, name) {
  try {
    return Number(fs.readFileSync(`/proc/${pid}/${file}`, 'utf8').match(new RegExp(`^${name}:\\s*(\\d+)`, 'm'))[1])
  } catch {
    return undefined
  }
}
const memoryOf = pid => 1024 * ofProcess(pid, 'smaps_rollup', 'Anonymous')
const writtenOf = pid => ofProcess(pid, 'io', 'write_bytes')

/** Seconds of CPU of a process's threads that live, as the scheduler counts them. */
function cpuOf(pid) {
  try {
    const tasks = fs.readdirSync(`/proc/${pid}/task`)
    return tasks.reduce((sum, task) =>
      sum + Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e9, 0)
  } catch {
    return 0
  }
}

/** Lines of cells as a table of Markdown, aligned; the first `left` columns to the left. */
function markdown(lines, left) {
  const widths = lines[0].map((_, column) => Math.max(3, ...lines.map(line => line[column].length)))
  const padded = line => line.map((cell, at) => at < left ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))
  const rule = widths.map((width, at) => '-'.repeat(at < left ? width : width - 1) + (at < left ? '' : ':'))
  return [lines[0], rule, ...lines.slice(1)].map(line => `| ${padded(line).join(' | ').trimEnd()} |`)
}

/** A number as people read it. */
function shown(value) {
  if (value === undefined || !Number.isFinite(value)) return '-'
  if (value === 0 || value >= 100) return Math.round(value).toLocaleString('en-US')
  if (value >= 10) return value.toFixed(1)
  return value >= 0.1 || value < 0 ? value.toFixed(2) : value.toPrecision(2)
}

/** What of a report must not be: each as a name and a number. */
const wrongs = found => ['lost', 'repeated', 'disordered', 'unknown', 'asked_again', 'denied', 'closed']
  .filter(name => found[name]).map(name => `${name} ${found[name]}`)

/** System calls that strace counted, but for the sends themselves. */
function otherCalls(file) {
  const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : ''
  let calls = 0
  for (const line of text.split('\n')) {
    const row = line.match(/^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$/)
    if (row && row[2] !== 'total' && !SENDS.includes(row[2])) calls += Number(row[1])
  }
  return calls
}

const median = numbers => {
  const sorted = numbers.filter(Number.isFinite).sort((a, b) => a - b)
  return sorted.length ? sorted[Math.floor((sorted.length - 1) / 2)] : undefined
}

module.exports = {
  MOST, SHAPES, cargo, childrenOf, cpuOf, env, freePort, generate, has, listening, markdown, median, memoryOf, otherCalls,
  refuse, roomUrl, scratch, serveWords, shown, sleep, spread, start, stop, targetDirectory, token, unheard, writtenOf, wrongs,
}
