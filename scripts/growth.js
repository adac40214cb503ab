// What scripts/nodes makes of what it measured: tables, and how capacity grows with nodes. Measures nothing;
// no number is written by hand.
'use strict'
const { BALANCERS, PEOPLE, simulate } = require('./balancers.js')
const { markdown, median, shown } = require('./measure.js')

/** What is measured. Three nodes: the first has the boards, and clients come to the one that is told. */
const SIDES = [
  { key: 'redb', name: 'one node, data file', nodes: 1, isFile: true, entrance: 0 },
  { key: 'one', name: 'one node, PostgreSQL', nodes: 1, entrance: 0 },
  { key: 'local', name: 'three, at the owner', nodes: 3, entrance: 0 },
  { key: 'forwarded', name: 'three, passed on', nodes: 3, entrance: 1 },
]
const MANY = '50 x 4'
const COUNTS = [1, 2, 3, 8, 64]
const HASH = 'hash of the path'
const ANY = 'round robin'
/** A board that is drawn on is written whole this often (--compact-every). */
const COMPACT_SECONDS = 30
/** From here on machines were missing. */
const PAPER = 'on paper'

const percent = share => `${shown(100 * share)} %`
const count = number => number === undefined ? '-' : number >= 1e6 ? `${shown(number / 1e6)} M` : Math.round(number).toLocaleString('en-US')
const names = SIDES.map(side => side.name)

// ---- figures ----

/** The median of a figure over the rounds; `process` says of which one it is told, else all tell it. */
function figure({ fanout = [] }, shape, side, name, process) {
  const runs = fanout.filter(run => run.shape === shape && run.side === side && (!process || run.process === process))
  return median(runs.map(run => run.figures[name]))
}

/** What a delivery costs all nodes that it passes, in microseconds of CPU. */
function cpu(measured, shape, side) {
  const of = process => figure(measured, shape, side, 'cpu_us_per_delivery', process)
  return { owner: of('owner'), entrance: of('entrance'), all: of('owner') + (of('entrance') ?? 0) }
}

const FIGURES = [
  ['CPU a delivery, of the owner, us', (m, shape, side) => cpu(m, shape, side).owner],
  ['CPU a delivery, of the node that passes on, us', (m, shape, side) => cpu(m, shape, side).entrance],
  ['both, times one node on a data file', (m, shape, side) => cpu(m, shape, side).all / cpu(m, shape, 'redb').all],
  ['p50, ms', 'p50_ms'], ['p99, ms', 'p99_ms'], ['saved echo p50, ms', 'echo_p50_ms'], ['saved echo p99, ms', 'echo_p99_ms'],
  ['bytes of the file or of the WAL, an update', (m, shape, side) =>
    figure(m, shape, side, side === 'redb' ? 'written_bytes_per_update' : 'wal_bytes_per_update')],
  ['bytes between nodes, an update', (m, shape, side) => side === 'forwarded' ? figure(m, shape, side, 'hop_bytes_per_update') : undefined],
  ['commits/s', 'commits_per_second'],
  ['CPU of PostgreSQL, a commit, us', 'store_cpu_us_per_commit'],
]

function fanoutTable(measured) {
  const shapes = [...new Set(measured.fanout.map(run => run.shape))]
  const rows = shapes.flatMap(shape => FIGURES.map(([title, of]) => {
    const value = side => typeof of === 'string' ? figure(measured, shape, side, of) : of(measured, shape, side)
    return [`${shape}: ${title}`, ...SIDES.map(side => shown(value(side.key)))]
  }))
  return markdown([['figure', ...names], ...rows], 1)
}

function mostTable({ saturate, commits }) {
  const of = (from, name) => SIDES.map(({ key }) => from?.[key]?.[name])
  const rows = [
    saturate && ['most updates/s saved, p99 within 200 ms', ...of(saturate, 'updates_per_second').map(count)],
    saturate && ['deliveries/s then', ...of(saturate, 'deliveries_per_second').map(count)],
    commits && ['most commits/s (`--commit-window 0ms`)', ...of(commits, 'commits_per_second').map(shown)],
    commits && ['updates/s saved by them', ...of(commits, 'updates_per_second').map(count)],
    commits && ['one of them, ms', ...of(commits, 'commit_ms').map(shown)],
    commits && ['CPU of PostgreSQL then, cores', ...of(commits, 'store_cpu_share').map(shown)],
  ]
  return markdown([['50 boards of 4', ...names], ...rows.filter(Boolean)], 1)
}

