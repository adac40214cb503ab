// What scripts/compare makes of figures, on invented ones: medians, ratios, where another server is better,
// the document and its pictures. That peers can be had and started is tried by `scripts/compare --check`.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'

const require = createRequire(import.meta.url)
const { losses, ratio, rowsOf, times, told } = require('../../scripts/verdict.js')
const { BEGIN, END, PICTURES, pictures, section, spliced } = require('../../scripts/tables.js')
const { picture } = require('../../scripts/bars.js')

const side = (name, more) => ({ name, peer: name.replace(/,.*/, ''), what: `what ${name} is`, version: '1', command: `run ${name}`,
  isStoring: name.includes('storing'), stores: 'a file', cannot: [], ...more })
const SIDES = [side('bare'), side('boardwire', { isStoring: true }), side('quick'), side('quick, storing'),
  side('slow', { cannot: ['no rights'], failed: ['fanout'] })]
const SCENARIOS = [{ name: 'fanout', title: '1 x 50' }, { name: 'join', title: 'a board' }, { name: 'durable', title: 'kill' }]

const run = (scenario, name, ...rounds) => rounds.map((figures, at) => ({ scenario, side: name, round: at + 1, figures }))
const RUNS = [
  ...run('fanout', 'bare', { cpu_us_per_delivery: 10, p50_ms: 1 }, { cpu_us_per_delivery: 8, p50_ms: 1 },
    { cpu_us_per_delivery: 900, p50_ms: 1 }),
  ...run('fanout', 'boardwire', { cpu_us_per_delivery: 12, p50_ms: 3 }, { cpu_us_per_delivery: 13, p50_ms: 2 },
    { cpu_us_per_delivery: 11, p50_ms: 1.5 }),
  ...run('fanout', 'quick', { cpu_us_per_delivery: 30, p50_ms: 1.9 }, { cpu_us_per_delivery: 30, p50_ms: 1.9 },
    { cpu_us_per_delivery: 30, p50_ms: 2.5 }),
  ...run('fanout', 'quick, storing', { cpu_us_per_delivery: 9, p50_ms: 7 }),
  ...run('join', 'boardwire', { join_p50_ms: 2 }),
  ...run('join', 'quick', { join_p50_ms: 9 }),
  ...run('durable', 'boardwire', { restart_lost_seen: 2, restart_sent: 100 }),
  ...run('durable', 'quick, storing', { restart_lost_seen: 90, restart_sent: 900 }),
  // A run that failed has no figures.
  { scenario: 'fanout', side: 'slow', round: 1 },
]
const ROWS = rowsOf(SCENARIOS, SIDES, RUNS)
const rowOf = (scenario, title) => ROWS.find(row => row.scenario === scenario && row.title === title)

const RESULT = {
  at: '2026-11-28T15:40:00Z', command: 'scripts/compare', rounds: 3, pinned: true,
  machine: { cpus: 2, model: 'a | model', memory_bytes: 2 ** 34, kernel: '6.1' },
  scenarios: SCENARIOS, sides: SIDES, runs: RUNS, notes: ['slow: failed: it ended'],
  commands: [{ title: '1 x 50', words: 'boardwire-load run fanout --url URL', rounds: 3 }],
}

test('a figure is the median of its rounds, and one wild round does not show', () => {
  const { cells } = rowOf('fanout', 'CPU a delivery')
  assert.deepEqual(cells.get('bare'), { value: 10, least: 8, most: 900 })
  assert.equal(cells.get('boardwire').value, 12)
  assert.equal(cells.has('slow'), false, 'what failed is no figure')
})

test('what nobody measured is no row', () => {
  assert.equal(rowOf('fanout', 'p99'), undefined)
})

test('a ratio is to the floor, or to this server where the floor has no such figure, and none of counts', () => {
  assert.equal(ratio(rowOf('fanout', 'CPU a delivery'), 'boardwire'), 1.2)
  assert.equal(ratio(rowOf('join', 'one newcomer'), 'quick'), 4.5)
  assert.equal(ratio(rowOf('durable', 'updates that others had seen, gone'), 'quick, storing'), undefined)
  assert.equal(ratio(rowOf('fanout', 'CPU a delivery'), 'slow'), undefined)
})

test('every row where another server is better is told, however close, and no other', () => {
  const found = losses(ROWS, SIDES).map(({ row, side, isClose }) => [row.title, side, isClose])
  assert.deepEqual(found, [
    ['CPU a delivery', 'quick, storing', false],
    ['p50', 'quick', true],
  ])
})

