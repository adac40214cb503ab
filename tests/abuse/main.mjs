// Runs the attacks one after the other, each against a server of its own, prints a line for each and says
// whether all held. Usage: node main.mjs [--short] [--list] [name or row]... ; README.md says what is
// measured and how.
import { fork } from 'node:child_process'
import os from 'node:os'
import { pause, until } from '../node/support/wait.mjs'
import { BINARY, Server } from '../node/support/server.mjs'
import { mint } from '../node/support/token.mjs'
import { attacks, canary } from './attacks/index.mjs'
import { ATTACKER } from './support/attack.mjs'
import { call } from './support/peer.mjs'
import { BOUNDS, faults } from './support/verdict.mjs'
import { forgetPeak, memory, quantile } from './support/watch.mjs'

const MIB = 2 ** 20
const PREPARE_MS = 120_000
/** The least time that the probes measure, also where an attack is over at once. */
const MEASURED_MS = 1_000

const options = process.argv.slice(2).filter(word => word.startsWith('--'))
const wanted = process.argv.slice(2).filter(word => !word.startsWith('--'))
const isShort = options.includes('--short')
const strange = options.find(option => !['--short', '--list'].includes(option)) ??
  wanted.find(word => !attacks.some(({ name, row }) => word === name || word === String(row)))
if (strange !== undefined) {
  console.error(`scripts/abuse: ${strange} is no attack and no option; --list tells the attacks`)
  process.exit(2)
}
if (options.includes('--list')) {
  for (const { row, name, about } of attacks) console.log(`${String(row).padEnd(6)} ${name.padEnd(28)} ${about}`)
  process.exit(0)
}
const LONG_MS = 10_000
const ms = isShort ? 2_000 : LONG_MS
// An unoptimised build, and so few changes that p99 is the worst of them.
const bounds = isShort ? { ...BOUNDS, p99: 500 } : BOUNDS