function handoverTable({ handover }) {
  const of = (signal, name) => shown(median(handover.filter(one => one.signal === signal).map(one => one[name])))
  const row = (title, name) => [title, of('SIGTERM', name), of('SIGKILL', name)]
  return markdown([
    [`${count(handover[0].boards)} boards, ms`, 'SIGTERM', 'kill -9'],
    row('the process has ended', 'ended_ms'), row('its lease had left', 'lease_left_ms'),
    row('the other node answers for the first', 'first_ms'), row('for half of them', 'p50_ms'), row('for all', 'all_ms'),
    row('for all, after the lease', 'after_lease_ms'),
  ], 1)
}

// ---- balancers ----

/** So many people for each node, as docs/capacity.md has them on a core; a few less than boards times four. */
const peopleOf = (nodes, each) => ({ ...PEOPLE, people: each * nodes, boards: each * nodes / 4 })

function balancerTable(simulated) {
  const rows = simulated.map(one => [
    `${one.nodes}`, one.balancer, percent(one.forwarded), percent(one.forwarded_later), percent(one.programs_forwarded),
    shown(one.most_over_mean), percent(one.boards_moved), percent(one.closed),
  ])
  const head = ['nodes', 'balancer', 'passed on', 'after a restart', 'of programs', 'fullest / mean', 'boards moved', 'connections closed']
  return markdown([head, ...rows], 2)
}

const simulateAll = each => COUNTS.flatMap(nodes =>
  Object.keys(BALANCERS).filter((_, at) => nodes > 1 || at === 0).map(balancer => simulate(nodes, balancer, peopleOf(nodes, each))))

// ---- growth ----

/** People on one core with a data file, as scripts/capacity found them. */
function peopleOnCore({ machines }) {
  return machines.find(machine => machine.cores === 1 && !machine.memory_bytes).people
}

/** What people ask of the store in a second: CPU in cores, and bytes of its log for updates and for full states. */
function asked({ busy, states }, { person, constants }, people) {
  const state = person.shapes_per_board * constants.state_bytes_per_shape
  return {
    cores: people / busy.people * busy.store_cpu_share,
    updates_wal: people / busy.people * busy.wal_bytes_per_second,
    states_wal: people / person.people_per_board / COMPACT_SECONDS * state * states.wal_per_state_byte,
  }
}

/** What the store did at most: each way to be full by its name. */
const LIMITS = [
  { name: 'WAL', of: ({ wal }) => wal, most: ({ wal }) => wal.wal_bytes_per_second },
  { name: 'commits', of: ({ commits }) => commits, most: ({ commits: { one, local } }) => Math.max(one.commits_per_second, local.commits_per_second) },
  { name: 'CPU', of: ({ cores }) => cores, most: ({ machine }) => machine.cpus },
]

/**
 * So many nodes of a core each, behind a balancer that passes that share of the people on: how many people they carry,
 * by CPU, when the fullest is full, and what they ask of the store.
 */
function forecast(measured, capacity, { nodes, share, most_over_mean: unevenness }) {
  const of = side => cpu(measured, MANY, side).all
  const cost = nodes === 1 ? of('one') : (1 - share) * of('local') + share * of('forwarded')
  const people = nodes * peopleOnCore(capacity) * of('redb') / cost / unevenness
  const { cores, updates_wal, states_wal } = asked(measured, capacity, people)
  const wanted = { cores, wal: updates_wal + states_wal, commits: nodes * measured.busy.commits_per_second }
  return {
    nodes, people, ...wanted, states_share: states_wal / wanted.wal,
    hop: nodes === 1 ? 0 : share * (of('forwarded') - of('local')) / cost,
    shares: Object.fromEntries(LIMITS.map(({ name, of, most }) => [name, of(wanted) / most(measured)])),
  }
}

/** What of the store is full first, as names and how many times it would be. */
const byFullness = ({ shares }) => Object.entries(shares).sort(([, a], [, b]) => b - a)

