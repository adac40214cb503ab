// The pure parts of scripts/capacity (scripts/curves.js), on planted points.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'

const require = createRequire(import.meta.url)
const {
  NOT_REACHED, between, curveTable, judge, machineTable, picture, powerLaw, workLaw,
} = require('../../scripts/curves.js')

const points = of => [1, 2, 4, 8, 16].map(x => [x, of(x)])
const near = (is, wanted) => assert.ok(Math.abs(is - wanted) < 1e-6 * Math.abs(wanted), `${is}, not ${wanted}`)

test('a power law is found in its points', () => {
  const { factor, exponent } = powerLaw(points(x => 3 * x ** 1.5))
  near(factor, 3)
  near(exponent, 1.5)
})

test('what grows faster than linear is told, also where much that is fixed hides it at first', () => {
  assert.equal(judge(points(x => 5 * x)).verdict, 'linear or better')
  assert.equal(judge(points(() => 7)).verdict, 'linear or better')
  assert.equal(judge(points(x => x * x)).verdict, 'worse than linear: x^2.00')
  const hidden = points(x => 40 + x * x)
  assert.ok(powerLaw(hidden).exponent < 1)
  assert.equal(judge(hidden).isLinear, false)
  const low = judge([[1, 1], [2, 2], [4, 1.5], [8, 8], [16, 16]])
  assert.ok(low.end > 1.5 && low.isLinear, 'one low point is no growth')
})

test('what traffic costs is found: the weight of a message, and the power law of the work', () => {
  const runs = [[100, 10], [1000, 500], [20, 300], [4000, 20]].map(([deliveries, messages]) =>
    ({ deliveries, messages, cores: 1e-5 * (deliveries + 3 * messages) ** 0.9 }))
  const law = workLaw(runs)
  assert.equal(law.weight, 3)
  near(law.factor, 1e-5)
  near(law.exponent, 0.9)
  near(law.spread, 1)
})

test('only what stands between the marks of a document is replaced', () => {
  assert.equal(between('before\n<a>\nold\n<b>\nafter', ['<a>', '<b>'], 'new'), 'before\n<a>\nnew\n<b>\nafter')
  assert.throws(() => between('before <b> <a>', ['<a>', '<b>'], 'new'), /the marks are missing/)
})

const curve = { name: 'Rate & more', x: 'updates/s', y: 'cores', points: points(x => x * x) }

test('a curve is a row: its ends, its exponents and what they mean', () => {
  const row = curveTable([curve]).at(-1).split('|').map(cell => cell.trim()).slice(1, -1)
  assert.deepEqual(row, ['Rate & more', 'updates/s', 'cores', '1: 1.00', '16: 256', '2.00', '2.00', 'worse than linear: x^2.00'])
})

const row = machine => machineTable([machine]).at(-1).split('|').map(cell => cell.trim()).slice(1, -1)

test('a machine is a row: the most people that passed, and why no more', () => {
  const steps = [
    { people: 400, passes: true, p99_ms: 12.34, cores: 0.2, memory_bytes: 2 ** 26 },
    { people: 800, passes: false, p99_ms: 900, cores: 0.9 },
  ]
  const machine = { cores: 1, memory_bytes: 2 ** 29, people: 400, boards: 100, limit: 'CPU', steps }
  assert.deepEqual(row(machine), ['1', '512 MiB', '400', '100', 'CPU', '12.3', '0.20', '64 MiB'])
  assert.equal(row({ ...machine, limit: NOT_REACHED })[2], 'at least 400')
  assert.equal(row({ ...machine, people: 0, steps: steps.slice(1) })[2], 'fewer than 800')
})

test('the picture has each curve, both colour schemes, and nothing from elsewhere', () => {
  const svg = picture([curve, curve, curve])
  assert.equal(svg.match(/class="line"/g).length, 3)
  assert.match(svg, /prefers-color-scheme:dark/)
  assert.match(svg, /Rate &amp; more/)
  assert.doesNotMatch(svg, /NaN|undefined|<script|href/)
})
