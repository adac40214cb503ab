// What scripts/capacity makes of its points: power laws, what work costs, tables, the picture. Measures
// nothing.
'use strict'
const { markdown, shown } = require('./measure.js')

/** Of a machine that carried as many people as were tried. */
const NOT_REACHED = 'not reached'

/** An exponent up to here counts as linear: points of short runs are not better than that. */
const LINEAR = 1.15

/** The straight line through points, by least squares: y = at + slope x. */
function line(points) {
  const mean = at => points.reduce((sum, point) => sum + point[at], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  const over = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0)
  const under = points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
  const slope = under > 0 ? over / under : 0
  return { at: y - slope * x, slope }
}

/** y = factor x ^ exponent, the line through the logarithms; points at 0 or below say nothing of it. */
function powerLaw(points) {
  const logs = points.filter(([x, y]) => x > 0 && y > 0).map(([x, y]) => [Math.log(x), Math.log(y)])
  if (logs.length < 2) return { factor: 0, exponent: 0 }
  const { at, slope } = line(logs)
  return { factor: Math.exp(at), exponent: slope }
}

/**
 * Whether a curve is linear or better. Its large end is judged too: what is there from the beginning hides there
 * what grows faster. One point below its neighbours makes the end look steep; what grows faster is steep in the
 * last step as well.
 */
function judge(points) {
  const { exponent } = powerLaw(points)
  const end = powerLaw(points.slice(-3)).exponent
  const step = powerLaw(points.slice(-2)).exponent
  const worst = Math.max(exponent, Math.min(end, step))
  const verdict = worst <= LINEAR ? 'linear or better' : `worse than linear: x^${worst.toFixed(2)}`
  return { exponent, end, verdict, isLinear: worst <= LINEAR }
}

/**
 * What traffic costs: cores = factor x work ^ exponent, and work = deliveries + weight x messages that came in, all a
 * second. The weight is the one with which the runs agree best.
 */
function workLaw(runs) {
  let best
  for (let weight = 0; weight <= 40; weight += 0.5) {
    const points = runs.map(run => [run.deliveries + weight * run.messages, run.cores])
    const { factor, exponent } = powerLaw(points)
    const off = points.reduce((sum, [work, cores]) => sum + Math.log(factor * work ** exponent / cores) ** 2, 0)
    if (!best || off < best.off) best = { weight, factor, exponent, off }
  }
  const { off, ...law } = best
  return { ...law, spread: Math.exp(Math.sqrt(off / runs.length)) }
}

/** What stands between two marks of a text, replaced. */
function between(text, [from, to], put) {
  const [start, end] = [text.indexOf(from), text.indexOf(to)]
  if (start < 0 || end < start) throw new Error(`the marks are missing: ${from} and, after it, ${to}`)
  return `${text.slice(0, start + from.length)}\n${put}\n${text.slice(end)}`
}

// ---- tables ----

const count = number => number >= 1e6 ? `${shown(number / 1e6)} M` : number.toLocaleString('en-US')

function curveTable(curves) {
  const rows = curves.map(({ name, x, y, points }) => {
    const { exponent, end, verdict } = judge(points)
    const ends = [points[0], points.at(-1)].map(point => `${count(point[0])}: ${shown(point[1])}`)
    return [name, x, y, ...ends, exponent.toFixed(2), end.toFixed(2), verdict]
  })
  return markdown([['curve', 'by', 'what', 'least', 'most', 'exponent', 'at its end', 'so'], ...rows], 3)
}

const memory = bytes => bytes ? `${Math.round(bytes / 1024 ** 2)} MiB` : 'not limited'

function machineTable(machines) {
  const rows = machines.map(machine => {
    const best = machine.steps.filter(step => step.passes).at(-1)
    const people = !best ? `fewer than ${count(machine.steps[0].people)}`
      : `${machine.limit === NOT_REACHED ? 'at least ' : ''}${count(machine.people)}`
    const figures = best ? [shown(best.p99_ms), shown(best.cores), memory(best.memory_bytes)] : ['-', '-', '-']
    return [`${machine.cores}`, memory(machine.memory_bytes), people, count(machine.boards), machine.limit, ...figures]
  })
  return markdown([['cores', 'memory', 'people', 'boards', 'then', 'p99, ms', 'cores used', 'memory used'], ...rows], 2)
}

// ---- the picture ----

const [WIDTH, HEIGHT, COLUMNS] = [380, 230, 2]
const FRAME = { left: 62, right: 18, top: 44, bottom: 40 }

const escaped = text => text.replace(/&/g, '&amp;').replace(/</g, '&lt;')
function tick(value) {
  if (value >= 1e6) return `${+(value / 1e6).toPrecision(3)} M`
  return value >= 1e4 ? `${+(value / 1e3).toPrecision(3)} k` : `${+value.toPrecision(2)}`
}