test('where more is better, more wins', () => {
  const runs = [...run('saturate-one', 'boardwire', { deliveries_per_second: 3e6 }), ...run('saturate-one', 'quick', { deliveries_per_second: 4e6 })]
  const rows = rowsOf([{ name: 'saturate-one', title: 'most' }], SIDES, runs)
  assert.equal(losses(rows, SIDES)[0].side, 'quick')
  assert.equal(told(3e6, ''), '3.00 M')
  assert.equal(told(25, 'count'), '25')
  assert.equal(times(0.0024), '0.0024 x')
})

test('the section has ratios before figures, all servers, and where this one loses, and is ASCII', () => {
  const text = section(RESULT)
  const heads = text.match(/^###? .*/gm)
  assert.deepEqual(heads, ['## Whole servers', '### Ratios', '### Figures', '### Machine, versions, commands',
    '### What each cannot do', '### Where boardwire loses', '### What else is to be known of these runs'])
  assert.match(text, /\| 1 x 50: CPU a delivery \| less \| bare \| 1\.20 x \| 3\.00 x \| - \|/)
  assert.match(text, /\| 1 x 50: CPU a delivery \| 10\.0 us \| 12\.0 us \| 30\.0 us \| failed \|/)
  assert.match(text, /\| 1 x 50: CPU a delivery \| less \| bare \| 1\.20 x \| 0\.90 x \|/, 'those that store, apart')
  assert.match(text, /boardwire 12\.0 us; .*quick, storing 9\.00 us\.\n/)
  assert.match(text, /boardwire 2\.00 ms; quick 1\.90 ms \(rounds overlap\)\./)
  assert.match(text, /- slow: no rights\./)
  assert.match(text, /- slow: failed: it ended/)
  for (const { command } of SIDES) assert.ok(text.includes(command), command)
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(text, /[^\x00-\x7f]/)
})

test('where no other server is better the section says so', () => {
  const runs = RUNS.filter(({ side }) => ['bare', 'boardwire'].includes(side))
  assert.match(section({ ...RESULT, runs }), /In no row is the figure of another server better\./)
})

test('the section takes the place of the one before, and all else stays', () => {
  const first = spliced('# Benchmarks\n\nOwn words.\n', 'one')
  assert.equal(first, `# Benchmarks\n\nOwn words.\n\n${BEGIN}\n\none\n${END}\n`)
  assert.equal(spliced(`${first}\nAfter.\n`, 'two'), `# Benchmarks\n\nOwn words.\n\n${BEGIN}\n\ntwo\n${END}\n\nAfter.\n`)
})

test('there is a picture of each row that was measured, and of no other', () => {
  assert.deepEqual(Object.keys(pictures(RESULT)), ['cpu.svg', 'join.svg'])
  for (const file of Object.keys(pictures(RESULT))) assert.ok(section(RESULT).includes(`(benchmarks/${file})`))
})

test('bars are as long as their values, and a server that failed is named with the word', () => {
  const text = pictures(RESULT)['cpu.svg']
  const widths = [...text.matchAll(/class="(\w+)" x="\d+" y="\d+" width="([\d.]+)"/g)].map(([, kind, width]) => [kind, Number(width)])
  assert.deepEqual(widths.map(([kind]) => kind), ['floor', 'ours', 'other', 'other'])
  const longest = widths[2][1]
  for (const [at, value] of [10, 12, 30, 9].entries()) {
    assert.ok(Math.abs(widths[at][1] - longest * value / 30) < 0.1, `${value} of 30 is ${widths[at][1]} of ${longest}`)
  }
  assert.match(text, />slow<\/text>\n.*>failed<\/text>/)
})

test('titles and notes of pictures fit the width of a phone', () => {
  for (const { title, note } of PICTURES) assert.ok(title.length <= 40 && note.length <= 52, `${title}; ${note}`)
})

test('a picture knows light and dark, needs nothing from elsewhere, and takes names as text', () => {
  const text = picture({ title: 'A <b> & "c"', note: 'n', bars: [{ label: '<x>', value: 1, text: '1', kind: 'other' }] })
  assert.match(text, /prefers-color-scheme: dark/)
  assert.doesNotMatch(text, /<script|href|url\(|@import/)
  assert.match(text, /<title>A &lt;b&gt; &amp; &quot;c&quot;<\/title>/)
  assert.match(text, />&lt;x&gt;<\/text>/)
})