function growthTable(forecasts) {
  const rows = forecasts.map(({ hash, any }) => {
    const [name, share] = byFullness(hash)[0]
    return [
      `${hash.nodes}${hash.nodes > 3 ? ` (${PAPER})` : ''}`, count(hash.people), count(any.people), percent(any.hop), shown(hash.commits),
      percent(hash.shares.commits), shown(hash.cores), percent(hash.shares.CPU), shown(hash.wal / 1e6), percent(hash.shares.WAL),
      share > 1 ? `the store's ${name}` : 'CPU of the nodes',
    ]
  })
  const head = ['nodes', 'people by CPU, path hashed', 'round robin', 'of its CPU the hop', 'commits/s', 'of the most',
    'cores of PostgreSQL', 'of the most', 'WAL, MB/s', 'of the most', 'full first']
  return markdown([head, ...rows], 1)
}

/** In sentences what ends it first. */
function endSentences({ hash, any }) {
  const about = share => {
    const nodes = hash.nodes / share
    return nodes >= 1.5 ? `about ${count(nodes)} full nodes` : nodes >= 0.5 ? 'about one full node' : 'less than one full node'
  }
  const [first, ...rest] = byFullness(hash)
  return [
    `**What ends it first is the store's ${first[0]}**, on a machine like this one at ${about(first[1])};`,
    `${rest.map(([name, share]) => `its ${name} would at ${about(share)}`).join(', ')}.`,
    `${percent(hash.states_share)} of the WAL are full states, of boards as large and as busy as those of [capacity.md](capacity.md);`,
    'with smaller ones, or a longer `--compact-every`, it lasts the longer. From there on a larger machine under PostgreSQL helps,',
    `another node does not. **The hop ends nothing**: without a hash it takes ${percent(any.hop)} of the CPU of ${any.nodes} nodes,`,
    'and of more nodes hardly more, since nothing is passed on twice.',
  ].join(' ')
}

function forecasts(measured, capacity, simulated) {
  const of = (nodes, balancer) => {
    const known = name => simulated.find(one => one.nodes === nodes && (nodes === 1 || one.balancer === name))
    const one = known(balancer)
    // In the long run: who came to a board first has left.
    const share = nodes === 1 ? 0 : balancer === HASH ? one.forwarded : one.forwarded_later
    return forecast(measured, capacity, { ...one, share })
  }
  return COUNTS.map(nodes => ({ hash: of(nodes, HASH), any: of(nodes, ANY) }))
}

// ---- the document ----

function machineSentence({ at, command, revision, machine, postgres, rounds, generator, lease }) {
  return [
    `Measured on ${at.slice(0, 10)} by \`${command}\` at ${revision}: ${machine.cpus} cores of ${machine.model},`,
    `${(machine.memory_bytes / 1024 ** 3).toFixed(0)} GiB, Linux ${machine.kernel}, PostgreSQL ${postgres}. All nodes were on core 0 with`,
    `a thread each, the generator on the last, PostgreSQL on both, \`--lease ${lease}\`. Medians of ${rounds} rounds; the most of`,
    'anything was looked for once. The generator used at most',
    `${percent(generator.own_cpu_share)} of its core, and sent at most ${shown(generator.send_lag_p99_ms)} ms late (p99 of a run).`,
  ].join(' ')
}

/** The hop in a sentence, from the medians. */
function hopSentence(measured) {
  const shapes = [...new Set(measured.fanout.map(run => run.shape))]
  const more = (shape, name) => shown(figure(measured, shape, 'forwarded', name) - figure(measured, shape, 'local', name))
  const each = shapes.map(shape => {
    const [there, here] = ['forwarded', 'local'].map(side => cpu(measured, shape, side).all)
    return `${shape}: ${more(shape, 'p50_ms')} ms at p50, ${more(shape, 'p99_ms')} ms at p99, the saved echo ` +
      `${more(shape, 'echo_p50_ms')} and ${more(shape, 'echo_p99_ms')} ms, CPU of both nodes ${shown(there / here)} times that of the owner alone`
  })
  return `What the hop adds (boards x people). ${each.join('. ')}.`
}

/** What a store is asked for by boards in use, and takes at most. */
function storeSentence({ busy, states, wal }) {
  return [
    `${count(busy.boards)} boards in use, with ${count(busy.people)} people as [capacity.md](capacity.md) has them, are`,
    `${shown(busy.commits_per_second)} commits/s of ${shown(busy.commit_ms)} ms each, ${shown(busy.wal_bytes_per_second / 1e6)} MB/s of WAL and`,
    `${shown(busy.store_cpu_share)} cores of PostgreSQL. A full state is ${shown(states.wal_per_state_byte)} times its bytes in the WAL, of which`,
    `this PostgreSQL writes ${shown(wal.wal_bytes_per_second / 1e6)} MB/s at most, four committing full states at once.`,
  ].join(' ')
}