/** One curve on logarithmic axes, and dashed what would be linear from its first point on. */
function panel({ name, x, y, points }, at) {
  const { exponent, isLinear } = judge(points)
  const left = (at % COLUMNS) * WIDTH
  const top = Math.floor(at / COLUMNS) * HEIGHT
  const logs = points.map(point => point.map(value => Math.log10(Math.max(value, 1e-9))))
  const span = (values, least) => {
    const [low, high] = [Math.min(...values), Math.max(...values)]
    const more = Math.max(0, least - (high - low)) / 2
    return [low - more - 0.08, high + more + 0.08]
  }
  const xs = span(logs.map(point => point[0]), 1)
  const ys = span(logs.map(point => point[1]), 1)
  const plot = { w: WIDTH - FRAME.left - FRAME.right, h: HEIGHT - FRAME.top - FRAME.bottom }
  const px = value => +(left + FRAME.left + (value - xs[0]) / (xs[1] - xs[0]) * plot.w).toFixed(1)
  const py = value => +(top + FRAME.top + (1 - (value - ys[0]) / (ys[1] - ys[0])) * plot.h).toFixed(1)
  const [x0, x1, y0, y1] = [px(xs[0]), px(xs[1]), py(ys[0]), py(ys[1])]
  const [from, ...rest] = logs
  // Linear, as far as the frame goes.
  const reach = Math.min(rest.at(-1)[0] - from[0], ys[1] - from[1])
  const grid = [0, 0.5, 1].map(share => {
    const value = ys[0] + 0.08 + share * (ys[1] - ys[0] - 0.16)
    return `<path class="grid" d="M${x0} ${py(value)}H${x1}"/>` +
      `<text class="end" x="${x0 - 6}" y="${py(value) + 4}">${tick(10 ** value)}</text>`
  })
  const marks = logs.map((point, n) => `<circle class="dot" cx="${px(point[0])}" cy="${py(point[1])}" r="3.5"/>` +
    (n === 0 || n === logs.length - 1 || logs.length < 6 || n % 2 === 0
      ? `<text class="mid" x="${px(point[0])}" y="${y0 + 16}">${tick(points[n][0])}</text>` : ''))
  return `<g><text class="name" x="${left + 12}" y="${top + 20}">${escaped(name)}</text>` +
    `<text class="${isLinear ? 'good' : 'bad'}" x="${x1}" y="${top + 20}">x^${exponent.toFixed(2)}</text>` +
    `<text x="${left + 12}" y="${top + 36}">${escaped(y)}</text><text class="end" x="${x1}" y="${y0 + 32}">${escaped(x)}</text>` +
    grid.join('') + `<path class="linear" d="M${px(from[0])} ${py(from[1])}L${px(from[0] + reach)} ${py(from[1] + reach)}"/>` +
    `<path class="line" d="M${logs.map(point => `${px(point[0])} ${py(point[1])}`).join('L')}"/>${marks.join('')}` +
    `<path class="axis" d="M${x0} ${y1}V${y0}H${x1}"/></g>`
}

const STYLE = `text{font:12px system-ui,sans-serif;fill:#57606a}.name{font-size:14px;font-weight:600;fill:#1f2328}
.end,.good,.bad{text-anchor:end}.mid{text-anchor:middle}.good{fill:#1a7f37;font-weight:600}.bad{fill:#bc4c00;font-weight:600}
.back{fill:#fff}.grid{stroke:#d8dee4}.axis{stroke:#8c959f;fill:none}.line{stroke:#0969da;stroke-width:2;fill:none}.dot{fill:#0969da}
.linear{stroke:#8c959f;stroke-width:1.5;stroke-dasharray:4 4;fill:none}
@media (prefers-color-scheme:dark){text{fill:#9198a1}.name{fill:#f0f6fc}.good{fill:#3fb950}.bad{fill:#f0883e}.back{fill:#0d1117}
.grid{stroke:#262c36}.axis{stroke:#656c76}.line{stroke:#4493f8}.dot{fill:#4493f8}.linear{stroke:#656c76}}`

function picture(curves) {
  const [width, height] = [WIDTH * COLUMNS, HEIGHT * Math.ceil(curves.length / COLUMNS) + 28]
  const name = 'What Boardwire costs, by curve'
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${name}">
<style>${STYLE}</style>
<rect class="back" width="${width}" height="${height}" rx="6"/>
${curves.map(panel).join('\n')}
<text x="12" y="${height - 12}">Both axes are logarithmic. Dashed: linear from the first point on.</text>
</svg>
`
}

module.exports = { NOT_REACHED, STYLE, between, curveTable, judge, line, machineTable, picture, powerLaw, workLaw }
