// The pure parts of scripts/bench, on planted reports and rounds. What it measures is measured by running it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const { judge, medians, table } = createRequire(import.meta.url)('../../scripts/bench')
const BENCH = fileURLToPath(new URL('../../scripts/bench', import.meta.url))

const REPORT = `board compacted: 1797782 bytes encoded, 1846356 in memory, 1.027 of it
Timer precision: 20 ns
micro                       fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ board                                  │               │               │               │         │
│  ├─ accept                364 ns        │ 2.422 µs      │ 449.7 ns      │ 473.7 ns      │ 100     │ 10000
│  ╰─ load                                │               │               │               │         │
│     ├─ compacted          3.311 ms      │ 3.591 ms      │ 3.406 ms      │ 3.413 ms      │ 100     │ 100
│     │                     542.9 MB/s    │ 500.5 MB/s    │ 527.6 MB/s    │ 526.6 MB/s    │         │
│     ╰─ a deletion of all  5.67 ms       │ 5.966 ms      │ 5.771 ms      │ 5.787 ms      │ 100     │ 100
╰─ wire                                   │               │               │               │         │
   ╰─ decode                10.44 ns      │ 135.3 ns      │ 10.48 ns      │ 11.74 ns      │ 100     │ 25600
`

test('the medians of a report are read by name, with their units', () => {
  const found = medians(REPORT)
  assert.deepEqual(Object.keys(found), ['board::accept', 'board::load::compacted', 'board::load::a deletion of all', 'wire::decode'])
  const near = (name, wanted) => assert.ok(Math.abs(found[name] - wanted) < 1e-9, `${name}: ${found[name]}`)
  near('board::accept', 0.4497)
  near('board::load::compacted', 3406)
  near('wire::decode', 0.01048)
})

const noise = { least: 0.03 }
const mark = (before, after, of = noise) => judge(before, after, of).mark

test('a figure changed where the rounds of the two sides lie apart, by more than the least', () => {
  assert.equal(mark([100, 101, 99], [110, 108, 112]), 'more')
  assert.equal(mark([100, 101, 99], [90, 91, 92]), 'less')
  assert.equal(mark([100, 101, 99], [102, 102, 102]), '', 'steady, but too little')
  assert.equal(mark([100, 130, 99], [110, 128, 140]), '', 'much, but one round lies among the others')
})

test('few rounds say nothing, unless they are exact', () => {
  assert.equal(mark([100], [200]), '?')
  assert.equal(mark([100], [200], { least: 0.01, isExact: true }), 'more')
})

test('rows that only one side has are listed as such', () => {
  const lines = table([
    { figure: 'old', unit: 'us', before: [1, 1, 1], after: [], noise },
    { figure: 'new', unit: 'us', before: [], after: [2, 2, 2], noise },
    { figure: 'both', unit: 'us', before: [2, 2, 2], after: [3, 3, 3], noise },
  ])
  const cells = lines.map(line => line.split('|').map(cell => cell.trim()).slice(1, -1))
  assert.deepEqual(cells.slice(2), [
    ['old', 'us', '1.00', '-', '-', 'only before'],
    ['new', 'us', '-', '2.00', '-', 'only after'],
    ['both', 'us', '2.00', '3.00', '1.500', 'more'],
  ])
})

test('what is wrong on the command line is said, with what would be right', () => {
  for (const [words, wanted] of [
    [[], /--against REV is wanted/],
    [['--against', 'no-such-revision'], /no-such-revision: there is no such revision here; git log --oneline/],
    [['--against', 'HEAD', '--micro-only', '--load-only'], /exclude each other/],
    [['--wrong'], /--wrong is not known/],
  ]) {
    const { status, stderr } = spawnSync(BENCH, words)
    assert.equal(status, 2)
    assert.match(stderr.toString(), wanted)
  }
})
