// What hostile clients do, and how the tests see whether it hurt anybody.
import assert from 'node:assert/strict'
import { Random } from './random.mjs'
import { messages } from './raw.mjs'
import { until } from './wait.mjs'

/** Words without surrogate pairs: a deletion that cuts one shows differently in stock Yjs, depending on who cut it. */
export class PlainRandom extends Random {
  word () {
    return Array.from({ length: 1 + this.below(8) }, () => this.of(['a', 'b', 'c', ' ', 'ä', '語'])).join('')
  }
}

/** The bytes with one to three small wounds; now and then with a piece of `other`. */
export function mutate (update, other, random) {
  let bytes = [...update]
  for (let wounds = 1 + random.below(3); wounds > 0; wounds--) {
    const at = random.below(bytes.length)
    random.of([
      () => { bytes[at] = random.below(256) },
      () => { bytes[at] ^= 1 << random.below(8) },
      () => { bytes[at] = (bytes[at] + (random.chance(0.5) ? 1 : 255)) & 0xff },
      () => { bytes.splice(at, 1 + random.below(2)) },
      () => { bytes.splice(at, 0, random.below(256)) },
      () => { bytes.splice(at, 1, 0xff, 0xff, 0xff, 0xff, random.below(128)) },
      () => { bytes = [...bytes.slice(0, at), ...other.slice(random.below(other.length))] }
    ])()
    if (bytes.length === 0) bytes = [0]
  }
  return Uint8Array.from(bytes)
}

/** The stacks of what is thrown until the test ends: a stock client throws inside its socket's handler, past every test. */
export function watchThrows (t) {
  const thrown = []
  const note = error => thrown.push(error.stack)
  process.on('uncaughtException', note)
  t.after(() => process.off('uncaughtException', note))
  return thrown
}

/** Whether the server answered what was sent, or closed the connection; the latter only for what the contract's table says. */
export async function survived (raw, sent) {
  const from = raw.messages.length
  raw.send(...sent)
  raw.send(messages.step1())
  await until(() => raw.close || raw.messages.slice(from).some(message => message.kind === 'step2'), 'an answer or a close')
  if (raw.close !== null) assert.ok([1007, 1009, 4013].includes(raw.close.code), `close ${JSON.stringify(raw.close)} after ${Buffer.concat(sent).toString('hex')}`)
  return raw.close === null
}
