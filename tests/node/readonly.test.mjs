// Promise: who may view or comment receives everything and is seen, but changes nothing, and is told so.
import { test, before, after, describe } from 'node:test'
import assert from 'node:assert/strict'
import * as Y from 'yjs'
import { ALL, Client, converged } from './support/clients.mjs'
import { Raw, messages } from './support/raw.mjs'
import { Server } from './support/server.mjs'
import { pause, until } from './support/wait.mjs'

describe('read-only levels', () => {
  let server
  before(async () => { server = await Server.start() })
  after(() => server.dispose())

  for (const [i, provider] of ALL.entries()) {
    for (const level of ['view', 'comment']) {
      test(`${provider} with ${level}: receives, is seen, is told, and changes nothing`, async t => {
        const board = `${level}-${i}`
        const editor = await Client.open(t, server, board, { sub: 'editor' }).synced()
        editor.set('first', 1)
        const viewer = await Client.open(t, server, board, { provider, sub: 'viewer', level }).synced()
        await viewer.sees('first', 1)
        editor.set('second', 2)
        await viewer.sees('second', 2)
        assert.deepEqual(viewer.denials, [])
        viewer.awareness.setLocalStateField('user', { name: 'the viewer' })
        await until(() => editor.userSeen(viewer.clientID) === 'the viewer', 'the viewer to be seen')
        viewer.set('forbidden', true)
        await until(() => viewer.denials.length > 0, 'the auth message')
        assert.ok(viewer.denials[0].length > 0)
        editor.set('third', 3)
        await viewer.sees('third', 3)
        const late = await Client.open(t, server, board, { sub: 'late' }).synced()
        assert.equal(editor.get('forbidden'), undefined)
        assert.equal(late.get('forbidden'), undefined)
        await converged([editor, late])
        assert.deepEqual(viewer.closes, [])
      })
    }
  }

  test('gets no step 1, and no saved echo', async t => {
    const editor = await Client.open(t, server, 'no-step1', { sub: 'editor' }).synced()
    editor.set('key', 'value')
    const viewer = await Raw.open(t, server, 'no-step1', { sub: 'viewer', level: 'view' })
    await until(async () => (await viewer.document()).getMap('map').get('key') === 'value', 'the document')
    const doc = new Y.Doc()
    doc.getMap('map').set('forbidden', 1)
    viewer.send(messages.update(Y.encodeStateAsUpdate(doc)))
    await viewer.next('auth')
    await viewer.settled()
    assert.deepEqual(viewer.all('step1'), [])
    assert.equal(viewer.all('update').some(({ payload }) => Y.decodeUpdate(payload).structs.some(struct => struct.id.client === doc.clientID)), false)
  })

  test('is told at most once a second, whatever it sends', async t => {
    const viewer = await Raw.open(t, server, 'no-step1', { sub: 'viewer', level: 'view' })
    const begun = performance.now()
    while (performance.now() - begun < 2_500) {
      const doc = new Y.Doc()
      doc.getMap('map').set('forbidden', 1)
      const update = Y.encodeStateAsUpdate(doc)
      viewer.send(messages.update(update))
      viewer.send(messages.step2(update))
      await pause(20)
    }
    await viewer.settled()
    const told = viewer.all('auth')
    assert.ok(told.length >= 2 && told.length <= 4, `told ${told.length} times in 2.5 s`)
    for (const { denied, reason } of told) {
      assert.equal(denied, true)
      assert.ok(reason.length > 0)
    }
    assert.equal(viewer.close, null)
  })

  test('an update that brings nothing new is ignored without a word', async t => {
    const editor = await Client.open(t, server, 'nothing-new', { sub: 'editor' }).synced()
    editor.set('key', 'value')
    editor.delete('key')
    const viewer = await Raw.open(t, server, 'nothing-new', { sub: 'viewer', level: 'comment' })
    const everything = await until(async () => {
      const update = await viewer.pull()
      return Y.decodeUpdate(update).ds.clients.size > 0 && update
    }, 'the deletion')
    viewer.send(messages.step2(everything))
    viewer.send(messages.update(everything))
    viewer.send(messages.step2(Uint8Array.of(0, 0)))
    await viewer.settled()
    assert.deepEqual(viewer.all('auth'), [])
  })

  test('a deletion alone is refused too', async t => {
    const editor = await Client.open(t, server, 'deletion', { sub: 'editor' }).synced()
    editor.set('key', 'value')
    const viewer = await Client.open(t, server, 'deletion', { sub: 'viewer', level: 'view' }).synced()
    await viewer.sees('key', 'value')
    viewer.delete('key')
    await until(() => viewer.denials.length > 0, 'the auth message')
    const late = await Client.open(t, server, 'deletion', { sub: 'late' }).synced()
    assert.equal(late.get('key'), 'value')
    assert.equal(editor.get('key'), 'value')
  })
})
