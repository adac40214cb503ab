// What a balancer does for several nodes, simulated: who is passed on, how evenly boards lie, what a restart
// moves. Each number follows from the seed alone. Measures nothing; scripts/nodes prints it.
'use strict'

/** How many people each board has is Zipf's law: the one in place k has `1 / k ** exponent` of the first. */
const PEOPLE = { boards: 20_000, people: 80_000, exponent: 0.7, boardPeopleMax: 1_000, seed: 1 }

/** Numbers from 0 to 1 that look random (splitmix32). */
function random(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    return mixed(state) / 2 ** 32
  }
}

function mixed(value) {
  let bits = value >>> 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad)
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97)
  return (bits ^ (bits >>> 15)) >>> 0
}

/** FNV-1a. */
function hash(text) {
  let bits = 0x811c9dc5
  for (let at = 0; at < text.length; at++) bits = Math.imul(bits ^ text.charCodeAt(at), 0x01000193)
  return bits >>> 0
}

/** The two nodes with the largest hashes of a text: where the first is down it is the second, and others keep theirs. */
function hashed(text, count) {
  const bits = hash(text)
  const [first, second] = [{ node: 0, weight: -1 }, { node: 0, weight: -1 }]
  for (let node = 0; node < count; node++) {
    const weight = mixed(bits ^ mixed(node + 1))
    if (weight > first.weight) {
      Object.assign(second, first)
      Object.assign(first, { node, weight })
    } else if (weight > second.weight) Object.assign(second, { node, weight })
  }
  return [first.node, second.node]
}

const socket = board => `/ws/canvas/board-${board}`
const program = board => `/v1/boards/board-${board}/items`
/** By the hash of a name; what is the same by its key has the same name. */
const byHash = (keyOf, nameOf) => count => {
  const known = new Map()
  return visit => {
    const key = keyOf(visit)
    if (!known.has(key)) known.set(key, hashed(nameOf(visit), count))
    const [first, second] = known.get(key)
    return isUp => isUp[first] ? first : second
  }
}

/** What chooses among so many nodes: of a visit (person, board, kind of path), by which of them are up. */
const BALANCERS = {
  'round robin': () => {
    let turn = 0
    return () => isUp => {
      do turn = (turn + 1) % isUp.length; while (!isUp[turn])
      return turn
    }
  },
  'sticky (a person stays)': byHash(({ person }) => person, ({ person }) => `person-${person}`),
  'hash of the path': byHash(({ path, board }) => path === socket ? board : -1 - board, ({ path, board }) => path(board)),
  'hash of the board': byHash(({ board }) => board, ({ board }) => `board-${board}`),
}

/** Which board each person is on, in the order in which they come. */
function visits({ boards, people, exponent, boardPeopleMax, seed }) {
  const weights = Array.from({ length: boards }, (_, at) => (at + 1) ** -exponent)
  const each = people / weights.reduce((sum, weight) => sum + weight, 0)
  const found = []
  weights.forEach((weight, board) => {
    // One at least: a board that nobody is on is no load.
    const count = Math.min(boardPeopleMax, Math.max(1, Math.round(weight * each)))
    for (let n = 0; n < count; n++) found.push({ person: found.length, board, path: socket })
  })
  const next = random(seed)
  for (let at = found.length - 1; at > 0; at--) {
    const other = Math.floor(next() * (at + 1));
    [found[at], found[other]] = [found[other], found[at]]
  }
  return found
}

const share = (some, all) => all.length ? some.length / all.length : 0

/**
 * All come, then a program asks about each board, then one node restarts. Whoever reaches a board that nobody has makes
 * its node the owner; a board's owner changes only when it stops.
 */
function simulate(count, balancer, settings = PEOPLE) {
  const choose = BALANCERS[balancer](count)
  const isUp = Array(count).fill(true)
  const owners = new Map()
  const come = visit => {
    const by = choose(visit)(isUp)
    if (!owners.has(visit.board)) owners.set(visit.board, by)
    return { visit, by, owner: owners.get(visit.board) }
  }
  const isForwarded = ({ by, owner }) => by !== owner
  const sockets = visits(settings).map(come)
  const programs = [...owners.keys()].map(board => come({ person: board, board, path: program }))
  const load = Array(count).fill(0)
  for (const { owner } of sockets) load[owner]++
  const [most, mean] = [Math.max(...load), sockets.length / count]
  // The first node stops: who is on its boards comes again, and so does whoever came by it.
  const isClosed = ({ by, owner }) => by === 0 || owner === 0
  const closed = sockets.filter(isClosed)
  const moved = [...owners].filter(([, owner]) => owner === 0).map(([board]) => board)
  moved.forEach(board => owners.delete(board))
  isUp[0] = count === 1
  closed.forEach(({ visit }) => come(visit))
  isUp[0] = true
  // It is up again. In time everybody leaves and comes anew, and no board is ever without anybody.
  const later = sockets.map(({ visit }) => come(visit))
  return {
    nodes: count, balancer,
    forwarded: share(sockets.filter(isForwarded), sockets),
    programs_forwarded: share(programs.filter(isForwarded), programs),
    most_over_mean: most / mean,
    boards_moved: moved.length / owners.size,
    closed: share(closed, sockets),
    forwarded_later: share(later.filter(isForwarded), later),
  }
}

module.exports = { BALANCERS, PEOPLE, simulate, visits }
