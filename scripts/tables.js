// Writes what a comparison found: the section of docs/benchmarks.md between its two marks, and the pictures.
'use strict'
const { picture } = require('./bars.js')
const { FLOOR, OURS, baseOf, losses, ratio, rowsOf, times, told } = require('./verdict.js')

const BEGIN = '<!-- scripts/compare writes from here -->'
const END = '<!-- scripts/compare writes up to here -->'

/** The pictures: which row of which scenario, of which servers. */
const drawn = (file, scenario, figure, title, note) => ({ file, scenario, figure, title, note })
const PICTURES = [
  drawn('cpu.svg', 'fanout', 'cpu_us_per_delivery', 'CPU a delivery', '1 writer, 49 readers, 20 updates a second'),
  drawn('boards.svg', 'boards', 'cpu_us_per_delivery', 'CPU a delivery, many boards', '50 boards of 4, 10 updates a second each'),
  drawn('p99.svg', 'fanout', 'p99_ms', 'Latency, p99', '1 writer, 49 readers, 20 updates a second'),
  drawn('most.svg', 'saturate-one', 'deliveries_per_second', 'Most deliveries a second',
    'p99 within 200 ms, 1 board of 50; longer is better'),
  drawn('join.svg', 'join', 'join_p50_ms', 'A newcomer has the whole board', '5,000 shapes, in the memory of the server'),
  drawn('idle.svg', 'idle', 'bytes_per_connection', 'Memory of an idle connection', '2,000 over 500 boards, the boards included'),
]

const NOTES = '### What else is to be known of these runs'

const cell = text => String(text).replaceAll('|', '\\|')
const line = cells => `| ${cells.map(cell).join(' | ')} |`
const table = (head, lines) => [line(head), `|${' --- |'.repeat(head.length)}`, ...lines.map(line)].join('\n')
const named = row => `${row.of}: ${row.title}`

/** The two groups that are told side by side: what only has boards in memory, and what stores them. */
function groupsOf(sides) {
  const floor = sides.filter(side => side.name === FLOOR)
  const ours = sides.filter(side => side.name === OURS)
  const others = sides.filter(side => ![FLOOR, OURS].includes(side.name))
  const stored = others.filter(side => side.isStoring)
  const kept = others.filter(side => !side.isStoring)
  return [
    { title: 'Others keep boards in memory only, boardwire stores them', sides: [...floor, ...ours, ...kept], others: kept },
    { title: 'All store', sides: [...floor, ...ours, ...stored], others: stored },
  ].filter(({ others }, at) => others.length || at === 0)
}

const measuredIn = (group, rows) => rows.filter(row =>
  (group.others.length ? group.others : group.sides).some(side => row.cells.has(side.name)))

const head = sides => sides.map(side => side.peer)

/** The tables of each group that has rows, under its title. */
const eachGroup = (groups, write) => groups.flatMap(group => {
  const text = write(group)
  return text ? [`${group.title}:`, '', text, ''] : []
})

function ratios(group, rows) {
  const sides = group.sides.filter(side => side.name !== FLOOR)
  const those = measuredIn(group, rows).filter(row => !row.isCount)
  return those.length && table(['', 'better', 'times', ...head(sides)], those.map(row => [
    named(row), row.better, baseOf(row) ?? '-', ...sides.map(side => times(ratio(row, side.name))),
  ]))
}

function figures(group, rows) {
  const those = measuredIn(group, rows)
  return those.length && table(['', ...head(group.sides)], those.map(row => [
    named(row), ...group.sides.map(side => row.cells.has(side.name) ? told(row.cells.get(side.name).value, row.unit)
      : side.failed?.includes(row.scenario) ? 'failed' : '-'),
  ]))
}

function machine({ machine, rounds, pinned }) {
  const memory = machine.memory_bytes && `${Math.round(machine.memory_bytes / 2 ** 30)} GiB of memory`
  const parts = [`${machine.cpus} cores`, machine.model, memory, machine.kernel && `Linux ${machine.kernel}`]
  const where = pinned ? 'The server had core 0 for itself, the generator core 1.' : 'Nothing was pinned to cores.'
  const medians = rounds > 1 ? `Figures are medians of ${rounds} rounds, where a command below does not say otherwise`
    : 'Each was run once'
  return `${parts.filter(Boolean).join(', ')}. ${where} ${medians}; each run had a server that was started for it, with an ` +
    'empty directory, and the servers took turns.'
}

function commands({ commands, sides }) {
  const generator = commands.map(({ title, words, rounds }) =>
    `# ${title}${rounds ? `; ${rounds === 1 ? 'once' : `${rounds} rounds`}` : ''}\n${words}`)
  const servers = sides.map(side => `# ${side.name}\n${side.command}`)
  return [
    'The servers, with `PORT` and `DIRECTORY` for what was free; `target` is the directory of the build:', '',
    '```sh', ...servers, '```', '',
    'The generator, with `URL` for the address of the boards; `--pid`, `--label` and the flags of a dialect are left out:', '',
    '```sh', ...generator, '```',
  ].join('\n')
}