/** A child process that speaks by messages; `next(name)` waits for one that has it. */
function child (file, ...parts) {
  const process = fork(new URL(file, import.meta.url), parts, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const said = {}
  let gone = false
  process.on('message', what => Object.assign(said, what))
  process.on('exit', () => { gone = true })
  process.on('error', () => { gone = true })
  return {
    said,
    send: what => process.connected && process.send(what, () => {}),
    next: (name, deadlineMs) => until(() => said[name] ?? (said.failed || gone ? 'gone' : undefined), `${file}: ${name}`, deadlineMs),
    end: () => { if (!gone) process.kill('SIGKILL') }
  }
}

/** Bytes of the boards that the attacker owns, in MiB; `null` where the server does not say. */
async function boardBytes (server) {
  const answer = await call(server, 'GET', '/v1/boards?limit=500', { token: mint({ sub: ATTACKER }), ms: 10_000 })
  if (answer.status !== 200) return null
  return JSON.parse(answer.text).items.reduce((sum, board) => sum + board.size_bytes, 0) / MIB
}

async function connections (server) {
  const answer = await call(server, 'GET', '/health', { ms: 5_000 })
  return answer.status === 200 ? JSON.parse(answer.text).connections : `nobody knows how many, since /health says ${answer.status}`
}

/** Waits until memory and connections are as before, and notes how long that took. */
async function giveBack (server, seen, before) {
  const begun = performance.now()
  let left
  for (;;) {
    left = await connections(server)
    seen.after = memory(server.child.pid).now
    seen.back = (performance.now() - begun) / 1000
    const held = seen.after - before - seen.boards
    if (left === 2 && held <= bounds.slack) return
    if (seen.back > bounds.back) {
      seen.notBack = `not given back after ${bounds.back} s: ${Math.round(held)} MiB beside the boards (${bounds.slack} may be), ${left} connections (the probes are 2)`
      return
    }
    await pause(100)
  }
}

/** The attack itself, from the moment that everything is prepared. */
async function measure (server, attack, ms, attacker, probes, seen) {
  const before = memory(server.child.pid).now
  if (await attacker.next('ready', PREPARE_MS) === 'gone') throw new Error(`it could not be prepared: ${attacker.said.failed ?? 'its process ended'}`)
  forgetPeak(server.child.pid)
  probes.send('begin')
  const end = performance.now() + MEASURED_MS
  attacker.send({ ms })
  await attacker.next('outcomes', ms + 60_000)
  if (attacker.said.failed !== undefined) throw new Error(attacker.said.failed)
  await pause(Math.max(0, end - performance.now()))
  probes.send('end')
  await probes.next('latencies', 60_000)
  Object.assign(seen, { outcomes: attacker.said.outcomes, missing: probes.said.missing, states: probes.said.states })
  const { latencies = [] } = probes.said
  for (const [name, q] of [['p50', 0.5], ['p99', 0.99], ['worst', 1]]) seen[name] = quantile(latencies, q)
  seen.boards = await boardBytes(server) ?? 0
  seen.peak = memory(server.child.pid).peak
  seen.beside = seen.peak - before - seen.boards
  attacker.end()
  await giveBack(server, seen, before)
}

async function run (attack, ms) {
  const seen = {}
  const server = new Server(attack.flags)
  let probes, attacker
  try {
    await server.up()
    const at = JSON.stringify({ host: server.host, port: server.port, pid: server.child.pid, isSecure: server.isSecure })
    probes = child('probes.mjs', at)
    if (await probes.next('ready') === 'gone') throw new Error('the probes did not come up')
    attacker = child('attacker.mjs', attack.name, at)
    const died = server.exit.then(({ code, signal }) => { throw new Error(`the server died: ${signal ?? code}`) })
    await Promise.race([measure(server, attack, ms, attacker, probes, seen), died])
    const stopped = await server.stop(30_000)
    if (stopped.code !== 0) seen.died = `at its stop: ${stopped.signal ?? stopped.code}`
  } catch (error) {
    seen.failed ??= error.message
  } finally {
    attacker?.end()
    probes?.end()
    server.dispose()
  }
  const errors = server.log.split('\n').filter(line => line.includes('"level":"ERROR"'))
  return { ...seen, errors: errors.length, error: errors[0]?.slice(0, 300) }
}

const COLUMNS = [['p50', 5], ['p99', 6], ['worst', 6], ['peak', 6], ['boards', 6], ['beside', 6], ['after', 6], ['back', 5]]

function print (attack, seen, wrong) {
  const figures = COLUMNS.map(([name, width]) => {
    const value = seen[name]
    return (value === undefined || Number.isNaN(value) ? '-' : name === 'back' ? value.toFixed(1) : Math.round(value).toString()).padStart(width)
  })
  const outcomes = Object.entries(seen.outcomes ?? {}).map(([outcome, count]) => `${count} ${outcome}`).join(', ')
  console.log(`${wrong.length === 0 ? 'ok  ' : 'FAIL'} ${String(attack.row).padEnd(5)} ${attack.name.padEnd(24)} ${figures.join(' ')}  ${outcomes}`)
  for (const words of wrong) console.log(`     - ${words}`)
}

const chosen = attacks.filter(attack => wanted.length === 0
  ? !(isShort && attack.isLong)
  : wanted.includes(attack.name) || wanted.includes(String(attack.row)))
console.log(`${BINARY}, ${chosen.length} attacks of ${ms / 1000} s each; latency in ms (p99 at most ${bounds.p99}), memory in MiB (at most ${bounds.beside} beside the boards), back in s`)
if (os.loadavg()[0] > os.availableParallelism()) console.log(`this machine is busy (load ${os.loadavg()[0].toFixed(1)}): latencies may not be the server's, see row 0`)
console.log(`     row   ${'attack'.padEnd(24)} ${COLUMNS.map(([name, width]) => name.padStart(width)).join(' ')}  what became of it`)
const alarm = faults(canary, await run(canary, ms), bounds)
if (alarm.length !== 1 || !alarm[0].startsWith('p99')) {
  console.error(`scripts/abuse: the server stood still for 0.9 s, and what was noticed is: ${alarm.join('; ') || 'nothing'}`)
  process.exit(1)
}
let failed = 0
for (const attack of chosen) {
  let seen = await run(attack, ms)
  let wrong = faults(attack, seen, bounds)
  if (isShort && wrong.length > 0) {
    print(attack, seen, [...wrong, `once more, for ${LONG_MS / 1000} s, and that counts`])
    seen = await run(attack, LONG_MS)
    wrong = faults(attack, seen, bounds)
  }
  if (wrong.length > 0) failed++
  print(attack, seen, wrong)
}
console.log(failed === 0 ? `scripts/abuse: all ${chosen.length} attacks held off` : `scripts/abuse: ${failed} of ${chosen.length} attacks did harm`)
process.exit(failed === 0 ? 0 : 1)