/** Lines for a terminal: all tables that there are figures for. */
function printed(measured) {
  const parts = [
    measured.fanout && [...fanoutTable(measured), '', hopSentence(measured)],
    (measured.saturate || measured.commits) && mostTable(measured),
    measured.busy && measured.states && measured.wal && [storeSentence(measured)],
    measured.handover && handoverTable(measured),
    [`the generator: ${percent(measured.generator.own_cpu_share)} of its core, ${shown(measured.generator.send_lag_p99_ms)} ms late at p99`,
      ...measured.notes.map(note => `note: ${note}`)],
  ]
  return parts.filter(Boolean).map(lines => lines.join('\n')).join('\n\n')
}

const balancerText = (simulated, each) => [[
  `Simulated (\`scripts/balancers.js\`), not measured: ${count(each)} people for each node, on a quarter as many boards, by Zipf's law`,
  `(the exponent is ${PEOPLE.exponent}). "Passed on": of connections, when all have come; "after a restart" of one node, once everybody`,
  'has left and come again; "of programs": of requests to `/v1/boards/{id}/...`. The last two columns are what the restart of one node',
  'moves and closes.',
].join(' '), '', ...balancerTable(simulated)]

const computedSentence = each => [
  `Computed from these figures: nodes of one core each, people as [capacity.md](capacity.md) has them (${count(each)} of them on a core`,
  'with a data file), carried when the fullest node has no CPU left. More than three nodes are on paper: machines are missing.',
  '"Of the most" is of what this PostgreSQL did at most, and of the cores of this machine, which it shared.',
].join(' ')

/** What stands between the marks of docs/nodes.md; before a first measurement that is what needs none. */
function measuredSection(measured, capacity) {
  const each = peopleOnCore(capacity)
  const simulated = simulateAll(each)
  if (!measured) return balancerText(simulated, each).join('\n')
  const grown = forecasts(measured, capacity, simulated)
  return [
    machineSentence(measured), '', ...fanoutTable(measured), '', hopSentence(measured), '', ...mostTable(measured), '',
    storeSentence(measured), '', ...handoverTable(measured), '',
    ...measured.notes.flatMap((note, at, all) => [`- ${note}`, ...at === all.length - 1 ? [''] : []]),
    '### With more nodes', '',
    computedSentence(each), '',
    ...growthTable(grown), '', endSentences(grown.at(-1)), '',
    '### Balancers', '', ...balancerText(simulated, each),
  ].join('\n')
}

/** A figure of boardwire's in a table of docs/benchmarks.md, as it is told there. */
function benchmark(text, row) {
  let head
  for (const line of text.split('\n')) {
    const cells = line.split('|').map(cell => cell.trim())
    // The tables of ratios have another head.
    if (cells[1] === '') head = cells.includes('times') ? undefined : cells
    if (head && cells[1] === row) return cells[head.indexOf('boardwire')]
  }
  throw new Error(`docs/benchmarks.md has no row "${row}"`)
}

/** How much one node carries, from what others measured. */
function whenSection(measured, capacity, benchmarks) {
  const of = row => benchmark(benchmarks, row)
  const hop = measured && shown(cpu(measured, MANY, 'forwarded').all / cpu(measured, MANY, 'redb').all)
  return [
    `Seldom. One node on a data file carries ${count(peopleOnCore(capacity))} people on one core, four to a board and drawing a tenth of their`,
    'time (`scripts/capacity`, [capacity.md](capacity.md)). Where nothing else is to be done it takes',
    `${of('50 x 4, the most within 200 ms: deliveries a second')} deliveries a second on 50 boards of four, and`,
    `${of('1 x 50, the most within 200 ms: deliveries a second')} on one of fifty (\`scripts/compare\`, [benchmarks.md](benchmarks.md)).`,
    ...measured ? [`A delivery that is passed on costs ${hop} times the CPU of one there (\`scripts/nodes\`, [below](#how-capacity-grows)).`] : [],
  ].join(' ')
}

module.exports = { COUNTS, SIDES, benchmark, endSentences, forecast, measuredSection, printed, whenSection }