function lost(rows, sides) {
  const found = losses(rows, sides)
  if (!found.length) return 'In no row is the figure of another server better.'
  const rowsLost = [...new Set(found.map(({ row }) => row))]
  return rowsLost.map(row => {
    const those = found.filter(one => one.row === row)
    const servers = those.map(({ side, theirs, isClose }) => `${side} ${told(theirs, row.unit)}${isClose ? ' (rounds overlap)' : ''}`)
    return `- ${named(row)} (${row.better} is better): boardwire ${told(those[0].ours, row.unit)}; ${servers.join(', ')}.`
  }).join('\n')
}

function cannot({ sides }) {
  const seen = new Set()
  const lines = []
  for (const side of sides.filter(side => side.cannot?.length)) {
    if (seen.has(side.peer)) continue
    seen.add(side.peer)
    lines.push(`- ${side.peer}: ${side.cannot.join('; ')}.`)
  }
  return lines.join('\n')
}

function versions({ sides }) {
  const seen = new Map()
  for (const side of sides) {
    const known = seen.get(side.peer) ?? { ...side, stores: undefined }
    seen.set(side.peer, { ...known, stores: side.isStoring ? side.stores : known.stores })
  }
  return table(['', 'what it is', 'version', 'stores'],
    [...seen.values()].map(side => [side.peer, side.what, side.version, side.stores ?? 'nothing']))
}

const alt = (drawn, rows) => {
  const row = rows.find(row => row.scenario === drawn.scenario && row.figure === drawn.figure)
  return `${drawn.title}, ${drawn.note}, of each server; the figures are in the tables${row ? '' : ' (not measured)'}`
}

/** The pictures that there are figures for: names of files, and what is in them. */
function pictures(result) {
  const rows = rowsOf(result.scenarios, result.sides, result.runs)
  const files = {}
  for (const drawn of PICTURES) {
    const row = rows.find(row => row.scenario === drawn.scenario && row.figure === drawn.figure)
    if (!row) continue
    const bars = result.sides.filter(side => row.cells.has(side.name) || side.failed?.includes(row.scenario)).map(side => {
      const value = row.cells.get(side.name)?.value
      const share = ratio(row, side.name)
      const isBase = baseOf(row) === side.name
      const text = value === undefined ? 'failed' : isBase ? told(value, row.unit) : times(share)
      const kind = side.name === OURS ? 'ours' : side.name === FLOOR ? 'floor' : 'other'
      return { label: side.name === OURS ? `${OURS}, storing` : side.name, value, text, kind }
    })
    files[drawn.file] = picture({ ...drawn, bars })
  }
  return files
}

/** The section, as Markdown. */
function section(result) {
  const rows = rowsOf(result.scenarios, result.sides, result.runs)
  const groups = groupsOf(result.sides)
  const drawn = PICTURES.filter(({ file }) => pictures(result)[file])
  const parts = [
    '## Whole servers', '',
    `\`${result.command}\` made this section, its figures and its pictures, on ${result.at.slice(0, 10)}, with the load ` +
    'generator of [benches/load](../benches/load/README.md). The servers are those of ' +
    '[benches/peers](../benches/peers/README.md), each as its users run it. `bare` passes on what it gets and does ' +
    'nothing else: the floor. One scenario takes two minutes: `scripts/compare --quick --scenario fanout`.', '',
    ...drawn.map(one => `![${alt(one, rows)}](benchmarks/${one.file})`), '',
    '### Ratios', '',
    'How many times the figure of `bare`, or of boardwire where the floor has no such figure.', '',
    ...eachGroup(groups, group => ratios(group, rows)),
    '### Figures', '',
    ...eachGroup(groups, group => figures(group, rows)),
    '### Machine, versions, commands', '',
    machine(result), '', versions(result), '', commands(result), '',
    '### What each cannot do', '', cannot(result), '',
    '### Where boardwire loses', '',
    'Every row of the figures in which another server is better, however little.', '', lost(rows, result.sides), '',
    ...result.notes.length ? [NOTES, '', ...result.notes.map(note => `- ${note}`), ''] : [],
  ]
  return parts.join('\n')
}

/** A document with the section in place of what stood between the marks; at its end where it has none. */
function spliced(text, section) {
  const whole = `${BEGIN}\n\n${section}\n${END}`
  const from = text.indexOf(BEGIN)
  const to = text.indexOf(END)
  if (from < 0 || to < from) return `${text.trimEnd()}\n\n${whole}\n`
  return text.slice(0, from) + whole + text.slice(to + END.length)
}

module.exports = { BEGIN, END, PICTURES, pictures, section, spliced }
