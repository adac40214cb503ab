// The process of one attack, of lower priority, so that what is measured is the server and not the attacker.
// Started by main.mjs, which tells it whom to attack, when to begin, and when to go.
import os from 'node:os'
import { On } from './support/attack.mjs'
import { attacks, canary } from './attacks/index.mjs'
import { pause } from '../node/support/wait.mjs'
import { hangUp } from './support/peer.mjs'

os.setPriority(10)

/** How long calls that are under way at the end may take: those of a client that waits for its answer. */
const GRACE_MS = 20_000

const attack = [...attacks, canary].find(({ name }) => name === process.argv[2])
const server = JSON.parse(process.argv[3])
const on = new On(server)
const tell = what => new Promise(resolve => process.send(what, resolve))

const begun = new Promise(resolve => process.once('message', resolve))
process.on('disconnect', () => process.exit(1))
try {
  const prepared = await attack.prepare?.(on)
  await tell({ ready: true })
  const { ms } = await begun
  on.begin(ms)
  const ended = await Promise.race([attack.run(on, prepared).then(() => true), pause(ms + GRACE_MS)])
  if (!ended) on.note(`calls that take over ${GRACE_MS / 1000} s`)
  await tell({ outcomes: on.outcomes })
} catch (error) {
  await tell({ failed: error.stack })
}
hangUp()
process.exit(0)
