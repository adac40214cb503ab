// scripts/nodes: what it makes of planted figures (scripts/growth.js), and its short form on real nodes and a
// real PostgreSQL, of which only is looked at that it runs and that its numbers are whole.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { BINARY } from './support/server.mjs'

const require = createRequire(import.meta.url)
const { SIDES, benchmark, endSentences, forecast, measuredSection, whenSection } = require('../../scripts/growth.js')
const root = fileURLToPath(new URL('../..', import.meta.url))
const read = file => readFileSync(join(root, file), 'utf8')
const SCRIPT = join(root, 'scripts/nodes')

const near = (is, wanted) => assert.ok(Math.abs(is - wanted) < 1e-6 * Math.abs(wanted), `${is}, not ${wanted}`)

/** A delivery costs 10 us on a file, 11 on PostgreSQL, 12 of three, and 12 and 8 where it is passed on. */
function planted () {
  const of = (side, process, us) => ({
    shape: '50 x 4', side, process, round: 1,
    figures: { cpu_us_per_delivery: us, p50_ms: us, p99_ms: us, echo_p50_ms: us, echo_p99_ms: us, commits_per_second: 5, wal_bytes_per_update: 400 },
  })
  return {
    at: '2026-01-01T00:00:00Z', command: 'scripts/nodes', revision: 'abc', postgres: '15', rounds: 1, lease: '10s', boards: 1000, notes: ['one'],
    machine: { cpus: 2, model: 'M', memory_bytes: 2 ** 34, kernel: '6' }, generator: { own_cpu_share: 0.5, send_lag_p99_ms: 1 },
    fanout: [of('redb', 'owner', 10), of('one', 'owner', 11), of('local', 'owner', 12), of('forwarded', 'owner', 12), of('forwarded', 'entrance', 8)],
    commits: { one: { commits_per_second: 90 }, local: { commits_per_second: 100 } },
    busy: { boards: 100, people: 400, commits_per_second: 5, commit_ms: 2, wal_bytes_per_second: 40_000, store_cpu_share: 0.1 },
    saturate: {}, states: { wal_per_state_byte: 1 }, wal: { wal_bytes_per_second: 20e6 },
    handover: [{ signal: 'SIGTERM', boards: 1000, all_ms: 500 }, { signal: 'SIGKILL', boards: 1000, all_ms: 9000, lease_left_ms: 8000, after_lease_ms: 1000 }],
  }
}

const capacity = {
  person: { people_per_board: 4, shapes_per_board: 100, drawing_share: 0.5, updates_per_second: 2 },
  constants: { state_bytes_per_shape: 12 },
  machines: [{ cores: 1, memory_bytes: 1, people: 5 }, { cores: 1, people: 1200 }],
}

test('capacity grows with nodes, less what PostgreSQL, the hop and the fullest node take', () => {
  const of = place => forecast(planted(), capacity, place)
  near(of({ nodes: 1, share: 0, most_over_mean: 1 }).people, 1200 * 10 / 11)
  near(of({ nodes: 8, share: 0, most_over_mean: 1 }).people, 8 * 1200 * 10 / 12)
  const all = of({ nodes: 8, share: 1, most_over_mean: 2 })
  near(all.people, 8 * 1200 * 10 / 20 / 2)
  near(all.hop, 8 / 20)
  near(all.shares.commits, 8 * 5 / 100)
  near(all.shares.CPU, all.people / 400 * 0.1 / 2)
  // The updates of 400 people are 40 kB a second; each board of four is written whole every half a minute.
  near(all.wal, all.people * 100 + all.people / 4 / 30 * 1200)
})

