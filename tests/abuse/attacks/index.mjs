// Every attack, in the order in which they run. One is
// `{ row, name, about, flags?, prepare?, run, must?, may?, isLong? }`; README.md says how to add one.
import { pause } from '../../node/support/wait.mjs'
import { costs } from './costs.mjs'
import { floods } from './floods.mjs'
import { handshakes } from './handshakes.mjs'
import { holding } from './holding.mjs'
import { keeping } from './keeping.mjs'
import { locks } from './locks.mjs'
import { rules } from './rules.mjs'

/** Nothing at all: what this machine adds by itself. */
const quiet = { row: 0, name: 'nothing', about: 'nobody attacks: the noise of this machine', run: async on => { await on.over(); on.note('nothing') }, must: ['nothing'] }

/** An alarm that cannot ring is none: here the server stands still for 0.9 s, and has to be found too slow. */
export const canary = {
  row: 0,
  name: 'canary',
  about: 'the server is stopped by a signal for 0.9 s, to see that this is noticed',
  run: async on => {
    process.kill(on.server.pid, 'SIGSTOP')
    await pause(900)
    process.kill(on.server.pid, 'SIGCONT')
    on.note('nothing')
  },
  must: ['nothing']
}

export const attacks = [quiet, ...costs, ...holding, ...locks, ...rules, ...keeping, ...handshakes, ...floods]
