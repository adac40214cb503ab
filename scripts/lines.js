// What scripts/soak makes of its samples: how each line goes, a verdict, a picture. Measures nothing.
'use strict'
const { median, shown } = require('./measure.js')
const { STYLE, line } = require('./curves.js')

/**
 * How a line goes, from its points (hours, value): its slope an hour, and how its last third stands to its first.
 * A line is flat where both thirds differ by less than `may`, of the first one, or by less than `least`.
 */
function judgeLine(points, { may = 0.1, least = 0, rounds = 3 } = {}) {
  if (rounds < 3) return { isFlat: undefined, words: 'too short to tell' }
  const third = Math.floor(points.length / 3)
  if (third < 3) return { isFlat: undefined, words: 'too short to tell' }
  const values = some => some.map(([, value]) => value)
  const [first, last] = [median(values(points.slice(0, third))), median(values(points.slice(-third)))]
  const { slope } = line(points.map(([x, y]) => [x, y]))
  const isFlat = Math.abs(last - first) <= Math.max(may * Math.abs(first), least)
  const change = first === 0 ? '' : `, ${last >= first ? '+' : ''}${(100 * (last / first - 1)).toFixed(1)} %`
  return { first, last, slope, isFlat, words: `${shown(first)} to ${shown(last)}${change}` }
}

const [WIDTH, HEIGHT] = [760, 150]
const FRAME = { left: 62, right: 18, top: 44, bottom: 26 }
const escaped = text => text.replace(/&/g, '&amp;').replace(/</g, '&lt;')

/** One line over hours, from zero up, with marks where the server was started anew. */
function panel({ name, unit, points, verdict, marks }, at) {
  const top = at * HEIGHT
  const most = Math.max(...points.map(([, y]) => y), 1e-9)
  const end = points.at(-1)[0] || 1
  const plot = { w: WIDTH - FRAME.left - FRAME.right, h: HEIGHT - FRAME.top - FRAME.bottom }
  const px = x => +(FRAME.left + x / end * plot.w).toFixed(1)
  const py = y => +(top + FRAME.top + (1 - y / most) * plot.h).toFixed(1)
  const grid = [0, 0.5, 1].map(share => `<path class="grid" d="M${px(0)} ${py(share * most)}H${px(end)}"/>` +
    `<text class="end" x="${px(0) - 6}" y="${py(share * most) + 4}">${shown(share * most)}</text>`)
  const starts = marks.filter(x => x <= end).map(x => `<path class="linear" d="M${px(x)} ${py(most)}V${py(0)}"/>`)
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(share => `<text class="mid" x="${px(share * end)}" y="${py(0) + 16}">` +
    `${Math.round(share * end * 60)}</text>`)
  const flat = verdict.isFlat === undefined ? '' : verdict.isFlat ? 'flat' : 'not flat'
  return `<g><text class="name" x="12" y="${top + 20}">${escaped(name)}</text>` +
    `<text class="${verdict.isFlat ? 'good' : 'bad'}" x="${px(end)}" y="${top + 20}">${flat}</text>` +
    `<text x="12" y="${top + 36}">${escaped(unit)}: ${escaped(verdict.words)}</text>` +
    grid.join('') + starts.join('') + ticks.join('') +
    `<path class="line" d="M${points.map(([x, y]) => `${px(x)} ${py(y)}`).join('L')}"/></g>`
}

/** All lines, one below the other: name, unit, points (hours, value), verdict. */
function picture(lines, marks) {
  const height = HEIGHT * lines.length + 28
  const name = 'Boardwire over hours'
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${name}">
<style>${STYLE}</style>
<rect class="back" width="${WIDTH}" height="${height}" rx="6"/>
${lines.map((one, at) => panel({ ...one, marks }, at)).join('\n')}
<text x="12" y="${height - 12}">Minutes from the start. Dashed: the server was started anew.</text>
</svg>
`
}

module.exports = { judgeLine, picture }
