// The simulation of balancers (scripts/balancers.js), where what it must find is known.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'

const { BALANCERS, simulate, visits } = createRequire(import.meta.url)('../../scripts/balancers.js')

const SMALL = { boards: 2_000, people: 8_000, exponent: 0.7, boardPeopleMax: 200, seed: 3 }
const near = (is, wanted, off = 0.04) => assert.ok(Math.abs(is - wanted) < off, `${is}, not about ${wanted}`)

test('people come to boards by Zipf\'s law, one at least, no more than a board takes, and the same each time', () => {
  const of = settings => visits({ ...SMALL, ...settings }).map(({ board }) => board)
  const counts = boards => boards.reduce((sum, board) => sum.set(board, (sum.get(board) ?? 0) + 1), new Map())
  const counted = counts(of({}))
  near(counted.get(1) / counted.get(31), 16 ** 0.7, 0.5)
  assert.equal(counted.size, 2_000)
  assert.equal(counts(of({ boardPeopleMax: 7 })).get(0), 7)
  assert.deepEqual(of({}), of({}))
  assert.notDeepEqual(of({}), of({ seed: 4 }))
})

test('one node passes nothing on, whatever the balancer', () => {
  for (const balancer of Object.keys(BALANCERS)) {
    const found = simulate(1, balancer, SMALL)
    assert.deepEqual([found.forwarded, found.programs_forwarded, found.forwarded_later], [0, 0, 0], balancer)
    assert.deepEqual([found.most_over_mean, found.boards_moved, found.closed], [1, 1, 1], balancer)
  }
})

test('a hash of the path passes no socket on, and programs as chance has it; a hash of the board none of both', () => {
  for (const count of [2, 8]) {
    const path = simulate(count, 'hash of the path', SMALL)
    assert.equal(path.forwarded, 0)
    near(path.programs_forwarded, 1 - 1 / count)
    const board = simulate(count, 'hash of the board', SMALL)
    assert.deepEqual([board.forwarded, board.programs_forwarded], [0, 0])
  }
})

test('without a hash all but one in so many are passed on, once those have gone who came to a board first', () => {
  for (const count of [2, 8]) {
    const found = simulate(count, 'round robin', SMALL)
    // One of four made its node the owner.
    near(found.forwarded, 0.75 * (1 - 1 / count))
    near(found.forwarded_later, 1 - 1 / count)
  }
})

test('a restart closes who is on the boards of the node, and without a hash who came by it too', () => {
  for (const count of [3, 8]) {
    const hash = simulate(count, 'hash of the path', SMALL)
    near(hash.boards_moved, 1 / count)
    near(hash.closed, 1 / count, 0.06)
    // Its boards stay with those who took them: who comes to it by the hash is passed on.
    assert.equal(hash.forwarded_later, hash.closed)
    assert.ok(simulate(count, 'round robin', SMALL).closed > hash.closed + 0.05)
  }
})

test('many nodes carry boards less evenly, since one board is never cut', () => {
  const [few, many] = [2, 64].map(count => simulate(count, 'hash of the path', SMALL).most_over_mean)
  assert.ok(few >= 1 && few < 1.2 && many > 1.5, `${few}, ${many}`)
})
