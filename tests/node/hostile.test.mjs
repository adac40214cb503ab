// Promise: whatever bytes a client sends as an update, the server lives, stock clients of others do not throw
// and hold the same structs and deletions, late joiners get what they have, and honest edits go on.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import * as Y13 from 'yjs'
import * as Y14 from '@y/y'
import { Client } from './support/clients.mjs'
import { allSameState, describe as describeDocument, edit, load, rereadContent } from './support/documents.mjs'
import { PlainRandom, mutate, survived, watchThrows } from './support/hostile.mjs'
import { Raw, messages } from './support/raw.mjs'
import { SEED } from './support/random.mjs'
import { Server } from './support/server.mjs'
import { until } from './support/wait.mjs'

const MUTANTS = 800

// An honest edit. What hostile content leaves in a type can make its own offsets wrong in stock Yjs; then it
// is a plain one.
function editAround (doc, random) {
  try {
    edit(doc, random)
  } catch {
    if (doc instanceof Y14.Doc) doc.get('map').setAttr('plain', random.below(1_000))
    else doc.getMap('map').set('plain', random.below(1_000))
  }
}

// One honest update on top of `doc`, which stays as it was.
function honest (doc, random) {
  const copy = load(Y13.encodeStateAsUpdate(doc))
  // Ids of its own: whoever writes under the id of another, at the same time, has a different document, and
  // no server can tell.
  copy.clientID = random.of([1, 2, 3])
  const vector = Y13.encodeStateVector(copy)
  editAround(copy, random)
  const update = Y13.encodeStateAsUpdate(copy, vector)
  copy.destroy()
  return update
}

describe(`mutated updates (BOARDWIRE_SEED=${SEED})`, { concurrency: true }, () => {
  let server
  before(async () => { server = await Server.start({ 'compact-after': '100ms', 'compact-every': '300ms' }) })
  after(() => server.dispose())

  for (let n = 0; n < 3; n++) {
    test(`history ${n}: ${MUTANTS} mutants among honest edits`, async t => {
      const random = new PlainRandom(SEED + n)
      const board = 'hostile-' + n
      const observers = ['y-websocket 2.1', 'y-websocket 3.1', '@y/websocket 4 rc'].map(provider => Client.open(t, server, board, { provider, sub: 'honest' }))
      for (const observer of observers) await observer.synced()
      const thrown = watchThrows(t)
      let accepted = 0
      let raw = await Raw.open(t, server, board, { sub: 'hostile' })
      let last = Uint8Array.of(0, 0)
      for (let mutant = 0; mutant < MUTANTS; mutant++) {
        if (raw.close !== null) raw = await Raw.open(t, server, board, { sub: 'hostile' })
        const update = honest(observers[1].doc, random)
        if (random.chance(0.1)) editAround(random.of(observers).doc, random)
        const sent = random.chance(0.1) ? update : mutate(update, last, random)
        last = update
        if (await survived(raw, [random.chance(0.8) ? messages.update(sent) : messages.step2(sent)])) accepted++
        assert.deepEqual(thrown, [], `mutant ${mutant} of seed ${SEED + n}: ${Buffer.from(sent).toString('hex')}`)
      }
      assert.ok(accepted > MUTANTS / 50, `only ${accepted} mutants passed the decoder`)
      assert.equal((await server.health()).status, 'ok')
      for (const observer of observers) editAround(observer.doc, random)
      const reader = await Raw.open(t, server, board, { sub: 'reader' })
      const fresh = await until(async () => {
        const update = await reader.pull()
        const docs = [load(update, Y13), load(update, Y14)]
        return allSameState([...observers.map(({ doc }) => doc), ...docs]) && docs
      }, () => `observers and a fresh reader to agree, seed ${SEED + n}:\n${observers.map(({ doc }) => describeDocument(doc)).join('\n')}`, 10_000)
      // Fresh readers, not live ones: origins that no honest client writes make stock Yjs integrate by order
      // of arrival.
      assert.equal(new Set([...observers.map(({ doc }) => doc), ...fresh].map(rereadContent)).size, 1, `what fresh readers see, seed ${SEED + n}`)
      assert.deepEqual(thrown, [])
    })
  }
})
