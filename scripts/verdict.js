// What a comparison found, from the figures of its runs alone: medians, ratios, and where another server is
// better. Nothing here measures, and no sentence praises: scripts/compare runs, scripts/tables.js and
// scripts/bars.js write.
'use strict'
const { median, shown } = require('./measure.js')

const FLOOR = 'bare'
const OURS = 'boardwire'

/** Rows of one scenario: the figure of its result, what is better, and in which unit it is read. */
const less = (figure, title, unit, more) => ({ figure, title, unit, better: 'less', ...more })
const most = (figure, title, unit, more) => ({ figure, title, unit, better: 'more', ...more })

/** A count is told as it is: times the floor it would mean nothing. */
const COUNT = { unit: 'count', isCount: true }

const latency = [less('p50_ms', 'p50', 'ms'), less('p99_ms', 'p99', 'ms'), less('p9999_ms', 'p99.99', 'ms')]
const FIGURES = {
  fanout: [less('cpu_us_per_delivery', 'CPU a delivery', 'us'), ...latency],
  boards: [less('cpu_us_per_delivery', 'CPU a delivery', 'us'), ...latency],
  presence: [
    less('cpu_share', 'CPU, of a core', ''), less('presence_p50_ms', 'p50', 'ms'), less('presence_p99_ms', 'p99', 'ms'),
    less('presence_lost', 'cursors whose last place never came', '', COUNT),
  ],
  'saturate-one': [most('deliveries_per_second', 'deliveries a second', '')],
  'saturate-many': [most('deliveries_per_second', 'deliveries a second', '')],
  join: [
    less('join_p50_ms', 'one newcomer', 'ms'), less('cpu_ms_per_join', 'CPU of it', 'ms'),
    less('at_once_max_ms', 'ten at once, the last', 'ms'),
  ],
  idle: [less('bytes_per_connection', 'memory a connection', 'B')],
  durable: [
    less('restart_lost_seen', 'updates that others had seen, gone', '', COUNT),
    less('restart_lost_acknowledged', 'updates that were acknowledged, gone', '', COUNT),
    most('restart_acknowledged', 'updates that were acknowledged', '', { ...COUNT, isContext: true }),
    most('restart_sent', 'updates sent', '', { ...COUNT, isContext: true }),
  ],
  start: [less('start_ms', 'until it listens', 'ms'), less('resident_bytes', 'resident memory', 'B')],
}

/** Each row with a cell for each side that was measured: the median of its rounds, and their ends. */
function rowsOf(scenarios, sides, runs) {
  const rows = []
  for (const { name, title } of scenarios) {
    for (const definition of FIGURES[name]) {
      const cells = new Map()
      for (const side of sides) {
        const values = runs.filter(run => run.scenario === name && run.side === side.name)
          .map(run => run.figures?.[definition.figure]).filter(Number.isFinite)
        if (values.length) cells.set(side.name, { value: median(values), least: Math.min(...values), most: Math.max(...values) })
      }
      if (cells.size) rows.push({ scenario: name, of: title, ...definition, cells })
    }
  }
  return rows
}

/** What a row is told in times of: the floor, or this server where the floor has no such thing. */
const baseOf = row => [FLOOR, OURS].find(name => row.cells.get(name)?.value > 0)

/** How many times the base a side is; nothing for counts, and where one was not measured. */
function ratio(row, side) {
  const base = row.cells.get(baseOf(row))
  const cell = row.cells.get(side)
  return row.isCount || !base || !cell ? undefined : cell.value / base.value
}

/**
 * Every row and side where another server's figure is better than ours, however little. The floor is no server, so it
 * is not among them. `isClose` says that rounds of both overlap: the next run may find it the other way round.
 */
function losses(rows, sides) {
  const found = []
  for (const row of rows.filter(row => !row.isContext)) {
    const ours = row.cells.get(OURS)
    if (!ours) continue
    for (const side of sides.filter(side => ![FLOOR, OURS].includes(side.name))) {
      const theirs = row.cells.get(side.name)
      if (!theirs) continue
      const isBetter = row.better === 'less' ? theirs.value < ours.value : theirs.value > ours.value
      const isClose = theirs.least <= ours.most && ours.least <= theirs.most
      if (isBetter) found.push({ row, side: side.name, theirs: theirs.value, ours: ours.value, isClose })
    }
  }
  return found
}

/** How many times, so that small shares can be told apart. */
function times(number) {
  if (number === undefined) return '-'
  return `${number > 0 && number < 0.1 ? number.toPrecision(2) : shown(number)} x`
}

/** A figure as people read it, in its unit. */
function told(value, unit = '') {
  if (value === undefined) return '-'
  if (unit === 'count') return Math.round(value).toLocaleString('en-US')
  if (unit === 'B') {
    const [size, name] = value >= 1 << 20 ? [1 << 20, 'MiB'] : value >= 1024 ? [1024, 'KiB'] : [1, 'B']
    return `${shown(value / size)} ${name}`
  }
  if (value >= 1e6) return `${shown(value / 1e6)} M`
  return unit ? `${shown(value)} ${unit}` : shown(value)
}

module.exports = { FIGURES, FLOOR, OURS, baseOf, losses, ratio, rowsOf, times, told }