test('what ends it first is that of which the nodes take the largest part', () => {
  const at = most => {
    const one = forecast({ ...planted(), ...most }, capacity, { nodes: 8, share: 0, most_over_mean: 1 })
    return endSentences({ hash: one, any: one })
  }
  // A full node has 1000 people: 0.25 of two cores, 5 of 100 commits, 110 kB/s.
  assert.match(at({}), /^\*\*What ends it first is the store's CPU\*\*, .* at about 8 full nodes; its commits would at about 20 full nodes, its WAL would at about 182 full nodes\./)
  assert.match(at({ wal: { wal_bytes_per_second: 0.5e6 } }), /the store's WAL\*\*, .* at about 5 full nodes/)
  assert.match(at({ commits: { one: { commits_per_second: 2 }, local: { commits_per_second: 1 } } }), /the store's commits\*\*, .* at less than one full node/)
})

test('a figure of docs/benchmarks.md is found in the table of figures, not in that of ratios', () => {
  const text = '|  | better | times | boardwire |\n| --- | --- | --- | --- |\n| a | less | bare | 2 x |\n\n|  | bare | boardwire |\n| --- | --- | --- |\n| a | 1 us | 2 us |\n'
  assert.equal(benchmark(text, 'a'), '2 us')
  assert.throws(() => benchmark(text, 'b'), /no row "b"/)
})

test('docs/nodes.md has what the script writes, of the figures that are there', () => {
  const measured = existsSync(join(root, 'benches/nodes.json')) ? JSON.parse(read('benches/nodes.json')) : undefined
  const found = JSON.parse(read('benches/load/capacity.json'))
  // The lines are wrapped anew.
  const words = text => text.split(/\s+/).join(' ')
  const doc = words(read('docs/nodes.md'))
  for (const section of [whenSection(measured, found, read('docs/benchmarks.md')), measuredSection(measured, found)]) {
    assert.ok(doc.includes(words(section)), `scripts/nodes --write writes this anew:\n${section}`)
  }
})

test('all that is written is whole, and says what is on paper', () => {
  const section = measuredSection(planted(), capacity)
  assert.doesNotMatch(section, /NaN|undefined|Infinity|null/)
  assert.match(section, /\| 64 \(on paper\) +\|/)
  assert.match(section, /### Balancers/)
})

/** Runs the script; what it printed. It cleans up where it ends itself. */
function run (words) {
  const child = spawn(SCRIPT, words, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.on('data', data => { out += data })
  child.stderr.on('data', data => { err += data })
  const late = setTimeout(() => child.kill('SIGTERM'), 150_000)
  return new Promise(resolve => child.on('close', status => {
    clearTimeout(late)
    resolve({ status, out, err })
  }))
}

test('what is wrong on the command line is said, with what would be right', async () => {
  for (const [words, wanted] of [
    [['--rows', 'fan'], /--rows fan: there are fanout, saturate, commits, busy, states, wal, handover/],
    [['--rounds', '0'], /--rounds: a whole number above 0/],
    [['--wrong'], /--wrong is not known/],
  ]) {
    const { status, err } = await run(words)
    assert.equal(status, 2)
    assert.match(err, wanted)
  }
})

test('the short form measures all of it on real nodes, and its numbers are whole', { timeout: 180_000 }, async () => {
  const load = join(dirname(BINARY), 'boardwire-load')
  assert.ok(existsSync(load), `${load} is missing: cargo build -p boardwire-load`)
  const { status, out, err } = await run(['--quick', '--bin', BINARY, '--load', load])
  assert.equal(status, 0, err)
  const measured = JSON.parse(out.split('\n').find(line => line.startsWith('{"format":"boardwire-nodes/1"')))
  const isNumber = value => Number.isFinite(value) && value >= 0
  assert.deepEqual([...new Set(measured.fanout.map(run => run.side))], SIDES.map(side => side.key))
  for (const { side, process, figures } of measured.fanout) {
    const names = ['cpu_us_per_delivery', 'p50_ms', 'p99_ms', 'echo_p50_ms', 'echo_p99_ms', 'commits_per_second', 'own_cpu_share']
    const stored = side === 'redb' ? ['written_bytes_per_update'] : ['wal_bytes_per_update', 'store_cpu_us_per_commit']
    for (const name of [...names, ...stored]) assert.ok(figures[name] > 0, `${side}, ${process}: ${name} is ${figures[name]}`)
    assert.equal(figures.hop_bytes_per_update > 0, side === 'forwarded')
  }
  assert.ok(measured.saturate.forwarded.updates_per_second > 0)
  for (const side of ['redb', 'one', 'local']) assert.ok(measured.commits[side].commits_per_second > 0)
  for (const name of ['commits_per_second', 'commit_ms', 'wal_bytes_per_second', 'store_cpu_share']) assert.ok(measured.busy[name] > 0, name)
  assert.ok(measured.states.wal_per_state_byte > 0 && measured.wal.wal_bytes_per_second > 0)
  const [term, kill] = ['SIGTERM', 'SIGKILL'].map(signal => measured.handover.find(one => one.signal === signal))
  for (const one of [term, kill]) assert.ok(one.boards > 0 && one.first_ms <= one.p50_ms && one.p50_ms <= one.all_ms && isNumber(one.ended_ms))
  // Nobody may have them while the lease of a node that was killed lasts.
  assert.ok(kill.lease_left_ms > 0 && kill.first_ms > 0.9 * kill.lease_left_ms, JSON.stringify(kill))
})
